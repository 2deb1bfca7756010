#pragma once
// Both engines behind one face.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "legacy/engine.h"
#include "refactored/engine.h"
#include "support/fake_time.h"

namespace term::contract {

/// An engine of either generation and its ports.
struct EngineBox {
  std::shared_ptr<void> engine;
  EnginePorts ports;
};

inline EngineBox make_engine(Engine generation, const Clock& clock,
                             const SessionLimits& sessions = {}, const StreamLimits& streams = {}) {
  if (generation == Engine::legacy) {
    auto engine = std::make_shared<legacy::LegacyEngine>(clock, sessions, streams);
    const EnginePorts ports = engine->ports();
    return {std::move(engine), ports};
  }
  auto engine = std::make_shared<refactored::RefactoredEngine>(clock, sessions, streams);
  const EnginePorts ports = engine->ports();
  return {std::move(engine), ports};
}

inline Engine other(Engine engine) {
  return engine == Engine::legacy ? Engine::refactored : Engine::legacy;
}

inline std::string name_of(const testing::TestParamInfo<Engine>& info) {
  return std::string(to_string(info.param));
}

/// Tests that hold for either engine.
class EngineTest : public testing::TestWithParam<Engine> {
 protected:
  /// Starts afresh, with other limits.
  void restart(const SessionLimits& sessions, const StreamLimits& streams = {}) {
    box_ = make_engine(GetParam(), time_.clock(), sessions, streams);
  }
  SessionService& sessions() { return *box_.ports.sessions; }
  StreamService& streams() { return *box_.ports.streams; }
  TelemetryService& telemetry() { return *box_.ports.telemetry; }

  FakeTime time_;
  EngineBox box_ = make_engine(GetParam(), time_.clock());
};

#define TERM_BOTH_ENGINES(suite)                                                            \
  INSTANTIATE_TEST_SUITE_P(Engines, suite,                                                  \
                           testing::Values(term::Engine::legacy, term::Engine::refactored), \
                           term::contract::name_of)

}  // namespace term::contract
