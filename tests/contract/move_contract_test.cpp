#include <gmock/gmock.h>

#include "contract/engines.h"

namespace term::contract {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using enum SessionState;

/// Everything that can be exported of one session.
SessionSnapshot export_all(const EnginePorts& from, const SessionId& id) {
  SessionSnapshot snapshot;
  if (auto share = from.sessions->export_session(id)) snapshot.session = *share;
  if (auto share = from.streams->export_session(id)) snapshot.stream = *share;
  if (auto share = from.telemetry->export_session(id)) snapshot.telemetry = *share;
  return snapshot;
}

Result<void> import_all(const EnginePorts& to, const SessionSnapshot& snapshot) {
  const SessionId& id = snapshot.session.id;
  if (auto in = to.sessions->import_session(snapshot.session); !in) return in;
  if (auto in = to.streams->import_session(id, snapshot.stream); !in) return in;
  return to.telemetry->import_session(id, snapshot.session.project_id, snapshot.telemetry);
}

void release_all(const EnginePorts& from, const SessionId& id) {
  EXPECT_TRUE(from.sessions->release(id));
  EXPECT_TRUE(from.streams->release(id));
  EXPECT_TRUE(from.telemetry->release(id));
}

/// The parameter is the engine that gives; the other one takes.
class MoveContract : public EngineTest {
 protected:
  EnginePorts& from() { return box_.ports; }
  EnginePorts& to() { return taker_.ports; }

  /// A session with a past: viewers, input, a size, commands, transitions.
  void make(const SessionId& id, const ProjectId& project, SessionState state) {
    const auto admitted =
        from().sessions->admit({.project = project, .session = id, .total_sessions = 0});
    ASSERT_TRUE(admitted);
    ASSERT_TRUE(from().sessions->create({.id = id,
                                         .project_id = project,
                                         .user_id = "u1",
                                         .mode = "claude",
                                         .tab_name = admitted->tab_name,
                                         .focused = admitted->focused,
                                         .shell = "/bin/sh",
                                         .args = {"-l"},
                                         .current_path = "/tmp",
                                         .environment = {{"A", "1"}},
                                         .window = {.rows = 30, .cols = 90},
                                         .metadata = R"({"k":[1,2]})"}));
    ASSERT_TRUE(from().streams->create(id, {.rows = 30, .cols = 90}, 1000));
    ASSERT_TRUE(from().telemetry->opened(id, project));
    time_.advance(3ms);
    live(id);
    bring_to(id, state);
    time_.advance(5ms);
  }

  /// What happens to a session between its start and a move.
  void live(const SessionId& id) {
    StreamService& streams = *from().streams;
    ASSERT_TRUE(streams.opened(id, 4711));
    streams.output(id, 1000, std::string(500, 'x'), 1100);
    from().telemetry->output(id, 500);
    ASSERT_TRUE(streams.attach(id, {.id = 3,
                                    .client = "tab-a",
                                    .dialect = "native",
                                    .sent = 1200,
                                    .acked = 1150,
                                    .window = 4096,
                                    .acks = true}));
    ASSERT_TRUE(streams.attach(id, {.id = 8,
                                    .client = "tab-b",
                                    .dialect = "raw",
                                    .role = ViewerRole::viewer,
                                    .sent = 1000,
                                    .window = 4096}));
    streams.sent(id, 3, 1300);
    ASSERT_TRUE(streams.acked(id, 3, 1250));
    streams.set_exempt(id, 8, true);
    ASSERT_TRUE(streams.resize(id, 3, {.rows = 40, .cols = 120}));
    ASSERT_TRUE(streams.input(id, 3, 0, 20, 100));
    streams.input_written(id, "tab-a", 12);
    from().telemetry->input(id, std::string("git pull\rls\rmak"), true);
    time_.advance(8ms);
    from().telemetry->output(id, 2);
    from().telemetry->error(id, "resize", "no tty");
    from().telemetry->sampled(id, 1.25, 65536);
    ASSERT_TRUE(from().sessions->set_close_code(id, 1006));
    from().sessions->touch(id);
  }

  void bring_to(const SessionId& id, SessionState state) {
    SessionService& sessions = *from().sessions;
    if (state == starting) return;
    ASSERT_TRUE(sessions.transition(id, attached, "viewer"));
    time_.advance(2s);
    if (state == attached) return;
    if (state != failed && state != closed) {
      ASSERT_TRUE(sessions.transition(id, detached, "1006"));
    }
    time_.advance(1s);
    if (state == detached) return;
    ASSERT_TRUE(sessions.transition(id, state, "test"));
    if (state == suspended) ASSERT_TRUE(from().streams->set_suspended(id, true));
  }

  EngineBox taker_ = make_engine(other(GetParam()), time_.clock());
};

TEST_P(MoveContract, ASessionInAnyStateArrivesAsItLeftAndComesBackAsItWas) {
  for (const SessionState state : {starting, attached, detached, suspended, failed, closed}) {
    const SessionId id = "s-" + std::string(to_string(state));
    make(id, "p1", state);
    const SessionSnapshot left = export_all(from(), id);
    ASSERT_EQ(left.session.status, state);
    auto moved = import_all(to(), left);
    ASSERT_TRUE(moved) << id << ": " << moved.error().detail;
    const SessionSnapshot arrived = export_all(to(), id);
    EXPECT_EQ(arrived.session, left.session) << id;
    EXPECT_EQ(arrived.stream, left.stream) << id;
    EXPECT_EQ(arrived.telemetry, left.telemetry) << id;
    release_all(from(), id);
    EXPECT_FALSE(from().sessions->find(id));
    moved = import_all(from(), arrived);
    ASSERT_TRUE(moved) << id << ": " << moved.error().detail;
    EXPECT_EQ(export_all(from(), id), left) << id;
  }
}

TEST_P(MoveContract, AMovedSessionGoesOnWhereItWas) {
  make("s1", "p1", suspended);
  const SessionSnapshot left = export_all(from(), "s1");
  ASSERT_TRUE(import_all(to(), left));
  release_all(from(), "s1");

  time_.advance(4s);
  EXPECT_FALSE(to().streams->may_write("s1"));
  EXPECT_EQ(*to().sessions->resume("s1"), detached);
  ASSERT_TRUE(to().streams->set_suspended("s1", false));
  EXPECT_TRUE(to().streams->may_write("s1"));
  const auto life = to().sessions->find("s1")->lifecycle;
  EXPECT_EQ(life.suspended_time, 4s + 5ms);
  EXPECT_EQ(life.active_time, left.session.lifecycle.active_time);

  EXPECT_EQ(to().streams->next_delivery("s1", 3, 50).first, 1300U);
  EXPECT_EQ(to().streams->input("s1", 3, 15, 10, 100)->skip, 5U);
  to().telemetry->input("s1", std::string("e\r"), true);
  EXPECT_EQ(to().telemetry->statistics("s1")->by_category.count("build"), 1U)
      << "`mak` was typed there and `e` here";
  const auto logs = to().telemetry->logs({.session = "s1"});
  ASSERT_FALSE(logs.empty());
  EXPECT_EQ(logs.front().sequence, left.telemetry.log_position);
}

TEST_P(MoveContract, ADetachedSessionKeepsItsTimeToLive) {
  make("s1", "p1", detached);
  time_.advance(20min);
  ASSERT_TRUE(import_all(to(), export_all(from(), "s1")));
  time_.advance(9min);
  EXPECT_THAT(to().sessions->expired(), IsEmpty());
  time_.advance(1min);
  EXPECT_THAT(to().sessions->expired(), testing::ElementsAre("s1"));
}

TEST_P(MoveContract, AFullTransitionListIsKeptToTheLastOne) {
  make("s1", "p1", attached);
  for (int i = 0; i < 60; ++i) {
    time_.advance(1ms);
    ASSERT_TRUE(from().sessions->transition("s1", i % 2 == 0 ? detached : attached, "x"));
  }
  const SessionSnapshot left = export_all(from(), "s1");
  EXPECT_EQ(left.session.lifecycle.transitions.size(), kMaxTransitions);
  ASSERT_TRUE(import_all(to(), left));
  EXPECT_EQ(export_all(to(), "s1"), left);
}

TEST_P(MoveContract, AProjectArrivesAsItLeft) {
  box_ = make_engine(GetParam(), time_.clock(), {.max_focused = 2, .max_creations_per_min = 4});
  for (const char* id : {"s1", "s2", "s3", "s4"}) make(id, "p1", attached);
  EXPECT_FALSE(from().sessions->admit({.project = "p1", .session = "s5"}));
  ASSERT_TRUE(from().sessions->focus("p1", "s3", true));
  from().sessions->leave("p1", "s1");
  from().sessions->save_layout("p1", R"({"currentLayout":"1x2"})");
  const auto left = from().sessions->export_project("p1");
  ASSERT_TRUE(left);
  ASSERT_TRUE(left->breaker_until);
  ASSERT_EQ(left->recent_creations.size(), 4U);
  ASSERT_EQ(left->focused, (std::vector<SessionId>{"s2", "s3"}));
  ASSERT_TRUE(to().sessions->import_project(*left));
  EXPECT_EQ(to().sessions->export_project("p1"), left);
  from().sessions->release_project("p1");
  EXPECT_THAT(from().sessions->projects(), IsEmpty());

  EXPECT_EQ(to().sessions->admit({.project = "p1", .session = "s5"}).error().code,
            Errc::breaker_open);
  time_.advance(6min);
  EXPECT_EQ(to().sessions->admit({.project = "p1", .session = "s5"})->tab_name, "Terminal 5");
}

TEST_P(MoveContract, AProjectOfNobodyMoves) {
  make("s1", "", attached);
  const auto left = from().sessions->export_project("");
  if (!left) return;  // An engine need not keep one.
  ASSERT_TRUE(to().sessions->import_project(*left));
  EXPECT_EQ(to().sessions->export_project(""), left);
}

TEST_P(MoveContract, ATakenIdIsRefusedAndChangesNothing) {
  make("s1", "p1", attached);
  const SessionSnapshot there = export_all(from(), "s1");
  SessionSnapshot other = there;
  other.session.tab_name = "other";
  other.stream.next_offset += 5;
  other.telemetry.input_bytes += 5;
  EXPECT_EQ(from().sessions->import_session(other.session).error().code, Errc::session_exists);
  EXPECT_EQ(from().streams->import_session("s1", other.stream).error().code, Errc::session_exists);
  EXPECT_EQ(from().telemetry->import_session("s1", "p1", other.telemetry).error().code,
            Errc::session_exists);
  EXPECT_EQ(export_all(from(), "s1"), there);
  EXPECT_EQ(from().sessions->count(), 1U);
}

TEST_P(MoveContract, ASessionThatContradictsItselfIsRefusedAndLeavesNoTrace) {
  make("s1", "p1", attached);
  const SessionRecord good = export_all(from(), "s1").session;
  std::vector<SessionRecord> bad(6, good);
  bad[0].id = "";
  bad[1].id = "a/b";
  bad[2].lifecycle.state = detached;
  bad[3].lifecycle.transitions.resize(kMaxTransitions + 1);
  bad[4].window = {0, 80};
  bad[5].suspension = Suspension{};
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto refused = to().sessions->import_session(bad[i]);
    ASSERT_FALSE(refused) << i;
    EXPECT_EQ(refused.error().code, Errc::bad_snapshot) << i;
  }
  EXPECT_EQ(to().sessions->count(), 0U);
  EXPECT_FALSE(to().sessions->find("s1"));
  EXPECT_TRUE(to().sessions->import_session(good));
}

TEST_P(MoveContract, AStreamThatContradictsItselfIsRefusedAndLeavesNoTrace) {
  make("s1", "p1", attached);
  const StreamRecord good = export_all(from(), "s1").stream;
  std::vector<StreamRecord> bad(6, good);
  bad[0].first_offset = good.next_offset + 1;
  bad[1].viewers[0].sent = good.next_offset + 1;
  bad[2].viewers[0].acked = bad[2].viewers[0].sent + 1;
  bad[3].input["tab-a"].written = bad[3].input["tab-a"].accepted + 1;
  bad[4].window = {24, 0};
  std::swap(bad[5].viewers[0], bad[5].viewers[1]);
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto refused = to().streams->import_session("s1", bad[i]);
    ASSERT_FALSE(refused) << i;
    EXPECT_EQ(refused.error().code, Errc::bad_snapshot) << i;
    EXPECT_FALSE(to().streams->export_session("s1")) << i;
  }
  EXPECT_TRUE(to().streams->import_session("s1", good));
}

TEST_P(MoveContract, TelemetryThatContradictsItselfIsRefusedAndLeavesNoTrace) {
  make("s1", "p1", attached);
  const TelemetryRecord good = export_all(from(), "s1").telemetry;
  std::vector<TelemetryRecord> bad(3, good);
  bad[0].cpu_usage = std::numeric_limits<double>::quiet_NaN();
  bad[1].response_time_ms = -1;
  bad[2].commands.pending = std::string(33, 'a');
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto refused = to().telemetry->import_session("s1", "p1", bad[i]);
    ASSERT_FALSE(refused) << i;
    EXPECT_EQ(refused.error().code, Errc::bad_snapshot) << i;
    EXPECT_FALSE(to().telemetry->export_session("s1")) << i;
  }
  EXPECT_TRUE(to().telemetry->import_session("s1", "p1", good));
}

TEST_P(MoveContract, AProjectThatContradictsItselfIsRefusedAndLeavesNoTrace) {
  const ProjectRecord good{.id = "p1", .sessions = {"s1", "s2"}, .focused = {"s2"}};
  std::vector<ProjectRecord> bad(4, good);
  bad[0].id = "a b";
  bad[1].focused = {"s3"};
  bad[2].sessions = {"s1", "s1", "s2"};
  bad[3].focused = {"s2", "s2"};
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto refused = to().sessions->import_project(bad[i]);
    ASSERT_FALSE(refused) << i;
    EXPECT_EQ(refused.error().code, Errc::bad_snapshot) << i;
  }
  EXPECT_THAT(to().sessions->projects(), IsEmpty());
  EXPECT_TRUE(to().sessions->import_project(good));
}

TEST_P(MoveContract, AThousandSessionsGoThereAndBackWithoutATrace) {
  for (int i = 0; i < 1000; ++i) {
    make("s" + std::to_string(i), "p" + std::to_string(i % 7), static_cast<SessionState>(i % 5));
  }
  for (int i = 0; i < 1000; ++i) {
    const SessionId id = "s" + std::to_string(i);
    const SessionSnapshot left = export_all(from(), id);
    ASSERT_TRUE(import_all(to(), left)) << id;
    release_all(from(), id);
    ASSERT_EQ(export_all(to(), id), left) << id;
  }
  EXPECT_EQ(from().sessions->count(), 0U);
  EXPECT_EQ(to().sessions->count(), 1000U);
  for (auto* ports : {&from(), &to()}) {
    for (const auto& line : ports->sessions->health()) EXPECT_TRUE(line.healthy) << line.detail;
    for (const auto& line : ports->streams->health()) EXPECT_TRUE(line.healthy) << line.detail;
  }
}

TERM_BOTH_ENGINES(MoveContract);

}  // namespace
}  // namespace term::contract
