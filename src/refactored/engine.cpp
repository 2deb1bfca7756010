#include "refactored/engine.h"

#include <utility>

namespace term::refactored {

RefactoredEngine::RefactoredEngine(Clock clock, const SessionLimits& session_limits,
                                   const StreamLimits& stream_limits)
    : sessions_(clock, session_limits),
      streams_(clock, stream_limits),
      metrics_(std::move(clock)) {}

EnginePorts RefactoredEngine::ports() {
  return {.sessions = &sessions_, .streams = &streams_, .telemetry = &metrics_};
}

}  // namespace term::refactored
