#pragma once
// analytics: what is typed, in kinds. Statistics per session, patterns and peak hours.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "legacy/events.h"
#include "session/command_queue.h"

namespace term::legacy {

/// What all the commands of this engine add up to.
struct AnalyticsReport {
  std::uint64_t commands = 0;
  std::uint64_t reported = 0;  ///< Commands whose end a shell reported.
  std::uint64_t failed = 0;    ///< Out of these.
  std::map<std::string, std::uint64_t, std::less<>> by_category;
  std::vector<std::size_t> peak_hours;  ///< At most three hours of the day (UTC), busiest first.
};

/// Learns of every command from what logging records, so that the two agree (origin's asked the
/// database, and nobody asked it). Sessions move with their statistics; a pattern of commands
/// begins anew in another engine. Source: reference/origin.md 2.5.
class Analytics final {
 public:
  static constexpr std::size_t kShortestPattern = 2;
  static constexpr std::size_t kLongestPattern = 5;
  static constexpr std::size_t kMaxPatterns = 4096;  ///< Then those seen once make room.

  explicit Analytics(EventBus& bus);
  Analytics(const Analytics&) = delete;
  Analytics& operator=(const Analytics&) = delete;

  void start_session(const SessionId& id, const CommandStatistics& statistics);
  void end_session(const SessionId& id);

  /// The session's own; null when unknown. What feed_command_line() works on.
  CommandStatistics* statistics(const SessionId& id);
  const CommandStatistics* statistics(const SessionId& id) const;

  void record_text(bool on) { record_text_ = on; }
  bool records_text() const { return record_text_; }
  void count_end(bool failed);
  CommandQueue& events() { return events_; }
  std::uint64_t dropped_events() const { return events_.dropped(); }

  AnalyticsReport report() const;
  /// As TelemetryService::patterns.
  std::vector<CommandPattern> patterns(std::uint64_t min_frequency) const;
  std::uint64_t patterns_forgotten() const { return patterns_forgotten_; }

  /// Fills in analytics' share of a record.
  void describe(const SessionId& id, TelemetryRecord& record) const;

  /// It knows of as many commands as logging recorded.
  ModuleHealth health(std::uint64_t recorded_by_logging) const;

 private:
  struct SessionAnalytics {
    CommandStatistics statistics;
    std::deque<std::string> recent;  ///< Newest categories, at most kLongestPattern.
  };

  void learn(const LogEntry& entry);
  void count_pattern(const std::string& pattern);
  void make_room();

  std::unordered_map<SessionId, SessionAnalytics> sessions_;
  CommandQueue events_;
  bool record_text_ = false;
  std::uint64_t commands_ = 0;
  std::uint64_t reported_ = 0;
  std::uint64_t failed_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_category_;
  std::array<std::uint64_t, 24> by_hour_{};
  std::unordered_map<std::string, std::uint64_t> patterns_;
  std::uint64_t patterns_forgotten_ = 0;
};

}  // namespace term::legacy
