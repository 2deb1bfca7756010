#pragma once
// The refactored engine: three services, one owner for each fact.

#include "refactored/metrics_collector.h"
#include "refactored/session_manager.h"
#include "refactored/stream_manager.h"
#include "session/ports.h"

namespace term::refactored {

/// Owns the three services of one shard. They share nothing: each keeps its own share of a
/// session, and no fact is kept twice. Thread: the shard's. Lifetime: as long as the shard.
class RefactoredEngine final {
 public:
  RefactoredEngine(Clock clock, const SessionLimits& session_limits,
                   const StreamLimits& stream_limits);
  RefactoredEngine(const RefactoredEngine&) = delete;
  RefactoredEngine& operator=(const RefactoredEngine&) = delete;

  /// Borrowed: valid as long as the engine.
  EnginePorts ports();

 private:
  SessionManager sessions_;
  StreamManager streams_;
  MetricsCollector metrics_;
};

}  // namespace term::refactored
