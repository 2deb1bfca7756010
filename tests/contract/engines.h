#pragma once
// Both engines behind one face, and a clock that the tests move.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "legacy/engine.h"
#include "refactored/engine.h"

namespace term::contract {

/// Time that stands still until somebody moves it. Lives on the heap, so clocks may outlive copies.
class FakeTime {
 public:
  Clock clock() const {
    return [now = now_] { return *now; };
  }
  WallTime now() const { return *now_; }
  void advance(Millis by) { *now_ += by; }

 private:
  std::shared_ptr<WallTime> now_ =
      std::make_shared<WallTime>(WallTime{Millis{1'795'341'600'000}});  // 2026-11-22, 10 o'clock.
};

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
