#pragma once
// Commands of all shards: the newest in memory, and what they add up to.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "session/ports.h"
#include "store/store.h"

namespace term::server {

/// What the shards hand over, about once a second. Keeps the newest kMaxRows for when there is no
/// store to ask; the oldest fall out. A row whose `duration` is 0 has not been reported to have
/// ended: `failed` means nothing then.
///
/// Thread: any.
class CommandBook {
 public:
  static constexpr std::size_t kMaxRows = 20'000;

  /// Every row, and again when its command has ended, goes to `sink`, too. Before the loops run.
  void forward_to(std::function<void(store::CommandRow)> sink) { sink_ = std::move(sink); }
  void add(std::vector<CommandEvent> events);
  /// As Store::commands.
  std::vector<store::CommandRow> find(const store::CommandQuery& query) const;

 private:
  void keep(store::CommandRow row);

  std::function<void(store::CommandRow)> sink_;
  mutable std::mutex mutex_;
  std::deque<store::CommandRow> rows_;
};

/// Error rates are out of the commands whose end the shell reported, and unknown without any.
struct CommandAnalysis {
  std::uint64_t commands = 0;
  std::uint64_t reported = 0;
  std::uint64_t failed = 0;
  struct Category {
    std::uint64_t commands = 0;
    std::uint64_t reported = 0;
    std::uint64_t failed = 0;
    std::uint64_t total_ms = 0;  ///< Of the reported.
  };
  std::map<std::string, Category> categories;
  std::array<std::uint64_t, 24> by_hour{};  ///< UTC.
  std::vector<std::size_t> peak_hours;      ///< At most three, busiest first.
  std::vector<CommandPattern> sequences;    ///< 2 to 5 categories in a row in one session.
};

/// `rows` in order of time; sequences seen at least `min_frequency` times, the 50 most frequent.
CommandAnalysis analyse(std::span<const store::CommandRow> rows, std::uint64_t min_frequency);

}  // namespace term::server
