#pragma once
// The legacy engine: seven modules tied together by events, behind the three ports.

#include "legacy/analytics.h"
#include "legacy/events.h"
#include "legacy/lifecycle.h"
#include "legacy/logging.h"
#include "legacy/memory.h"
#include "legacy/memory_pool.h"
#include "legacy/metrics.h"
#include "legacy/orchestrator.h"
#include "legacy/session_port.h"
#include "legacy/telemetry_port.h"
#include "session/ports.h"

namespace term::legacy {

/// Owns the bus, the seven modules and the two ports that are made of three modules each; the
/// orchestrator is the third port by itself. One per shard. Thread: the shard's. Lifetime: as long
/// as the shard; it does not move, since modules listen to each other.
class LegacyEngine final {
 public:
  LegacyEngine(const Clock& clock, const SessionLimits& session_limits,
               const StreamLimits& stream_limits);
  LegacyEngine(const LegacyEngine&) = delete;
  LegacyEngine& operator=(const LegacyEngine&) = delete;

  /// Borrowed: valid as long as the engine.
  EnginePorts ports();

  /// Where logging delivers its batches to, from now on.
  void set_log_sink(LogSink sink) { logging_.set_sink(std::move(sink)); }

 private:
  EventBus bus_;
  Memory memory_;
  LifecycleModule lifecycle_;
  MemoryPool memory_pool_;
  Orchestrator orchestrator_;
  Metrics metrics_;
  Logging logging_;
  Analytics analytics_;
  SessionPort sessions_;
  TelemetryPort telemetry_;
};

}  // namespace term::legacy
