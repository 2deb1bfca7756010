#include "server/memory_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

namespace term::server {

namespace {

constexpr Millis kLookAgain{1000};

/// The number behind `key` in lines of `key number`; proc(5) and cgroup-v2 write them so.
std::optional<std::uint64_t> value_of(const std::filesystem::path& file, std::string_view key) {
  std::ifstream lines(file);
  std::string word;
  std::uint64_t value = 0;
  while (lines >> word) {
    if (word == key && lines >> value) return value;
    lines.clear();
    std::getline(lines, word);
  }
  return {};
}

/// The only number of a file; none where it says `max`.
std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
  std::ifstream text(file);
  std::uint64_t value = 0;
  if (text >> value) return value;
  return {};
}

std::optional<std::uint64_t> left_in(const std::filesystem::path& group) {
  const auto most = number_in(group / "memory.max");
  const auto used = number_in(group / "memory.current");
  if (!most || !used) return {};
  const auto droppable = value_of(group / "memory.stat", "inactive_file").value_or(0);
  const std::uint64_t held = *used - std::min(*used, droppable);
  return *most - std::min(*most, held);
}

/// Below the root of all groups; empty for the root itself.
std::filesystem::path own_group(const std::filesystem::path& proc) {
  std::ifstream lines(proc / "self/cgroup");
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("0::/")) return line.substr(4);
  return {};
}

struct Candidate {
  bool attached = false;
  WallTime last_activity{};
  std::size_t spare = 0;  ///< Bytes beyond what is kept.
  SessionId id;
};

std::vector<Candidate> candidates(Shard& shard) {
  std::vector<Candidate> found;
  for (const auto& session : shard.sessions->all()) {
    const std::size_t held = session->ring().size();
    if (held <= MemoryWatch::kKeepBytes) continue;
    const auto record = session->sessions().find(session->id());
    found.push_back({.attached = !session->viewers().empty(),
                     .last_activity = record ? record->last_activity : WallTime{},
                     .spare = held - MemoryWatch::kKeepBytes,
                     .id = session->id()});
  }
  return found;
}

}  // namespace

std::optional<std::uint64_t> memory_left(const std::filesystem::path& proc,
                                         const std::filesystem::path& groups) {
  std::optional<std::uint64_t> least = value_of(proc / "meminfo", "MemAvailable:");
  if (least) *least *= 1024;
  for (auto group = own_group(proc);; group = group.parent_path()) {
    if (const auto left = left_in(groups / group)) least = std::min(least.value_or(*left), *left);
    if (group.empty()) return least;
  }
}

net::awaitable<void> MemoryWatch::look() {
  if (reserve_ == 0) co_return;
  last_ = left_();
  const bool pressure = last_ && *last_ < reserve_;
  if (pressure != pressure_) {
    pressure_ = pressure;
    if (pressure)
      spdlog::warn("memory.pressure left={} reserve={} what=\"scrollback is given up\"", *last_,
                   reserve_);
    else
      spdlog::info("memory.pressure_over left={} given_up={}", last_.value_or(0), given_up_bytes_);
  }
  std::uint64_t wanted = 0;
  if (pressure) wanted = reserve_ - *last_;
  const std::uint64_t freed = co_await give_up(wanted);
  left_when_refusing_ = last_.value_or(0);
  refusing_ = freed < wanted;
}

net::awaitable<std::uint64_t> MemoryWatch::give_up(std::uint64_t wanted) {
  if (wanted == 0) co_return 0;
  std::vector<Candidate> all;
  for (auto& found : co_await shards_.gather(candidates))
    all.insert(all.end(), found.begin(), found.end());
  std::ranges::sort(all, [](const Candidate& a, const Candidate& b) {
    return std::tie(a.attached, a.last_activity, a.id) <
           std::tie(b.attached, b.last_activity, b.id);
  });
  std::uint64_t freed = 0;
  for (const Candidate& candidate : all) {
    if (freed >= wanted) break;
    const auto keep =
        kKeepBytes + candidate.spare -
        static_cast<std::size_t>(std::min<std::uint64_t>(candidate.spare, wanted - freed));
    // One at a time: each is a turn of its own on its shard.
    auto shrink = [id = candidate.id, keep](Shard& shard) -> std::size_t {
      const auto session = shard.sessions->find(id);
      return session ? session->give_up_scrollback(keep) : 0;
    };
    const std::size_t bytes = co_await shards_.on(shards_.of(candidate.id), std::move(shrink));
    if (bytes == 0) continue;
    freed += bytes;
    ++rings_shrunk_;
  }
  given_up_bytes_ += freed;
  co_return freed;
}

Result<void> MemoryWatch::may_grow() {
  if (!refusing_) return {};
  ++sessions_refused_;
  return Error{Errc::limit_reached,
               "TERMINAL_MEMORY_RESERVE: " + std::to_string(left_when_refusing_) +
                   " bytes of memory are left where " + std::to_string(reserve_) +
                   " are to stay free, and no scrollback is left to give up; end sessions, or try "
                   "again when there is more",
               kLookAgain};
}

MemoryStatus MemoryWatch::status() const {
  return {.left = last_,
          .reserve = reserve_,
          .pressure = pressure_,
          .refusing = refusing_,
          .given_up_bytes = given_up_bytes_,
          .rings_shrunk = rings_shrunk_,
          .sessions_refused = sessions_refused_};
}

nlohmann::json memory_json(const MemoryStatus& status) {
  nlohmann::json json{{"left_bytes", nullptr},
                      {"reserve_bytes", status.reserve},
                      {"pressure", status.pressure},
                      {"refusing", status.refusing},
                      {"given_up_bytes", status.given_up_bytes},
                      {"rings_shrunk", status.rings_shrunk},
                      {"sessions_refused", status.sessions_refused}};
  if (status.left) json["left_bytes"] = *status.left;
  return json;
}

}  // namespace term::server
