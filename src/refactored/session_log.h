#pragma once
// What happened in the sessions, newest 20,000 lines.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "session/ports.h"

namespace term::refactored {

/// Of whom lines tell; one for all lines of a session.
struct LogOrigin {
  SessionId session;
  ProjectId project;
  std::string user;
};

/// A line as it is kept: thousands are, so what they share is shared.
struct LogLine {
  std::shared_ptr<const LogOrigin> origin;  ///< Null: no session's.
  std::uint64_t sequence = 0;
  WallTime at{};
  std::uint64_t bytes = 0;
  std::string content;
  std::unique_ptr<std::string> text;  ///< Null: empty.
  LogKind kind = LogKind::system;
};

/// A bounded log: the oldest lines fall out and are counted.
///
/// Each line has a number for life, so that a line can be found again for as long as it is held.
class SessionLog final {
 public:
  static constexpr std::size_t kMaxEntries = 20'000;

  std::uint64_t add(LogLine line);  ///< Returns its number.
  /// The line with that number, unless it fell out. Valid until the next add().
  LogLine* find(std::uint64_t number);
  std::vector<LogEntry> query(const LogQuery& query) const;
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::deque<LogLine> lines_;
  std::uint64_t dropped_ = 0;
};

}  // namespace term::refactored
