#include "store/pending_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "session/json_fields.h"
#include "session/snapshot_json.h"
#include "session/unique_fd.h"
#include "store/row_codec.h"

namespace term::store {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::string_view kPrefix = "unwritten-";

Json session_json(const Batch::Session& session) {
  const auto scrollback = scrollback_of(session);
  Json json{{"id", session.stored.snapshot.session.id},
            {"state", to_refactored(session.stored, std::nullopt).state},
            {"both", session.both_tables},
            {"other", session.keep_other}};
  if (!scrollback) return json;
  json["first"] = scrollback->first;
  json["next"] = scrollback->next;
  json["output"] = bytes_json(scrollback->packed);
  return json;
}

Json batch_json(const Batch& batch) {
  Json json{{"ended", batch.ended}, {"endedProjects", batch.ended_projects}};
  for (const auto& session : batch.sessions) json["sessions"].push_back(session_json(session));
  for (const auto& project : batch.projects) json["projects"].push_back(to_json(project));
  for (const auto& [key, value] : batch.settings) json["settings"].push_back({key, value});
  for (const auto& row : batch.flips)
    json["flips"].push_back({row.id, iso_time(row.started), row.entry});
  for (const auto& row : batch.audit)
    json["audit"].push_back(
        {iso_time(row.at), row.who, row.from, row.action, row.detail, row.result, row.key});
  for (const auto& row : batch.commands)
    json["commands"].push_back({row.session, row.project, row.user, row.sequence, iso_time(row.at),
                                row.command, row.category, row.duration.count(), row.failed});
  return json;
}

/// Throws Json::exception, or Error, on what save() did not write.
Batch::Session session_of(const Json& json) {
  RefactoredRow row;
  row.id = json.at("id").get<std::string>();
  row.state = json.at("state").get<std::string>();
  if (auto packed = bytes_in(json, "output"))
    row.scrollback = Scrollback{.first = json.at("first").get<Offset>(),
                                .next = json.at("next").get<Offset>(),
                                .packed = std::move(*packed)};
  auto stored = from_row(row);
  if (!stored) throw stored.error();
  return {.stored = std::move(*stored),
          .both_tables = json.at("both").get<bool>(),
          .keep_other = json.at("other").get<bool>()};
}

WallTime time_of(const Json& json) {
  const auto time = parse_iso_time(json.get<std::string>());
  if (!time) throw time.error();
  return *time;
}

Json part(const Json& json, const char* name) { return json.value(name, Json::array()); }

Batch batch_of(const Json& json) {
  Batch batch;
  batch.ended = json.at("ended").get<std::vector<SessionId>>();
  batch.ended_projects = json.at("endedProjects").get<std::vector<ProjectId>>();
  for (const auto& session : part(json, "sessions")) batch.sessions.push_back(session_of(session));
  for (const auto& project : part(json, "projects")) {
    auto record = project_from_json(project);
    if (!record) throw record.error();
    batch.projects.push_back(std::move(*record));
  }
  for (const auto& row : part(json, "settings"))
    batch.settings.emplace_back(row.at(0).get<std::string>(), row.at(1).get<std::string>());
  for (const auto& row : part(json, "flips"))
    batch.flips.push_back(
        {row.at(0).get<std::string>(), time_of(row.at(1)), row.at(2).get<std::string>()});
  for (const auto& row : part(json, "audit")) {
    AuditRow one{.at = time_of(row.at(0))};
    one.who = row.at(1).get<std::string>();
    one.from = row.at(2).get<std::string>();
    one.action = row.at(3).get<std::string>();
    one.detail = row.at(4).get<std::string>();
    one.result = row.at(5).get<std::string>();
    one.key = row.at(6).get<std::string>();
    batch.audit.push_back(std::move(one));
  }
  for (const auto& row : part(json, "commands"))
    batch.commands.push_back({.session = row.at(0).get<std::string>(),
                              .project = row.at(1).get<std::string>(),
                              .user = row.at(2).get<std::string>(),
                              .sequence = row.at(3).get<std::uint64_t>(),
                              .at = time_of(row.at(4)),
                              .command = row.at(5).get<std::string>(),
                              .category = row.at(6).get<std::string>(),
                              .duration = Millis(row.at(7).get<Millis::rep>()),
                              .failed = row.at(8).get<bool>()});
  return batch;
}

/// The pending of a file; nothing if it is meant for another database. Errors: bad_snapshot.
Result<std::optional<Pending>> read(const std::filesystem::path& file,
                                    const std::string& database) {
  std::ifstream in(file, std::ios::binary);
  const Json json = Json::from_cbor(in, /*strict=*/true, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("version", 0) != kVersion)
    return Error{Errc::bad_snapshot, "not written by this version, or damaged"};
  if (json.value("database", "") != database) return std::optional<Pending>{};
  try {
    return std::optional(Pending::of(batch_of(json.value("rows", Json::object()))));
  } catch (const Json::exception& wrong) {
    return Error{Errc::bad_snapshot, wrong.what()};
  } catch (const Error& wrong) {
    return wrong;
  }
}

Result<void> write_synced(const std::filesystem::path& file, const std::vector<std::uint8_t>& all) {
  const auto failed = [&file] {
    return Error{Errc::os_error,
                 "cannot write " + file.string() + ": " + std::generic_category().message(errno)};
  };
  const UniqueFd fd(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));  // NOLINT
  if (!fd) return failed();
  for (std::size_t done = 0; done < all.size();) {
    const auto n = ::write(fd.get(), all.data() + done, all.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed();
    done += static_cast<std::size_t>(n);
  }
  if (::fsync(fd.get()) != 0) return failed();
  return {};
}

}  // namespace

Result<std::filesystem::path> PendingFiles::save(Pending pending, WallTime now) const {
  constexpr auto kAll = std::numeric_limits<std::size_t>::max();
  const Json json{{"version", kVersion},
                  {"database", database_},
                  {"rows", batch_json(pending.take(kAll, kAll))}};
  std::string name(kPrefix);
  for (const char c : iso_time(now))
    if (c != ':') name += c;  // Sorts by time.
  const auto file = directory_ / (name + "-" + std::to_string(::getpid()) + ".cbor");
  auto next = file;
  next += ".new";
  auto written = write_synced(next, Json::to_cbor(json));
  std::error_code ec;
  if (written) std::filesystem::rename(next, file, ec);
  if (written && ec)
    written = Error{Errc::os_error, "cannot write " + file.string() + ": " + ec.message()};
  if (written) return file;
  std::filesystem::remove(next, ec);
  return written.error();
}

Pending PendingFiles::load() {
  Pending all;
  std::vector<std::filesystem::path> files;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, ec)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(".cbor")) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    auto left = read(file, database_);
    if (!left) {
      spdlog::error("store.left ERROR {}: {}; it stays", file.string(), left.error().detail);
    } else if (!*left) {
      spdlog::warn("store.left file={} what=\"meant for another database; it stays\"",
                   file.string());
    } else {
      spdlog::info("store.left file={} rows={}", file.string(),
                   (*left)->sessions() + (*left)->rows());
      all.add(std::move(**left));
      loaded_.push_back(file);
    }
  }
  return all;
}

void PendingFiles::discard() {
  std::error_code ignored;
  for (const auto& file : loaded_) std::filesystem::remove(file, ignored);
  loaded_.clear();
}

}  // namespace term::store
