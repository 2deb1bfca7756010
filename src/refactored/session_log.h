#pragma once
// What happened in the sessions, newest 20,000 lines.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "session/ports.h"

namespace term::refactored {

/// A bounded log: the oldest lines fall out and are counted.
///
/// Each line has a number for life, so that a line can be found again for as long as it is held.
class SessionLog final {
 public:
  static constexpr std::size_t kMaxEntries = 20'000;

  std::uint64_t add(LogEntry entry);  ///< Returns its number.
  /// The line with that number, unless it fell out. Valid until the next add().
  LogEntry* find(std::uint64_t number);
  std::vector<LogEntry> query(const LogQuery& query) const;
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::deque<LogEntry> entries_;
  std::uint64_t dropped_ = 0;
};

}  // namespace term::refactored
