#pragma once
// Both engines of one shard, port by port. The only folder that sees both.

#include <functional>
#include <memory>

#include "session/ports.h"
#include "session/session.h"

namespace term::adapter {

/// The two engines of a shard. `owner` keeps whatever stands behind the ports alive.
struct Engines {
  std::shared_ptr<void> owner;
  EnginePorts legacy;
  EnginePorts refactored;

  const EnginePorts& of(Engine engine) const {
    return engine == Engine::legacy ? legacy : refactored;
  }
  /// The ports of a session whose books are kept by `owners`.
  EnginePorts of(const Owners& owners) const {
    return {of(owners.sessions).sessions, of(owners.streams).streams,
            of(owners.telemetry).telemetry};
  }
};

/// How a shard gets its engines; tests put decorated ones in that fail on demand.
using EngineFactory =
    std::function<Engines(const Clock&, const SessionLimits&, const StreamLimits&)>;

Engines make_engines(const Clock& clock, const SessionLimits& sessions,
                     const StreamLimits& streams);

/// The same engine at every port.
constexpr Owners all(Engine engine) { return {engine, engine, engine}; }

Engine owner_at(const Owners& owners, Port port);
void set_owner_at(Owners& owners, Port port, Engine engine);
inline constexpr Port kPorts[] = {Port::sessions, Port::streams, Port::telemetry};

}  // namespace term::adapter
