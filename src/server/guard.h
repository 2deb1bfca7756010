#pragma once
// The guard (DESIGN.md 7): watches a flip towards refactored for a while, and says when it must be
// taken back. Sans-IO: Monitor feeds it and does what it says.

#include <optional>
#include <string>

#include "adapter/flags.h"
#include "server/alerts.h"

namespace term::server {

/// Counted since the start of the process.
struct GuardFigures {
  std::uint64_t operations = 0;
  std::uint64_t failed = 0;
  double operations_ms = 0;  ///< How long they took together.
  std::uint64_t lost = 0;
};

struct GuardRules {
  double error_percent = 1;
  double response_ms = 500;
  std::uint64_t lost = 0;
  Millis observation{5 * 60 * 1000};
  std::uint64_t min_operations = 20;
};
GuardRules guard_rules(const Config& config);

/// What takes a flip back; nothing for a flip that the guard does not watch. It watches what goes
/// towards refactored for the whole service or a share of it; `before`: the flags before it.
std::optional<adapter::FlagChange> way_back(const adapter::FlagChange& change,
                                            const adapter::Flags& before);

/// One flip at a time. It is taken back at most once, for the first reason that shows; a later
/// flip, or the end of the time, ends the watch.
class Guard {
 public:
  explicit Guard(GuardRules rules) : rules_(rules) {}

  struct Watch {
    std::string flip;  ///< Its id in the journal.
    adapter::FlagChange back;
    WallTime until{};
    GuardFigures before;  ///< When the flip was done; `lost`: before it began.
    GuardFigures now;     ///< Since then.
  };

  void begin(std::string flip, adapter::FlagChange back, WallTime now, const GuardFigures& before);
  void cancel() { watch_.reset(); }
  /// Newest figures; the watch ends when its time is over.
  void look(const GuardFigures& now, WallTime at);
  /// Why the flip must be taken back, with the value; nothing while all is well. Rate and time
  /// count from `min_operations` operations on, and a rate from 3 failures on: one slip is no
  /// trend.
  std::optional<std::string> verdict() const;
  /// The way back, once: the watch is over with it.
  adapter::FlagChange take_back();

  const std::optional<Watch>& watch() const { return watch_; }
  std::uint64_t rollbacks() const { return rollbacks_; }

 private:
  GuardRules rules_;
  std::optional<Watch> watch_;
  std::uint64_t rollbacks_ = 0;
};

}  // namespace term::server
