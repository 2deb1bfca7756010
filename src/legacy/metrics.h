#pragma once
// metrics: how much and how well. Bytes, operations, errors, response times, samples, alerts.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "legacy/events.h"
#include "legacy/lifecycle.h"

namespace term::legacy {

/// Intervals, and the thresholds whose crossing is an alert.
struct MetricsOptions {
  Millis collect_interval{30'000};
  Millis alert_interval{15'000};
  std::uint64_t max_memory_bytes = 3ULL << 30;  ///< Of all shells together.
  double max_cpu_percent = 90;                  ///< Of one core; of all shells together.
  std::size_t max_sessions = 9000;
  std::size_t max_errors_per_min = 30;
};

/// The figures of one collection.
struct MetricsSnapshot {
  WallTime at{};
  std::uint64_t memory_bytes = 0;
  double cpu_percent = 0;
  std::size_t watched = 0;  ///< Sessions whose telemetry is here.
  SessionCounts sessions;   ///< Sessions whose registry is here, by state.
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;
  double response_time_ms = 0;
  std::uint64_t errors = 0;
  std::size_t errors_per_min = 0;
};

/// How often each event of the bus was seen.
struct EventCounts {
  std::uint64_t created = 0;
  std::uint64_t imported = 0;
  std::uint64_t status_changed = 0;
  std::uint64_t connected = 0;
  std::uint64_t focus_changed = 0;
  std::uint64_t suspended = 0;
  std::uint64_t closed = 0;
  std::uint64_t moved = 0;
  std::uint64_t state_changed = 0;
};

/// Counts what the telemetry port tells it and what the other modules say by event; collects when
/// ticked, and publishes `metrics:collected` and `alerts:triggered`. Everything it keeps is
/// bounded. Source: reference/origin.md 2.4.
class Metrics final {
 public:
  static constexpr std::size_t kMaxHistory = 100;
  static constexpr std::size_t kMaxErrorWindow = 1000;
  static constexpr std::size_t kMaxErrorTypes = 50;  ///< With `other`, which the rarest goes into.

  /// `counts` is asked at each collection.
  Metrics(Clock clock, EventBus& bus, const MetricsOptions& options,
          std::function<SessionCounts()> counts);
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Begins at what the record says; what it says is not counted again in the totals.
  void start_session(const SessionId& id, const TelemetryRecord& record);
  void end_session(const SessionId& id);

  // Of a session that was not started nothing is counted, but for errors.
  void record_input(const SessionId& id, std::size_t bytes);
  void record_output(const SessionId& id, std::size_t bytes);
  void record_operation(bool ok, Millis took);
  void record_error(const SessionId& id, std::string_view type);
  void record_sample(const SessionId& id, double cpu_percent, std::uint64_t memory_bytes);

  /// Collects and checks for alerts, each when its interval is over.
  void tick();

  /// All but `commands`, which are counted by analytics.
  TelemetryTotals totals() const;
  const std::deque<MetricsSnapshot>& history() const { return history_; }
  const EventCounts& events() const { return events_; }
  /// Names of the alerts that hold at present.
  const std::set<std::string>& alerts() const { return alerts_; }
  std::size_t errors_per_min() const;

  /// Fills in metrics' share of a record.
  void describe(const SessionId& id, TelemetryRecord& record) const;

  /// Collection is not overdue: at most three intervals ago, from the first tick on.
  ModuleHealth health() const;

 private:
  struct SessionMetrics {
    std::uint64_t input_bytes = 0;
    std::uint64_t output_bytes = 0;
    std::uint64_t errors = 0;
    double cpu_percent = 0;
    std::uint64_t memory_bytes = 0;
    double response_time_ms = 0;
    std::optional<WallTime> unanswered;  ///< Oldest input that no output has followed.
  };
  /// Operations of five seconds; those of the last five minutes are summed when asked for.
  struct Bucket {
    std::int64_t number = -1;  ///< Of the bucket since the epoch; -1 = never used.
    std::uint64_t operations = 0;
    std::uint64_t failed = 0;
    Millis took{0};
  };
  static constexpr Millis kBucket{5000};
  static constexpr std::size_t kBuckets = 60;

  SessionMetrics* find(const SessionId& id);
  void count_events(EventBus& bus);
  void make_room_for_error_type();
  void collect(WallTime now);
  void check_alerts(WallTime now);
  Bucket recent() const;

  Clock clock_;
  EventBus& bus_;
  MetricsOptions options_;
  std::function<SessionCounts()> counts_;
  std::unordered_map<SessionId, SessionMetrics> sessions_;
  MetricsSnapshot running_;  ///< Its counters run on; the rest is filled in when collecting.
  std::uint64_t operations_ = 0;
  std::uint64_t failed_operations_ = 0;
  Millis operations_took_{0};
  std::array<Bucket, kBuckets> buckets_{};
  std::map<std::string, std::uint64_t> error_types_;
  std::deque<WallTime> error_window_;
  std::deque<MetricsSnapshot> history_;
  EventCounts events_;
  std::set<std::string> alerts_;
  std::optional<WallTime> collected_at_;
  std::optional<WallTime> checked_at_;
};

}  // namespace term::legacy
