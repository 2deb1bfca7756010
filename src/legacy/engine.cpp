#include "legacy/engine.h"

#include <algorithm>
#include <thread>

namespace term::legacy {

namespace {
/// Thresholds for this machine and these limits.
MetricsOptions options_for(const SessionLimits& limits) {
  MetricsOptions options;
  options.max_sessions = limits.max_sessions - limits.max_sessions / 10;
  options.max_cpu_percent *= std::max(1U, std::thread::hardware_concurrency());
  return options;
}
}  // namespace

LegacyEngine::LegacyEngine(const Clock& clock, const SessionLimits& session_limits,
                           const StreamLimits& stream_limits)
    : memory_(clock, bus_, session_limits),
      lifecycle_(bus_),
      memory_pool_(bus_),
      orchestrator_(clock, bus_, stream_limits),
      // Asked at each collection, so the figures cannot drift from the states (P-21).
      metrics_(clock, bus_, options_for(session_limits), [this] { return lifecycle_.counts(); }),
      logging_(clock, bus_),
      analytics_(bus_),
      sessions_(memory_, lifecycle_, memory_pool_),
      telemetry_(clock, metrics_, analytics_, logging_) {}

EnginePorts LegacyEngine::ports() {
  return {.sessions = &sessions_, .streams = &orchestrator_, .telemetry = &telemetry_};
}

}  // namespace term::legacy
