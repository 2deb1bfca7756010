#include "adapter/engines.h"

#include "legacy/engine.h"
#include "refactored/engine.h"

namespace term::adapter {

namespace {
struct Both {
  legacy::LegacyEngine legacy;
  refactored::RefactoredEngine refactored;
};
}  // namespace

Engines make_engines(const Clock& clock, const SessionLimits& sessions,
                     const StreamLimits& streams) {
  auto both =
      std::shared_ptr<Both>(new Both{legacy::LegacyEngine(clock, sessions, streams),
                                     refactored::RefactoredEngine(clock, sessions, streams)});
  Engines engines;
  engines.legacy = both->legacy.ports();
  engines.refactored = both->refactored.ports();
  engines.owner = std::move(both);
  return engines;
}

Engine owner_at(const Owners& owners, Port port) {
  switch (port) {
    case Port::sessions:
      return owners.sessions;
    case Port::streams:
      return owners.streams;
    case Port::telemetry:
      return owners.telemetry;
  }
  return owners.sessions;
}

void set_owner_at(Owners& owners, Port port, Engine engine) {
  switch (port) {
    case Port::sessions:
      owners.sessions = engine;
      break;
    case Port::streams:
      owners.streams = engine;
      break;
    case Port::telemetry:
      owners.telemetry = engine;
      break;
  }
}

}  // namespace term::adapter
