// The engine as a whole: what goes in comes out, at each port, and its modules stay in step.

#include "legacy/engine.h"

#include <gtest/gtest.h>

#include "support.h"

namespace term::legacy {
namespace {

using namespace std::chrono_literals;

class EngineTest : public testing::Test {
 protected:
  static void expect_healthy(const EnginePorts& ports) {
    for (const auto& health :
         {ports.sessions->health(), ports.streams->health(), ports.telemetry->health()}) {
      for (const ModuleHealth& line : health) {
        EXPECT_TRUE(line.healthy) << line.module << ": " << line.detail;
        EXPECT_FALSE(line.detail.empty()) << line.module;
      }
    }
  }

  FakeClock time_;
  LegacyEngine engine_{time_.clock(), {}, {}};
  EnginePorts ports_ = engine_.ports();
};

TEST_F(EngineTest, NamesItsSevenModulesEachWithACheckOfItsOwn) {
  std::vector<std::string> names;
  for (const auto& health :
       {ports_.sessions->health(), ports_.streams->health(), ports_.telemetry->health()}) {
    for (const ModuleHealth& line : health) names.push_back(line.module);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"memory", "lifecycle", "memory_pool", "orchestrator",
                                             "metrics", "analytics", "logging"}));
}

TEST_F(EngineTest, ANewSessionHasAllItWasGiven) {
  const NewSession fresh = new_session("s1");
  ASSERT_TRUE(ports_.sessions->create(fresh));
  const SessionRecord record = *ports_.sessions->find("s1");
  EXPECT_EQ(record.project_id, fresh.project_id);
  EXPECT_EQ(record.user_id, fresh.user_id);
  EXPECT_EQ(record.shell, fresh.shell);
  EXPECT_EQ(record.args, fresh.args);
  EXPECT_EQ(record.environment, fresh.environment);
  EXPECT_EQ(record.window, fresh.window);
  EXPECT_EQ(record.metadata, fresh.metadata);
  EXPECT_EQ(record.status, SessionState::starting);
  EXPECT_EQ(record.created_at, time_.now);
  EXPECT_EQ(record.lifecycle.entered_at, time_.now);
  EXPECT_TRUE(record.focused);
  expect_healthy(ports_);
}

TEST_F(EngineTest, TheModulesStayInStepThroughAWholeLife) {
  using enum SessionState;
  SessionService& sessions = *ports_.sessions;
  ASSERT_TRUE(sessions.create(new_session("s1")));
  for (const SessionState state : {attached, detached, attached}) {
    time_.advance(1s);
    ASSERT_TRUE(sessions.transition("s1", state, "test"));
    EXPECT_EQ(sessions.find("s1")->status, state);
    EXPECT_EQ(sessions.find("s1")->lifecycle.state, state);
    expect_healthy(ports_);
  }
  ASSERT_TRUE(sessions.suspend("s1"));
  expect_healthy(ports_);
  EXPECT_EQ(*sessions.resume("s1"), attached);
  ASSERT_TRUE(sessions.set_window("s1", {.rows = 10, .cols = 20}));
  ASSERT_TRUE(sessions.set_current_path("s1", "/tmp"));
  ASSERT_TRUE(sessions.set_close_code("s1", 1006));
  EXPECT_EQ(sessions.set_window("s1", {.rows = 0, .cols = 20}).error().code, Errc::bad_argument);
  EXPECT_EQ(sessions.find("s1")->current_path, "/tmp");
  ASSERT_TRUE(sessions.transition("s1", failed, "no shell"));
  expect_healthy(ports_);
  ASSERT_TRUE(sessions.transition("s1", closed, "exit"));
  expect_healthy(ports_);
  EXPECT_EQ(sessions.count(), 0u);
  ASSERT_TRUE(sessions.close("s1", "exit"));
  expect_healthy(ports_);
  EXPECT_EQ(sessions.find("s1").error().code, Errc::no_such_session);
}

TEST_F(EngineTest, EveryStateMovesAsItIsTimesIncluded) {
  using enum SessionState;
  const std::vector<std::vector<SessionState>> lives{
      {}, {attached}, {attached, detached}, {attached, suspended}, {detached, suspended}, {failed}};
  for (const auto& life : lives) {
    const SessionId id =
        "s" + std::to_string(life.size()) + std::to_string(time_.now.time_since_epoch().count());
    ASSERT_TRUE(ports_.sessions->create(new_session(id)));
    for (const SessionState state : life) {
      time_.advance(1234ms);
      ASSERT_TRUE(ports_.sessions->transition(id, state, "on its way"));
    }
    ASSERT_TRUE(ports_.sessions->set_close_code(id, 1001));
    SessionRecord moved = *ports_.sessions->export_session(id);
    moved.layout_position = 4;

    time_.advance(10s);
    LegacyEngine other(time_.clock(), {}, {});
    SessionService& sessions = *other.ports().sessions;
    ASSERT_TRUE(sessions.import_session(moved));
    EXPECT_EQ(*sessions.export_session(id), moved);
    EXPECT_EQ(sessions.import_session(moved).error().code, Errc::session_exists);
    expect_healthy(other.ports());
    ASSERT_TRUE(sessions.release(id));
    EXPECT_EQ(sessions.count(), 0u);
    expect_healthy(other.ports());
  }
}

TEST_F(EngineTest, ListsWholeRecordsOldestFirst) {
  ASSERT_TRUE(ports_.sessions->create(new_session("b")));
  time_.advance(1ms);
  ASSERT_TRUE(ports_.sessions->create(new_session("a")));
  const auto listed = ports_.sessions->list("p1");
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0], *ports_.sessions->find("b"));
  EXPECT_EQ(listed[1].shell, "/bin/bash");
}

TEST_F(EngineTest, TelemetryMovesAsItIs) {
  TelemetryService& telemetry = *ports_.telemetry;
  ASSERT_TRUE(telemetry.opened("s1", "p1"));
  EXPECT_EQ(telemetry.opened("s1", "p1").error().code, Errc::session_exists);
  telemetry.state_changed("s1", SessionState::starting, SessionState::attached);
  telemetry.input("s1", std::string_view("git status\rmake al"), true);
  time_.advance(12ms);
  telemetry.output("s1", 300);
  telemetry.error("s1", "ws", "reset by peer");
  telemetry.sampled("s1", 12.5, 4096);
  const TelemetryRecord moved = *telemetry.export_session("s1");
  EXPECT_EQ(moved.input_bytes, 18u);
  EXPECT_EQ(moved.output_bytes, 300u);
  EXPECT_EQ(moved.error_count, 1u);
  EXPECT_DOUBLE_EQ(moved.response_time_ms, 12);
  EXPECT_EQ(moved.commands.by_category.at("git"), 1u);
  EXPECT_EQ(moved.commands.pending, "make");
  EXPECT_EQ(moved.log_position, 5u) << "opened, state, command, output, error";

  time_.advance(1h);
  LegacyEngine other(time_.clock(), {}, {});
  TelemetryService& next = *other.ports().telemetry;
  ASSERT_TRUE(next.import_session("s1", "p1", moved));
  EXPECT_EQ(*next.export_session("s1"), moved);
  EXPECT_EQ(next.import_session("s1", "p1", moved).error().code, Errc::session_exists);
  next.input("s1", std::string_view("l\r"), true);
  EXPECT_EQ(next.statistics("s1")->by_category.at("build"), 1u) << "the line went on";
  EXPECT_EQ(next.totals().commands, 1u);
  EXPECT_EQ(next.logs({})[0].sequence, 5u);
  EXPECT_EQ(next.logs({})[0].project, "p1");
  expect_healthy(other.ports());

  ASSERT_TRUE(telemetry.release("s1"));
  EXPECT_EQ(telemetry.release("s1").error().code, Errc::no_such_session);
  EXPECT_EQ(telemetry.export_session("s1").error().code, Errc::no_such_session);
  EXPECT_EQ(telemetry.logs({}).size(), 5u) << "what was logged here stays here";
  expect_healthy(ports_);
}

TEST_F(EngineTest, WithoutEchoNothingTypedIsLookedAt) {
  ASSERT_TRUE(ports_.telemetry->opened("s1", "p1"));
  ports_.telemetry->input("s1", std::string_view("hunter2\r"), false);
  EXPECT_EQ(*ports_.telemetry->statistics("s1"), CommandStatistics{.hidden = true});
  EXPECT_EQ(ports_.telemetry->export_session("s1")->input_bytes, 8u);
}

TEST_F(EngineTest, ATelemetryRecordThatCannotBeIsRefused) {
  TelemetryRecord record{.cpu_usage = -1};
  EXPECT_EQ(ports_.telemetry->import_session("s1", "p1", record).error().code, Errc::bad_snapshot);
  record = {.commands = {.pending = std::string(33, 'x')}};
  EXPECT_EQ(ports_.telemetry->import_session("s1", "p1", record).error().code, Errc::bad_snapshot);
  EXPECT_EQ(ports_.telemetry->statistics("s1").error().code, Errc::no_such_session);
}

TEST_F(EngineTest, AnErrorOfNoSessionIsCountedAndLogged) {
  ports_.telemetry->error("", "store", "disk full");
  ports_.telemetry->error("nobody", "store", "disk full");
  EXPECT_EQ(ports_.telemetry->totals().errors_by_kind.at("store"), 2u);
  const auto logged = ports_.telemetry->logs({});
  ASSERT_EQ(logged.size(), 2u);
  EXPECT_EQ(logged[1].sequence, 1u);
  EXPECT_EQ(logged[1].content, "store: disk full");
}

TEST_F(EngineTest, ALogSinkGetsWhatIsLoggedFromThenOn) {
  std::size_t delivered = 0;
  engine_.set_log_sink([&](std::span<const LogEntry> batch) {
    delivered += batch.size();
    return true;
  });
  ASSERT_TRUE(ports_.telemetry->opened("s1", "p1"));
  time_.advance(1s);
  ports_.telemetry->tick();
  EXPECT_EQ(delivered, 1u);
}

TEST_F(EngineTest, ASpawnBreakerThatOpensIsSeenInHealthOfItsModuleAlone) {
  for (int i = 0; i < 5; ++i) ports_.streams->start_result(false);
  EXPECT_FALSE(ports_.streams->health()[0].healthy);
  for (const ModuleHealth& line : ports_.sessions->health()) EXPECT_TRUE(line.healthy);
  for (const ModuleHealth& line : ports_.telemetry->health()) EXPECT_TRUE(line.healthy);
}

}  // namespace
}  // namespace term::legacy
