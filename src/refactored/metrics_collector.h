#pragma once
// What the refactored engine watches: counters, errors, commands, logs, its own health.

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "refactored/operation_window.h"
#include "refactored/session_log.h"
#include "session/command_queue.h"
#include "session/commands.h"
#include "session/ports.h"

namespace term::refactored {

/// The figures of one collection.
struct MetricsSnapshot {
  WallTime at{};
  std::size_t sessions = 0;
  double cpu_percent = 0;          ///< Sum of the newest samples.
  std::uint64_t memory_bytes = 0;  ///< Sum of the newest samples.
  std::uint64_t input_bytes = 0;   ///< Since the start.
  std::uint64_t output_bytes = 0;  ///< Since the start.
  double error_rate_percent = 0;   ///< Failed operations of the last five minutes.
  double response_time_ms = 0;     ///< Mean of the last five minutes.
};

/// One line of the error log.
struct ErrorEntry {
  WallTime at{};
  SessionId session;
  std::string kind;
  std::string detail;
};

/// TelemetryService: one TelemetryRecord per session, counters of its own for the engine as a
/// whole (a session that leaves takes nothing away from what happened here).
///
/// Every list is bounded: history and error log 1000 cut to 500, log 20,000 lines, 4096 patterns,
/// 64 kinds of error.
class MetricsCollector final : public TelemetryService {
 public:
  static constexpr std::size_t kMaxHistory = 1000;
  static constexpr std::size_t kMaxErrors = 1000;
  static constexpr std::size_t kKept = 500;  ///< What a cut leaves of either.
  static constexpr std::size_t kMaxPatterns = 4096;
  static constexpr std::size_t kMaxErrorKinds = 64;  ///< Further ones count as `other`.
  static constexpr Millis kInterval{10'000};         ///< Between two collections.

  explicit MetricsCollector(Clock clock);

  Result<void> opened(const SessionId& id, const ProjectId& project,
                      std::string_view user = {}) override;
  Result<void> closed(const SessionId& id) override;

  void record_text(bool on) override { record_text_ = on; }
  void finished(const SessionId& id, int exit_code) override;
  std::vector<CommandEvent> take_commands() override { return events_.take(); }

  void output(const SessionId& id, std::size_t bytes) override;
  void input(const SessionId& id, std::span<const char> bytes, bool echo) override;
  void operation(std::string_view kind, bool ok, Millis took) override;
  void error(const SessionId& id, std::string_view kind, std::string_view detail) override;
  void state_changed(const SessionId& id, SessionState from, SessionState to) override;
  void sampled(const SessionId& id, double cpu_percent, std::uint64_t memory_bytes) override;
  void tick() override;

  TelemetryTotals totals() const override;
  std::vector<LogEntry> logs(const LogQuery& query) const override;
  std::vector<CommandPattern> patterns(std::uint64_t min_frequency) const override;
  Result<CommandStatistics> statistics(const SessionId& id) const override;

  Result<TelemetryRecord> export_session(const SessionId& id) const override;
  Result<void> import_session(const SessionId& id, const ProjectId& project,
                              const TelemetryRecord& record, std::string_view user = {}) override;
  Result<void> release(const SessionId& id) override;

  /// One line, `MetricsCollector`: collection is not overdue. High rates are warnings in it.
  std::vector<ModuleHealth> health() const override;

  const std::deque<MetricsSnapshot>& history() const { return history_; }
  const std::deque<ErrorEntry>& errors() const { return errors_; }

 private:
  struct Watched {
    std::shared_ptr<const LogOrigin> origin;
    TelemetryRecord record;
    std::vector<std::string_view> recent;      ///< Newest categories, at most 5.
    std::optional<WallTime> unanswered;        ///< Oldest input not yet followed by output.
    std::optional<std::uint64_t> output_line;  ///< The log line that output is added to.
  };
  Watched* find(const SessionId& id);
  const Watched* find(const SessionId& id) const;
  Watched& watch(const SessionId& id, const ProjectId& project, std::string_view user);
  std::uint64_t log(Watched& session, LogKind kind, std::string content, std::uint64_t bytes = 0);
  void log_output(Watched& session, std::size_t bytes);
  void count_command(const SessionId& id, Watched& session, const EnteredCommand& command);
  void learn_pattern(Watched& session, std::string_view category);
  void count_error_kind(std::string_view kind);
  void collect(WallTime now);
  std::string warnings() const;

  Clock clock_;
  std::unordered_map<SessionId, Watched> sessions_;
  TelemetryTotals totals_;  ///< Sums since the start; the recent figures come from window_.
  OperationWindow window_;
  SessionLog log_;
  CommandQueue events_;
  bool record_text_ = false;
  std::uint64_t service_sequence_ = 0;  ///< Of log lines that concern no session.
  std::map<std::string, std::uint64_t, std::less<>> patterns_;
  std::deque<MetricsSnapshot> history_;
  std::deque<ErrorEntry> errors_;
  std::optional<WallTime> last_tick_;
};

}  // namespace term::refactored
