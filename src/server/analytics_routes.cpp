// /api/terminal/logs and /patterns: what was done in the terminals, in kinds.

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

#include "server/ask_store.h"
#include "server/command_book.h"
#include "server/routes.h"
#include "server/service.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;

constexpr std::size_t kMaxLimit = 10'000;

Result<std::size_t> read_count(const Request& request, const char* name, std::size_t fallback) {
  const std::string text = request.query(name);
  if (text.empty()) return fallback;
  std::size_t count = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (ec != std::errc{} || at != text.data() + text.size() || count > kMaxLimit)
    return Error{Errc::bad_argument, std::string(name) + " must be a number from 0 to 10000"};
  return count;
}

/// ISO 8601 or milliseconds since the epoch.
Result<std::optional<WallTime>> read_time(const Request& request, const char* name) {
  const std::string text = request.query(name);
  if (text.empty()) return std::optional<WallTime>{};
  std::int64_t millis = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (ec == std::errc{} && at == text.data() + text.size())
    return std::optional(WallTime{Millis{millis}});
  if (auto time = parse_iso_time(text)) return std::optional(*time);
  return Error{Errc::bad_argument, std::string(name) +
                                       " must be a time like 2026-11-22T10:00:00.000Z, or "
                                       "milliseconds since the epoch"};
}

std::optional<std::string> read_text(const Request& request, const char* name) {
  std::string text = request.query(name);
  if (text.empty()) return std::nullopt;
  return text;
}

/// What both routes filter by.
Result<LogQuery> read_query(const Request& request) {
  LogQuery query;
  query.session = read_text(request, "sessionId");
  query.project = read_text(request, "projectId");
  query.user = read_text(request, "userId");
  query.category = read_text(request, "category");
  auto limit = read_count(request, "limit", 1000);
  if (!limit) return limit.error();
  auto since = read_time(request, "since");
  if (!since) return since.error();
  auto until = read_time(request, "until");
  if (!until) return until.error();
  query.limit = *limit;
  query.since = *since;
  query.until = *until;
  return query;
}

store::CommandQuery commands_of(const LogQuery& query) {
  return {.session = query.session,
          .project = query.project,
          .user = query.user,
          .since = query.since,
          .until = query.until,
          .limit = query.limit};
}

struct FoundCommands {
  std::vector<store::CommandRow> rows;
  const char* source = "memory";
};

net::awaitable<FoundCommands> find_commands(Service& service, store::CommandQuery query) {
  auto pass = [](Shard& shard) {
    shard.sessions->pass_commands();
    return true;
  };
  co_await service.shards().gather(std::move(pass));
  FoundCommands found;
  if (service.writer() != nullptr && service.persistence()->status().available) {
    auto read = [query](store::Store& store) { return store.commands(query); };
    auto stored = co_await ask_store(*service.writer(), std::move(read));
    if (stored) {
      found.rows = std::move(*stored);
      found.source = "store";
      co_return found;
    }
  }
  found.rows = service.commands().find(query);
  co_return found;
}

Json log_json(const LogEntry& entry) {
  return {{"sessionId", entry.session},
          {"projectId", entry.project},
          {"userId", entry.user},
          {"sequence", entry.sequence},
          {"timestamp", iso_time(entry.at)},
          {"type", to_string(entry.kind)},
          {"content", entry.content},
          {"command", entry.text},
          {"bytes", entry.bytes}};
}

Json command_json(const store::CommandRow& row) {
  Json json{{"sessionId", row.session}, {"projectId", row.project}, {"userId", row.user},
            {"sequence", row.sequence}, {"category", row.category}, {"timestamp", iso_time(row.at)},
            {"command", row.command},   {"durationMs", nullptr},    {"failed", nullptr}};
  if (row.duration.count() == 0) return json;
  json["durationMs"] = row.duration.count();
  json["failed"] = row.failed;
  return json;
}

net::awaitable<std::vector<LogEntry>> find_logs(Service& service, LogQuery query) {
  auto get = [query](Shard& shard) {
    auto entries = shard.sessions->engines().legacy.telemetry->logs(query);
    auto more = shard.sessions->engines().refactored.telemetry->logs(query);
    entries.insert(entries.end(), more.begin(), more.end());
    return entries;
  };
  auto parts = co_await service.shards().gather(std::move(get));
  std::vector<LogEntry> all;
  for (auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  std::ranges::sort(all, {}, [](const LogEntry& e) {
    return std::tuple<WallTime, std::string_view, std::uint64_t>(e.at, e.session, e.sequence);
  });
  if (all.size() > query.limit)
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(query.limit));
  co_return all;
}

void keep_category(std::vector<store::CommandRow>& rows, const LogQuery& query) {
  if (!query.category || *query.category == to_string(LogKind::command)) return;
  std::erase_if(rows, [&](const auto& row) { return row.category != *query.category; });
}

Reply logs(Service& service, Request request) {
  const auto query = read_query(request);
  if (!query) co_return error_response(query.error());
  const bool scoped = query->session || query->project || query->user;
  if (!scoped)
    co_return error_response({Errc::bad_argument, "sessionId, projectId or userId is required"});
  LogQuery wanted = *query;
  const auto entries = co_await find_logs(service, std::move(wanted));
  auto found = co_await find_commands(service, commands_of(*query));
  keep_category(found.rows, *query);
  Json log = Json::array();
  for (const auto& entry : entries) log.push_back(log_json(entry));
  Json commands = Json::array();
  for (const auto& row : found.rows) commands.push_back(command_json(row));
  co_return json_response(
      200, {{"success", true}, {"logs", log}, {"commands", commands}, {"source", found.source}});
}

Json rate(std::uint64_t failed, std::uint64_t reported) {
  if (reported == 0) return nullptr;
  return 100.0 * static_cast<double>(failed) / static_cast<double>(reported);
}

Json analysis_json(const CommandAnalysis& analysis) {
  Json categories = Json::object();
  for (const auto& [name, c] : analysis.categories) {
    categories[name] = {{"commands", c.commands},
                        {"reported", c.reported},
                        {"failed", c.failed},
                        {"errorRate", rate(c.failed, c.reported)},
                        {"meanMs", nullptr}};
    if (c.reported > 0)
      categories[name]["meanMs"] =
          static_cast<double>(c.total_ms) / static_cast<double>(c.reported);
  }
  Json patterns = Json::array();
  for (const auto& [pattern, frequency] : analysis.sequences)
    patterns.push_back({{"pattern", pattern}, {"frequency", frequency}});
  return {
      {"commands", analysis.commands},    {"reported", analysis.reported},
      {"failed", analysis.failed},        {"errorRate", rate(analysis.failed, analysis.reported)},
      {"categories", categories},         {"byHour", analysis.by_hour},
      {"peakHours", analysis.peak_hours}, {"patterns", patterns}};
}

Reply patterns(Service& service, Request request) {
  const auto query = read_query(request);
  if (!query) co_return error_response(query.error());
  const auto frequency = read_count(request, "minFrequency", 2);
  if (!frequency) co_return error_response(frequency.error());
  store::CommandQuery wanted = commands_of(*query);
  if (request.query("limit").empty()) wanted.limit = kMaxLimit;
  const auto found = co_await find_commands(service, std::move(wanted));
  Json json = analysis_json(analyse(found.rows, *frequency));
  json["success"] = true;
  json["source"] = found.source;
  co_return json_response(200, json);
}

}  // namespace

void add_analytics_routes(Router& router, Service& service) {
  router.add("GET", "/api/terminal/logs",
             [&service](Request r) { return logs(service, std::move(r)); });
  router.add("GET", "/api/terminal/patterns",
             [&service](Request r) { return patterns(service, std::move(r)); });
}

}  // namespace term::server
