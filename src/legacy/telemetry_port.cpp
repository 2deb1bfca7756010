#include "legacy/telemetry_port.h"

#include <cmath>
#include <utility>

#include "session/commands.h"

namespace term::legacy {

namespace {

constexpr std::size_t kMaxPendingBytes = 32;

Error watched_already(const SessionId& id) {
  return {Errc::session_exists, "session " + id + " is watched already"};
}

bool measured(double value) { return std::isfinite(value) && value >= 0; }

/// Why the record cannot be taken over; empty when it can.
std::string contradiction(const TelemetryRecord& record) {
  if (!measured(record.cpu_usage)) return "cpuUsage is not a measured value";
  if (!measured(record.response_time_ms)) return "responseTime is not a measured value";
  if (record.commands.pending.size() > kMaxPendingBytes) return "pending is longer than 32 bytes";
  if (record.commands.line.size() > kMaxCommandText) return "line is longer than 1024 bytes";
  return {};
}

}  // namespace

TelemetryPort::TelemetryPort(Clock clock, Metrics& metrics, Analytics& analytics, Logging& logging)
    : clock_(std::move(clock)), metrics_(metrics), analytics_(analytics), logging_(logging) {}

Result<void> TelemetryPort::opened(const SessionId& id, const ProjectId& project,
                                   std::string_view user) {
  if (logging_.knows(id)) return watched_already(id);
  metrics_.start_session(id, {});
  analytics_.start_session(id, {});
  logging_.start_session(id, project, 0, user);
  logging_.log(id, LogKind::system, "opened");
  return {};
}

Result<void> TelemetryPort::closed(const SessionId& id) {
  if (!logging_.knows(id)) return no_such_session(id);
  logging_.log(id, LogKind::system, "closed");
  return release(id);
}

Result<void> TelemetryPort::release(const SessionId& id) {
  if (!logging_.knows(id)) return no_such_session(id);
  const SessionId gone = id;  // The caller's may be one of ours.
  metrics_.end_session(gone);
  analytics_.end_session(gone);
  logging_.end_session(gone);
  return {};
}

void TelemetryPort::output(const SessionId& id, std::size_t bytes) {
  if (!logging_.knows(id)) return;
  metrics_.record_output(id, bytes);
  logging_.log_output(id, bytes);
}

void TelemetryPort::input(const SessionId& id, std::span<const char> bytes, bool echo) {
  metrics_.record_input(id, bytes.size());
  CommandStatistics* statistics = analytics_.statistics(id);
  if (statistics == nullptr) return;
  if (!echo) return hide_command_line(*statistics);
  feed_command_line(
      *statistics, bytes, clock_(),
      [&](const EnteredCommand& command) {
        logging_.log(id, LogKind::command, command.category, command.text);
        analytics_.events().add(logging_.sign(id, {.sequence = command.sequence,
                                                   .at = clock_(),
                                                   .category = std::string(command.category),
                                                   .text = command.text}));
      },
      analytics_.records_text());
}

void TelemetryPort::finished(const SessionId& id, int exit_code) {
  CommandStatistics* statistics = analytics_.statistics(id);
  if (statistics == nullptr) return;
  const auto end = end_command(*statistics, clock_(), exit_code);
  if (!end) return;
  analytics_.count_end(end->failed);
  logging_.log(id, LogKind::result,
               "exit " + std::to_string(exit_code) + " after " +
                   std::to_string(end->duration.count()) + " ms");
  CommandEvent event = logging_.sign(id, end->command);
  event.ended = true;
  event.duration = end->duration;
  event.failed = end->failed;
  analytics_.events().add(std::move(event));
}

void TelemetryPort::operation(std::string_view /*kind*/, bool ok, Millis took) {
  metrics_.record_operation(ok, took);
}

void TelemetryPort::error(const SessionId& id, std::string_view kind, std::string_view detail) {
  metrics_.record_error(id, kind);
  const std::string content = std::string(kind) + ": " + std::string(detail);
  logging_.log(logging_.knows(id) ? id : SessionId{}, LogKind::error, content);
}

void TelemetryPort::state_changed(const SessionId& id, SessionState from, SessionState to) {
  if (!logging_.knows(id)) return;
  const std::string content = std::string(to_string(from)) + " > " + std::string(to_string(to));
  logging_.log(id, LogKind::system, content);
}

void TelemetryPort::sampled(const SessionId& id, double cpu_percent, std::uint64_t memory_bytes) {
  metrics_.record_sample(id, measured(cpu_percent) ? cpu_percent : 0, memory_bytes);
}

void TelemetryPort::tick() {
  metrics_.tick();
  logging_.tick();
}

TelemetryTotals TelemetryPort::totals() const {
  TelemetryTotals totals = metrics_.totals();
  const AnalyticsReport report = analytics_.report();
  totals.commands = report.commands;
  totals.reported_commands = report.reported;
  totals.failed_commands = report.failed;
  totals.dropped_commands = analytics_.dropped_events();
  return totals;
}

std::vector<LogEntry> TelemetryPort::logs(const LogQuery& query) const {
  return logging_.session_logs(query);
}

std::vector<CommandPattern> TelemetryPort::patterns(std::uint64_t min_frequency) const {
  return analytics_.patterns(min_frequency);
}

Result<CommandStatistics> TelemetryPort::statistics(const SessionId& id) const {
  const CommandStatistics* statistics = analytics_.statistics(id);
  if (statistics == nullptr) return no_such_session(id);
  return *statistics;
}

Result<TelemetryRecord> TelemetryPort::export_session(const SessionId& id) const {
  if (!logging_.knows(id)) return no_such_session(id);
  TelemetryRecord record;
  metrics_.describe(id, record);
  analytics_.describe(id, record);
  logging_.describe(id, record);
  return record;
}

Result<void> TelemetryPort::import_session(const SessionId& id, const ProjectId& project,
                                           const TelemetryRecord& record, std::string_view user) {
  if (logging_.knows(id)) return watched_already(id);
  if (auto why = contradiction(record); !why.empty()) {
    return Error{Errc::bad_snapshot, "session " + id + ": " + why};
  }
  metrics_.start_session(id, record);
  analytics_.start_session(id, record.commands);
  logging_.start_session(id, project, record.log_position, user);
  return {};
}

std::vector<ModuleHealth> TelemetryPort::health() const {
  return {metrics_.health(), analytics_.health(logging_.commands_recorded()), logging_.health()};
}

}  // namespace term::legacy
