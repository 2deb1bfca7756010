#include "server/alerts.h"

#include <fmt/format.h>

namespace term::server {

namespace {

constexpr Millis kWindow{5 * 60 * 1000};
constexpr int kInARow = 5;
constexpr double kClearedShare = 0.9;

int samples_to_raise(AlertKind kind) { return kind == AlertKind::cpu ? kInARow : 1; }

std::string_view title(AlertKind kind) {
  switch (kind) {
    case AlertKind::cpu:
      return "CPU";
    case AlertKind::memory:
      return "memory";
    case AlertKind::error_rate:
      return "error rate";
    case AlertKind::session_loss:
      return "session loss";
    case AlertKind::response_time:
      return "response time";
  }
  return "alert";
}

std::string amount(AlertKind kind, double value) {
  switch (kind) {
    case AlertKind::cpu:
    case AlertKind::error_rate:
      return fmt::format("{:.3g} %", value);
    case AlertKind::memory:
      return fmt::format("{:.3g} GiB", value / (1024.0 * 1024 * 1024));
    case AlertKind::session_loss:
      return fmt::format("{:.0f}", value);
    case AlertKind::response_time:
      return fmt::format("{:.4g} ms", value);
  }
  return {};
}

}  // namespace

std::string_view to_string(AlertKind kind) {
  constexpr std::array kNames{"cpu", "memory", "error_rate", "session_loss", "response_time"};
  return kNames.at(static_cast<std::size_t>(kind));
}

AlertThresholds alert_thresholds(const Config& config) {
  return {config.alert_cpu_percent, static_cast<double>(config.alert_memory_bytes),
          config.alert_error_percent, static_cast<double>(config.alert_session_loss),
          static_cast<double>(config.alert_response_time.count())};
}

Alerts::Alerts(AlertThresholds thresholds) {
  for (std::size_t i = 0; i < thresholds.size(); ++i) states_.at(i).threshold = thresholds.at(i);
}

double Alerts::cpu_percent(const AlertSample& sample) {
  const auto seconds = static_cast<double>((sample.at - at_before_).count()) / 1000;
  const bool first = at_before_ == WallTime{};
  const double used = sample.cpu_seconds - cpu_before_;
  at_before_ = sample.at;
  cpu_before_ = sample.cpu_seconds;
  if (first || seconds <= 0 || sample.cores <= 0) return 0;
  return 100 * used / seconds / sample.cores;
}

double Alerts::lost_lately(const AlertSample& sample) {
  if (sample.lost > lost_before_) losses_.push_back({sample.at, sample.lost - lost_before_});
  lost_before_ = sample.lost;
  while (!losses_.empty() && sample.at - losses_.front().at > kWindow) losses_.pop_front();
  double lost = 0;
  for (const Loss& loss : losses_) lost += static_cast<double>(loss.sessions);
  return lost;
}

std::vector<AlertEvent> Alerts::look(const AlertSample& sample) {
  const AlertThresholds values{cpu_percent(sample), sample.memory_bytes, sample.error_percent,
                               lost_lately(sample), sample.response_ms};
  std::vector<AlertEvent> events;
  for (const AlertKind kind : kAlertKinds) {
    const auto i = static_cast<std::size_t>(kind);
    AlertState& state = states_.at(i);
    state.value = values.at(i);
    const bool wants_change = state.raised ? state.value <= kClearedShare * state.threshold
                                           : state.value > state.threshold;
    int& streak = streaks_.at(i);
    streak = wants_change ? streak + 1 : 0;
    if (streak < (state.raised ? kInARow : samples_to_raise(kind))) continue;
    streak = 0;
    state.raised = !state.raised;
    state.since = sample.at;
    state.times_raised += state.raised ? 1 : 0;
    events.push_back({kind, state.raised, state.value, state.threshold, sample.at});
  }
  return events;
}

std::string describe(const AlertEvent& event) {
  return fmt::format("{} {} {} {}", title(event.kind), amount(event.kind, event.value),
                     event.raised ? ">" : "<=", amount(event.kind, event.threshold));
}

std::string_view advice(AlertKind kind) {
  switch (kind) {
    case AlertKind::cpu:
      return "look for a session that floods, or add shards";
    case AlertKind::memory:
      return "a leak is suspected";
    case AlertKind::error_rate:
      return "rollback recommended";
    case AlertKind::session_loss:
      return "critical: roll back immediately";
    case AlertKind::response_time:
      return "the service is degraded";
  }
  return {};
}

bool severe(AlertKind kind) {
  return kind == AlertKind::error_rate || kind == AlertKind::session_loss;
}

}  // namespace term::server
