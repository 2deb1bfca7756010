#pragma once
// The five signals of OPERATIONS.md 3: when one fires, and when it clears. Sans-IO.

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace term::server {

enum class AlertKind : std::uint8_t { cpu, memory, error_rate, session_loss, response_time };
inline constexpr std::array kAlertKinds{AlertKind::cpu, AlertKind::memory, AlertKind::error_rate,
                                        AlertKind::session_loss, AlertKind::response_time};
std::string_view to_string(AlertKind kind);  ///< `cpu`, `memory`, `error_rate`, …

/// What a signal is compared with, in its own unit: percent, bytes, percent, sessions,
/// milliseconds.
using AlertThresholds = std::array<double, kAlertKinds.size()>;
AlertThresholds alert_thresholds(const Config& config);

/// One look at the service.
struct AlertSample {
  WallTime at{};
  double cpu_seconds = 0;  ///< Of the process since its start.
  double cores = 1;        ///< Those that its event loops can keep busy.
  double memory_bytes = 0;
  double error_percent = 0;  ///< Of the last 5 minutes.
  std::uint64_t lost = 0;    ///< Sessions, since the start.
  double response_ms = 0;    ///< Mean of the last 5 minutes.
};

struct AlertState {
  bool raised = false;
  double value = 0;  ///< At the newest sample.
  double threshold = 0;
  WallTime since{};  ///< Of the newest crossing or clearing.
  std::uint64_t times_raised = 0;
};

/// A crossing (`raised`) or a clearing.
struct AlertEvent {
  AlertKind kind{};
  bool raised = false;
  double value = 0;
  double threshold = 0;
  WallTime at{};
};

/// One event when a signal goes beyond its threshold and one when it is back.
///
/// Against flutter it clears only when it has been at 90 % of the threshold or less for 5 samples
/// in a row; CPU, the one figure of an instant, must also be beyond it for 5 in a row to fire. Rate
/// and time are means of five minutes and memory moves slowly, so the first sample beyond counts. A
/// loss counts for five minutes, since a counter alone would never clear.
class Alerts {
 public:
  explicit Alerts(AlertThresholds thresholds);

  /// About once a second. The first sample has no CPU share yet.
  std::vector<AlertEvent> look(const AlertSample& sample);
  const AlertState& state(AlertKind kind) const {
    return states_.at(static_cast<std::size_t>(kind));
  }

 private:
  double cpu_percent(const AlertSample& sample);
  double lost_lately(const AlertSample& sample);

  std::array<AlertState, kAlertKinds.size()> states_;
  std::array<int, kAlertKinds.size()> streaks_{};  ///< Samples in a row that ask for a change.
  struct Loss {
    WallTime at{};
    std::uint64_t sessions = 0;
  };
  std::deque<Loss> losses_;  ///< One a sample at most, of five minutes.
  std::uint64_t lost_before_ = 0;
  WallTime at_before_{};
  double cpu_before_ = 0;
};

/// `error rate 2.1 % > 1 %`, `memory 3.1 GiB > 2 GiB`; with `<=` once it has cleared.
std::string describe(const AlertEvent& event);
/// What an operator should make of it: `rollback recommended`.
std::string_view advice(AlertKind kind);
/// Somebody must act at once; else it is a warning.
bool severe(AlertKind kind);

}  // namespace term::server
