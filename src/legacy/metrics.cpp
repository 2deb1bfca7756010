#include "legacy/metrics.h"

#include <algorithm>
#include <cmath>

namespace term::legacy {

namespace {
constexpr Millis kMinute{60'000};
const std::string kOther = "other";

struct Threshold {
  std::string name;
  double value;
  double limit;
};
}  // namespace

Metrics::Metrics(Clock clock, EventBus& bus, const MetricsOptions& options,
                 std::function<SessionCounts()> counts)
    : clock_(std::move(clock)), bus_(bus), options_(options), counts_(std::move(counts)) {
  count_events(bus);
}

void Metrics::count_events(EventBus& bus) {
  bus.session_created.subscribe([this](const SessionCreated& event) {
    ++(event.imported ? events_.imported : events_.created);
  });
  bus.session_closed.subscribe(
      [this](const SessionClosed& event) { ++(event.moved ? events_.moved : events_.closed); });
  bus.session_status_changed.subscribe(
      [this](const SessionStatusChanged&) { ++events_.status_changed; });
  bus.session_websocket_connected.subscribe(
      [this](const SessionWebSocketConnected&) { ++events_.connected; });
  bus.focus_changed.subscribe([this](const FocusChanged&) { ++events_.focus_changed; });
  bus.session_suspended.subscribe([this](const SessionSuspended&) { ++events_.suspended; });
  bus.state_changed.subscribe([this](const StateChanged&) { ++events_.state_changed; });
}

Metrics::SessionMetrics* Metrics::find(const SessionId& id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

void Metrics::start_session(const SessionId& id, const TelemetryRecord& record) {
  sessions_.insert_or_assign(id, SessionMetrics{.input_bytes = record.input_bytes,
                                                .output_bytes = record.output_bytes,
                                                .errors = record.error_count,
                                                .cpu_percent = record.cpu_usage,
                                                .memory_bytes = record.memory_usage,
                                                .response_time_ms = record.response_time_ms});
}

void Metrics::end_session(const SessionId& id) { sessions_.erase(id); }

void Metrics::record_input(const SessionId& id, std::size_t bytes) {
  SessionMetrics* session = find(id);
  if (session == nullptr) return;
  session->input_bytes += bytes;
  if (!session->unanswered) session->unanswered = clock_();
  running_.bytes_in += bytes;
  ++running_.messages_in;
}

void Metrics::record_output(const SessionId& id, std::size_t bytes) {
  SessionMetrics* session = find(id);
  if (session == nullptr) return;
  session->output_bytes += bytes;
  running_.bytes_out += bytes;
  ++running_.messages_out;
  if (!session->unanswered) return;
  const auto took = static_cast<double>((clock_() - *session->unanswered).count());
  session->unanswered.reset();
  // A sliding mean, since only the mean moves with the session and not how many it stands on.
  double& mean = session->response_time_ms;
  mean = mean == 0 ? took : mean + (took - mean) / 8;
}

void Metrics::record_operation(bool ok, Millis took) {
  ++operations_;
  if (!ok) ++failed_operations_;
  operations_took_ += took;
  const std::int64_t number = clock_().time_since_epoch() / kBucket;
  Bucket& bucket = buckets_.at(static_cast<std::size_t>(number) % kBuckets);
  if (bucket.number != number) bucket = {.number = number};
  ++bucket.operations;
  if (!ok) ++bucket.failed;
  bucket.took += took;
}

void Metrics::record_error(const SessionId& id, std::string_view type) {
  if (SessionMetrics* session = find(id)) ++session->errors;
  ++running_.errors;
  error_window_.push_back(clock_());
  if (error_window_.size() > kMaxErrorWindow) error_window_.pop_front();

  const std::string name(type);
  if (!error_types_.contains(name)) make_room_for_error_type();
  ++error_types_[name];
}

void Metrics::make_room_for_error_type() {
  if (error_types_.size() - error_types_.count(kOther) < kMaxErrorTypes - 1) return;
  const auto rarest = std::ranges::min_element(error_types_, {}, [](const auto& held) {
    return std::pair(held.first == kOther, held.second);
  });
  const std::uint64_t count = rarest->second;
  error_types_.erase(rarest);
  error_types_[kOther] += count;
}

void Metrics::record_sample(const SessionId& id, double cpu_percent, std::uint64_t memory_bytes) {
  SessionMetrics* session = find(id);
  if (session == nullptr) return;
  session->cpu_percent = cpu_percent;
  session->memory_bytes = memory_bytes;
}

void Metrics::tick() {
  const WallTime now = clock_();
  if (!collected_at_ || now - *collected_at_ >= options_.collect_interval) collect(now);
  if (!checked_at_ || now - *checked_at_ >= options_.alert_interval) check_alerts(now);
}

void Metrics::collect(WallTime now) {
  collected_at_ = now;
  MetricsSnapshot snapshot = running_;
  snapshot.at = now;
  snapshot.watched = sessions_.size();
  snapshot.sessions = counts_();
  snapshot.errors_per_min = errors_per_min();
  const Bucket window = recent();
  if (window.operations > 0) {
    snapshot.response_time_ms =
        static_cast<double>(window.took.count()) / static_cast<double>(window.operations);
  }
  for (const auto& [id, session] : sessions_) {
    snapshot.cpu_percent += session.cpu_percent;
    snapshot.memory_bytes += session.memory_bytes;
  }
  history_.push_back(snapshot);
  if (history_.size() > kMaxHistory) history_.pop_front();
  bus_.metrics_collected.publish({.snapshot = history_.back()});
}

void Metrics::check_alerts(WallTime now) {
  checked_at_ = now;
  double cpu = 0;
  double memory = 0;
  for (const auto& [id, session] : sessions_) {
    cpu += session.cpu_percent;
    memory += static_cast<double>(session.memory_bytes);
  }
  const std::array thresholds{
      Threshold{"Memory usage high", memory, static_cast<double>(options_.max_memory_bytes)},
      Threshold{"CPU usage high", cpu, options_.max_cpu_percent},
      Threshold{"Session count high", static_cast<double>(sessions_.size()),
                static_cast<double>(options_.max_sessions)},
      Threshold{"Error rate high", static_cast<double>(errors_per_min()),
                static_cast<double>(options_.max_errors_per_min)}};
  std::vector<std::string> fresh;
  for (const auto& [name, value, limit] : thresholds) {
    if (value <= limit) {
      alerts_.erase(name);
    } else if (alerts_.insert(name).second) {  // Told once, until it is over.
      fresh.push_back(name + ": " + std::to_string(std::llround(value)) + " of " +
                      std::to_string(std::llround(limit)));
    }
  }
  if (!fresh.empty()) bus_.alerts_triggered.publish({.alerts = fresh});
}

std::size_t Metrics::errors_per_min() const {
  const WallTime since = clock_() - kMinute;
  const auto first = std::ranges::upper_bound(error_window_, since);
  return static_cast<std::size_t>(error_window_.end() - first);
}

Metrics::Bucket Metrics::recent() const {
  const std::int64_t now = clock_().time_since_epoch() / kBucket;
  Bucket sum{.number = now};
  for (const Bucket& bucket : buckets_) {
    if (bucket.number < 0 || now - bucket.number >= static_cast<std::int64_t>(kBuckets)) continue;
    sum.operations += bucket.operations;
    sum.failed += bucket.failed;
    sum.took += bucket.took;
  }
  return sum;
}

TelemetryTotals Metrics::totals() const {
  const Bucket window = recent();
  TelemetryTotals totals{.input_bytes = running_.bytes_in,
                         .output_bytes = running_.bytes_out,
                         .operations = operations_,
                         .failed_operations = failed_operations_,
                         .operations_ms = static_cast<double>(operations_took_.count()),
                         .recent_operations = window.operations,
                         .recent_failed = window.failed,
                         .errors_by_kind = error_types_,
                         .responses = window.operations};
  if (window.operations > 0) {
    totals.response_time_ms =
        static_cast<double>(window.took.count()) / static_cast<double>(window.operations);
  }
  return totals;
}

void Metrics::describe(const SessionId& id, TelemetryRecord& record) const {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  const SessionMetrics& session = it->second;
  record.input_bytes = session.input_bytes;
  record.output_bytes = session.output_bytes;
  record.error_count = session.errors;
  record.cpu_usage = session.cpu_percent;
  record.memory_usage = session.memory_bytes;
  record.response_time_ms = session.response_time_ms;
}

ModuleHealth Metrics::health() const {
  const Millis since = collected_at_ ? clock_() - *collected_at_ : Millis{0};
  if (since > 3 * options_.collect_interval) {
    return {.module = "metrics",
            .healthy = false,
            .detail = "nothing was collected for " + std::to_string(since.count() / 1000) + " s"};
  }
  std::string detail = std::to_string(history_.size()) + " collections, " +
                       std::to_string(errors_per_min()) + " errors in the last minute";
  for (const std::string& alert : alerts_) detail += "; alert: " + alert;
  return {.module = "metrics", .detail = std::move(detail)};
}

}  // namespace term::legacy
