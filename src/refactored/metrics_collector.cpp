#include "refactored/metrics_collector.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "session/commands.h"

namespace term::refactored {

namespace {
constexpr std::size_t kMaxDetailBytes = 256;
constexpr std::size_t kShortestPattern = 2;
constexpr std::size_t kLongestPattern = 5;
constexpr std::size_t kMaxPendingBytes = 32;
constexpr Millis kOutputLine{1000};  ///< Output within this time shares a log line.
constexpr double kErrorRateWarning = 5;
constexpr double kResponseWarningMs = 100;

/// Keeps the newest half once a list has grown beyond its bound.
template <class T>
void cut(std::deque<T>& list, std::size_t most, std::size_t kept) {
  if (list.size() <= most) return;
  list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(kept));
}

/// At most kMaxDetailBytes, and no UTF-8 sequence cut in two.
std::string_view shortened(std::string_view text) {
  if (text.size() <= kMaxDetailBytes) return text;
  std::size_t end = kMaxDetailBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

double failed_percent(const OperationWindow::Sum& sum) {
  if (sum.operations == 0) return 0;
  return 100.0 * static_cast<double>(sum.failed) / static_cast<double>(sum.operations);
}

std::string rounded(double value) { return std::to_string(std::llround(value)); }

std::string check(const TelemetryRecord& record) {
  if (!std::isfinite(record.cpu_usage) || record.cpu_usage < 0) return "cpuUsage is not a number";
  if (!std::isfinite(record.response_time_ms) || record.response_time_ms < 0) {
    return "responseTime is not a number";
  }
  if (record.commands.pending.size() > kMaxPendingBytes) return "pending is longer than 32 bytes";
  if (record.commands.line.size() > kMaxCommandText) return "line is longer than 1024 bytes";
  return {};
}
}  // namespace

MetricsCollector::MetricsCollector(Clock clock) : clock_(std::move(clock)) {}

MetricsCollector::Watched* MetricsCollector::find(const SessionId& id) {
  const auto held = sessions_.find(id);
  return held == sessions_.end() ? nullptr : &held->second;
}

const MetricsCollector::Watched* MetricsCollector::find(const SessionId& id) const {
  const auto held = sessions_.find(id);
  return held == sessions_.end() ? nullptr : &held->second;
}

MetricsCollector::Watched& MetricsCollector::watch(const SessionId& id, const ProjectId& project,
                                                   std::string_view user) {
  Watched& session = sessions_[id];
  session.origin = std::make_shared<const LogOrigin>(LogOrigin{id, project, std::string(user)});
  return session;
}

std::uint64_t MetricsCollector::log(Watched& session, LogKind kind, std::string content,
                                    std::uint64_t bytes) {
  session.output_line.reset();
  return log_.add({.origin = session.origin,
                   .sequence = session.record.log_position++,
                   .at = clock_(),
                   .bytes = bytes,
                   .content = std::move(content),
                   .kind = kind});
}

Result<void> MetricsCollector::opened(const SessionId& id, const ProjectId& project,
                                      std::string_view user) {
  if (find(id)) return Error{Errc::session_exists, "session " + id + " is watched already"};
  log(watch(id, project, user), LogKind::system, "opened");
  return {};
}

Result<void> MetricsCollector::closed(const SessionId& id) {
  Watched* session = find(id);
  if (!session) return no_such_session(id);
  log(*session, LogKind::system, "closed");
  return release(id);
}

void MetricsCollector::log_output(Watched& session, std::size_t bytes) {
  LogLine* line = session.output_line ? log_.find(*session.output_line) : nullptr;
  if (line && clock_() - line->at < kOutputLine) {
    line->bytes += bytes;
    return;
  }
  session.output_line = log(session, LogKind::output, "output", bytes);
}

void MetricsCollector::output(const SessionId& id, std::size_t bytes) {
  Watched* session = find(id);
  if (!session) return;
  totals_.output_bytes += bytes;
  session->record.output_bytes += bytes;
  if (session->unanswered) {
    const auto took = static_cast<double>((clock_() - *session->unanswered).count());
    double& mean = session->record.response_time_ms;
    // Weighted towards the newest, as no count of samples travels with a session.
    mean = mean == 0 ? took : mean + (took - mean) / 8;
    session->unanswered.reset();
  }
  log_output(*session, bytes);
}

void MetricsCollector::input(const SessionId& id, std::span<const char> bytes, bool echo) {
  Watched* session = find(id);
  if (!session) return;
  totals_.input_bytes += bytes.size();
  session->record.input_bytes += bytes.size();
  if (!session->unanswered) session->unanswered = clock_();
  if (!echo) return hide_command_line(session->record.commands);
  feed_command_line(
      session->record.commands, bytes, clock_(),
      [&](const EnteredCommand& command) { count_command(id, *session, command); }, record_text_);
}

void MetricsCollector::finished(const SessionId& id, int exit_code) {
  Watched* session = find(id);
  if (!session) return;
  const auto end = end_command(session->record.commands, clock_(), exit_code);
  if (!end) return;
  ++totals_.reported_commands;
  if (end->failed) ++totals_.failed_commands;
  log(*session, LogKind::result,
      "exit " + std::to_string(exit_code) + " after " + std::to_string(end->duration.count()) +
          " ms");
  events_.add({.session = id,
               .project = session->origin->project,
               .user = session->origin->user,
               .command = end->command,
               .ended = true,
               .duration = end->duration,
               .failed = end->failed});
}

void MetricsCollector::count_command(const SessionId& id, Watched& session,
                                     const EnteredCommand& command) {
  ++totals_.commands;
  const std::uint64_t line = log(session, LogKind::command, std::string(command.category));
  LogLine* const logged = command.text.empty() ? nullptr : log_.find(line);
  if (logged != nullptr) logged->text = std::make_unique<std::string>(command.text);
  events_.add({.session = id,
               .project = session.origin->project,
               .user = session.origin->user,
               .command = {.sequence = command.sequence,
                           .at = clock_(),
                           .category = std::string(command.category),
                           .text = command.text}});
  learn_pattern(session, command.category);
}

void MetricsCollector::learn_pattern(Watched& session, std::string_view category) {
  session.recent.push_back(category);
  if (session.recent.size() > kLongestPattern) session.recent.erase(session.recent.begin());
  std::string pattern;
  std::size_t length = 0;
  for (auto at = session.recent.rbegin(); at != session.recent.rend(); ++at) {
    pattern = pattern.empty() ? std::string(*at) : std::string(*at) + " > " + pattern;
    if (++length < kShortestPattern) continue;
    if (patterns_.size() < kMaxPatterns || patterns_.contains(pattern)) ++patterns_[pattern];
  }
}

void MetricsCollector::operation(std::string_view /*kind*/, bool ok, Millis took) {
  ++totals_.operations;
  if (!ok) ++totals_.failed_operations;
  totals_.operations_ms += static_cast<double>(took.count());
  window_.add(clock_(), ok, took);
}

void MetricsCollector::count_error_kind(std::string_view kind) {
  std::string name(kind);
  auto& kinds = totals_.errors_by_kind;
  if (!kinds.contains(name) && kinds.size() >= kMaxErrorKinds) name = "other";
  ++kinds[name];
}

void MetricsCollector::error(const SessionId& id, std::string_view kind, std::string_view detail) {
  count_error_kind(kind);
  const std::string text(shortened(detail));
  errors_.push_back({.at = clock_(), .session = id, .kind = std::string(kind), .detail = text});
  cut(errors_, kMaxErrors, kKept);
  std::string content = std::string(kind) + ": " + text;
  if (Watched* session = find(id)) {
    ++session->record.error_count;
    log(*session, LogKind::error, std::move(content));
    return;
  }
  log_.add({.sequence = service_sequence_++,
            .at = clock_(),
            .content = std::move(content),
            .kind = LogKind::error});
}

void MetricsCollector::state_changed(const SessionId& id, SessionState from, SessionState to) {
  Watched* session = find(id);
  if (!session) return;
  log(*session, LogKind::system, std::string(to_string(from)) + " > " + std::string(to_string(to)));
}

void MetricsCollector::sampled(const SessionId& id, double cpu_percent,
                               std::uint64_t memory_bytes) {
  Watched* session = find(id);
  if (!session) return;
  session->record.cpu_usage = std::isfinite(cpu_percent) ? std::max(cpu_percent, 0.0) : 0;
  session->record.memory_usage = memory_bytes;
}

void MetricsCollector::tick() {
  const WallTime now = clock_();
  last_tick_ = now;
  if (history_.empty() || now - history_.back().at >= kInterval) collect(now);
}

void MetricsCollector::collect(WallTime now) {
  const auto recent = window_.sum(now);
  MetricsSnapshot snapshot{.at = now,
                           .sessions = sessions_.size(),
                           .input_bytes = totals_.input_bytes,
                           .output_bytes = totals_.output_bytes,
                           .error_rate_percent = failed_percent(recent),
                           .response_time_ms = recent.mean_ms};
  for (const auto& [id, session] : sessions_) {
    snapshot.cpu_percent += session.record.cpu_usage;
    snapshot.memory_bytes += session.record.memory_usage;
  }
  history_.push_back(snapshot);
  cut(history_, kMaxHistory, kKept);
}

TelemetryTotals MetricsCollector::totals() const {
  TelemetryTotals totals = totals_;
  const auto recent = window_.sum(clock_());
  totals.recent_operations = recent.operations;
  totals.recent_failed = recent.failed;
  totals.response_time_ms = recent.mean_ms;
  totals.responses = recent.operations;
  totals.dropped_commands = events_.dropped();
  return totals;
}

std::vector<LogEntry> MetricsCollector::logs(const LogQuery& query) const {
  return log_.query(query);
}

std::vector<CommandPattern> MetricsCollector::patterns(std::uint64_t min_frequency) const {
  std::vector<CommandPattern> found;
  for (const auto& [pattern, frequency] : patterns_) {
    if (frequency >= min_frequency) found.push_back({pattern, frequency});
  }
  std::ranges::sort(found, [](const CommandPattern& a, const CommandPattern& b) {
    return std::tie(b.frequency, a.pattern) < std::tie(a.frequency, b.pattern);
  });
  return found;
}

Result<CommandStatistics> MetricsCollector::statistics(const SessionId& id) const {
  const Watched* session = find(id);
  if (!session) return no_such_session(id);
  return session->record.commands;
}

Result<TelemetryRecord> MetricsCollector::export_session(const SessionId& id) const {
  const Watched* session = find(id);
  if (!session) return no_such_session(id);
  return session->record;
}

Result<void> MetricsCollector::import_session(const SessionId& id, const ProjectId& project,
                                              const TelemetryRecord& record,
                                              std::string_view user) {
  if (find(id)) return Error{Errc::session_exists, "session " + id + " is watched already"};
  if (const std::string why = check(record); !why.empty()) {
    return Error{Errc::bad_snapshot, "session " + id + ": " + why};
  }
  watch(id, project, user).record = record;
  return {};
}

Result<void> MetricsCollector::release(const SessionId& id) {
  if (sessions_.erase(id) == 0) return no_such_session(id);
  return {};
}

std::string MetricsCollector::warnings() const {
  const auto recent = window_.sum(clock_());
  std::string text;
  if (const double rate = failed_percent(recent); rate > kErrorRateWarning) {
    text += "; warning: " + rounded(rate) + " % of the operations failed within 5 min";
  }
  if (recent.mean_ms > kResponseWarningMs) {
    text += "; warning: operations take " + rounded(recent.mean_ms) + " ms on average";
  }
  if (log_.dropped() > 0) {
    text += "; warning: " + std::to_string(log_.dropped()) + " log lines fell out";
  }
  return text;
}

std::vector<ModuleHealth> MetricsCollector::health() const {
  ModuleHealth line{.module = "MetricsCollector"};
  const Millis silent = last_tick_ ? clock_() - *last_tick_ : Millis{0};
  line.healthy = silent <= 3 * kInterval;
  if (!line.healthy) {
    line.detail = "nothing was collected for " + std::to_string(silent.count() / 1000) + " s";
  } else {
    line.detail = std::to_string(sessions_.size()) + " sessions watched, " +
                  std::to_string(history_.size()) + " collections";
  }
  line.detail += warnings();
  return {line};
}

}  // namespace term::refactored
