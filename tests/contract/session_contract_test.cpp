#include <gmock/gmock.h>

#include "contract/engines.h"

namespace term::contract {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using enum SessionState;

class SessionContract : public EngineTest {
 protected:
  void create(const SessionId& id, const ProjectId& project = "p1") {
    auto created = sessions().create({.id = id, .project_id = project, .tab_name = "T"});
    ASSERT_TRUE(created) << created.error().detail;
  }
  void enter(const SessionId& id, SessionState state) {
    auto moved = sessions().transition(id, state, "test");
    ASSERT_TRUE(moved) << moved.error().detail;
  }
  SessionRecord record(const SessionId& id = "s1") {
    auto found = sessions().find(id);
    EXPECT_TRUE(found) << id;
    return found ? *found : SessionRecord{};
  }
  std::vector<SessionId> ids(const std::optional<ProjectId>& project = std::nullopt) {
    std::vector<SessionId> listed;
    for (const auto& one : sessions().list(project)) listed.push_back(one.id);
    return listed;
  }
};

TEST_P(SessionContract, ANewSessionIsStartingAndKeepsWhatItWasGiven) {
  const NewSession fresh{.id = "s1",
                         .project_id = "p1",
                         .user_id = "u1",
                         .type = "claude",
                         .mode = "claude",
                         .tab_name = "Terminal 4",
                         .focused = true,
                         .shell = "/bin/bash",
                         .args = {"-l"},
                         .current_path = "/tmp",
                         .environment = {{"A", "1"}},
                         .window = {.rows = 30, .cols = 100},
                         .metadata = R"({"x":1})"};
  ASSERT_TRUE(sessions().create(fresh));
  SessionRecord expected{.id = "s1",
                         .project_id = "p1",
                         .user_id = "u1",
                         .type = "claude",
                         .mode = "claude",
                         .tab_name = "Terminal 4",
                         .status = starting,
                         .focused = true,
                         .created_at = time_.now(),
                         .updated_at = time_.now(),
                         .last_activity = time_.now(),
                         .shell = "/bin/bash",
                         .args = {"-l"},
                         .current_path = "/tmp",
                         .environment = {{"A", "1"}},
                         .window = {.rows = 30, .cols = 100},
                         .metadata = R"({"x":1})"};
  expected.lifecycle.entered_at = time_.now();
  EXPECT_EQ(record(), expected);
}

TEST_P(SessionContract, ATakenIdIsRefusedAndChangesNothing) {
  create("s1");
  const auto before = record();
  time_.advance(1s);
  const auto again = sessions().create({.id = "s1", .tab_name = "other"});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::session_exists);
  EXPECT_THAT(again.error().detail, HasSubstr("s1"));
  EXPECT_EQ(record(), before);
  EXPECT_EQ(sessions().count(), 1U);
}

TEST_P(SessionContract, AnUnknownIdIsNamedByEveryCall) {
  const auto expect_unknown = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::no_such_session);
    EXPECT_THAT(result.error().detail, HasSubstr("nobody"));
  };
  expect_unknown(sessions().find("nobody"));
  expect_unknown(sessions().transition("nobody", attached, "x"));
  expect_unknown(sessions().suspend("nobody"));
  expect_unknown(sessions().resume("nobody"));
  expect_unknown(sessions().set_focused("nobody", true));
  expect_unknown(sessions().rename("nobody", "x"));
  expect_unknown(sessions().set_window("nobody", {}));
  expect_unknown(sessions().set_current_path("nobody", "/"));
  expect_unknown(sessions().set_close_code("nobody", 1000));
  expect_unknown(sessions().close("nobody", "x"));
  expect_unknown(sessions().export_session("nobody"));
  expect_unknown(sessions().release("nobody"));
  expect_unknown(sessions().focus("p1", "nobody", true));
  sessions().touch("nobody");
  EXPECT_EQ(sessions().count(), 0U);
}

TEST_P(SessionContract, ListsAreOldestFirstAndByProject) {
  create("s3", "p1");
  time_.advance(1ms);
  create("s1", "p2");
  time_.advance(1ms);
  create("s2", "p1");
  EXPECT_THAT(ids(), ElementsAre("s3", "s1", "s2"));
  EXPECT_THAT(ids("p1"), ElementsAre("s3", "s2"));
  EXPECT_THAT(ids("p3"), IsEmpty());
  EXPECT_EQ(sessions().count(), 3U);
}

TEST_P(SessionContract, AClosedSessionIsListedNoMoreAndForgottenByClose) {
  create("s1");
  create("s2");
  enter("s1", closed);
  EXPECT_THAT(ids(), ElementsAre("s2"));
  EXPECT_THAT(ids("p1"), ElementsAre("s2"));
  ASSERT_TRUE(sessions().close("s2", "done"));
  EXPECT_THAT(ids(), IsEmpty());
  EXPECT_FALSE(sessions().find("s2"));
  EXPECT_EQ(sessions().close("s2", "done").error().code, Errc::no_such_session);
}

TEST_P(SessionContract, AnIdIsFreeAgainAtOnceAfterClose) {
  create("s1");
  ASSERT_TRUE(sessions().close("s1", "done"));
  create("s1");
  time_.advance(1h);
  EXPECT_EQ(record().status, starting) << "nothing delayed may hit the new session";
}

/// A fresh session brought into a state by allowed steps.
std::vector<SessionState> way_to(SessionState state) {
  switch (state) {
    case starting:
      return {};
    case suspended:
      return {attached, suspended};
    default:
      return {state};
  }
}

TEST_P(SessionContract, ExactlyTheTransitionsOfTheDesignAreAllowed) {
  const std::vector<SessionState> all{starting, attached, detached, suspended, failed, closed};
  for (const SessionState from : all) {
    for (const SessionState to : all) {
      restart({});
      create("s1");
      for (const SessionState step : way_to(from)) enter("s1", step);
      const auto before = record();
      time_.advance(5ms);
      const auto moved = sessions().transition("s1", to, "why");
      if (from == to) {
        EXPECT_TRUE(moved) << to_string(from);
        EXPECT_EQ(record(), before) << "the same state again changes nothing";
      } else if (transition_allowed(from, to)) {
        EXPECT_TRUE(moved) << to_string(from) << " to " << to_string(to);
        EXPECT_EQ(record().status, to);
        EXPECT_EQ(record().lifecycle.state, to);
      } else {
        ASSERT_FALSE(moved) << to_string(from) << " to " << to_string(to);
        EXPECT_EQ(moved.error().code, Errc::bad_transition);
        EXPECT_THAT(moved.error().detail, HasSubstr(std::string(to_string(from))));
        EXPECT_THAT(moved.error().detail, HasSubstr(std::string(to_string(to))));
        EXPECT_EQ(record(), before) << to_string(from) << " to " << to_string(to);
      }
    }
  }
}

TEST_P(SessionContract, TimeIsBookedToTheStateThatEnds) {
  create("s1");
  time_.advance(10ms);
  enter("s1", attached);
  time_.advance(200ms);
  ASSERT_TRUE(sessions().suspend("s1"));
  EXPECT_EQ(record().lifecycle.active_time, 200ms);
  EXPECT_EQ(record().lifecycle.suspended_time, 0ms);
  time_.advance(3000ms);
  ASSERT_TRUE(sessions().resume("s1"));
  time_.advance(70ms);
  enter("s1", detached);
  time_.advance(1h);
  enter("s1", attached);

  const Lifecycle life = record().lifecycle;
  EXPECT_EQ(life.active_time, 270ms);
  EXPECT_EQ(life.suspended_time, 3000ms);
  EXPECT_EQ(life.entered_at, time_.now());
  EXPECT_EQ(record().updated_at, time_.now());
  ASSERT_EQ(life.transitions.size(), 5U);
  EXPECT_EQ(life.transitions[0].from, starting);
  EXPECT_EQ(life.transitions[0].to, attached);
  EXPECT_EQ(life.transitions[0].reason, "test");
  EXPECT_EQ(life.transitions[4], (LifecycleTransition{detached, attached, time_.now(), "test"}));
}

TEST_P(SessionContract, OnlyTheNewestTransitionsAreKept) {
  create("s1");
  for (int i = 0; i < 50; ++i) {
    time_.advance(1ms);
    ASSERT_TRUE(sessions().transition("s1", i % 2 == 0 ? attached : detached, std::to_string(i)));
  }
  const auto transitions = record().lifecycle.transitions;
  ASSERT_EQ(transitions.size(), kMaxTransitions);
  EXPECT_EQ(transitions.back().reason, "49");
  EXPECT_EQ(transitions.front().reason, "18");
}

TEST_P(SessionContract, OnlyADetachedSessionExpires) {
  restart({.detached_ttl = 1min, .suspension_ttl = 10min});
  for (const char* id : {"a", "d", "s", "f", "x"}) create(id);
  enter("a", attached);
  enter("d", detached);
  enter("f", failed);
  EXPECT_EQ(record("d").disconnect.keep_alive_until, time_.now() + 1min);
  time_.advance(59'999ms);
  EXPECT_THAT(sessions().expired(), IsEmpty());
  time_.advance(1ms);
  EXPECT_THAT(sessions().expired(), ElementsAre("d"));
  time_.advance(24h);
  EXPECT_THAT(sessions().expired(), ElementsAre("d")) << "neither attached nor starting nor failed";
  EXPECT_TRUE(sessions().find("d")) << "expired() only names them";
}

TEST_P(SessionContract, LeavingDetachedEndsItsTimeToLive) {
  restart({.detached_ttl = 1min});
  create("s1");
  enter("s1", detached);
  time_.advance(59s);
  enter("s1", attached);
  EXPECT_EQ(record().disconnect.keep_alive_until, std::nullopt);
  time_.advance(1h);
  EXPECT_THAT(sessions().expired(), IsEmpty());
  enter("s1", detached);
  time_.advance(59s);
  EXPECT_THAT(sessions().expired(), IsEmpty()) << "it starts anew";
  time_.advance(1s);
  EXPECT_THAT(sessions().expired(), ElementsAre("s1"));
}

TEST_P(SessionContract, ATimeToLiveOfZeroMeansNever) {
  restart({.detached_ttl = 0ms});
  create("s1");
  enter("s1", detached);
  EXPECT_EQ(record().disconnect.keep_alive_until, std::nullopt);
  time_.advance(24h * 365);
  EXPECT_THAT(sessions().expired(), IsEmpty());
}

TEST_P(SessionContract, ASuspendedSessionExpiresByItsOwnTime) {
  restart({.detached_ttl = 1min, .suspension_ttl = 10min});
  create("s1");
  enter("s1", detached);
  ASSERT_TRUE(sessions().suspend("s1"));
  EXPECT_EQ(record().suspension, (Suspension{time_.now(), time_.now() + 10min, detached}));
  EXPECT_EQ(record().disconnect.keep_alive_until, std::nullopt);
  time_.advance(10min - 1ms);
  EXPECT_THAT(sessions().expired(), IsEmpty()) << "the detached time to live does not count";
  time_.advance(1ms);
  EXPECT_THAT(sessions().expired(), ElementsAre("s1"));
}

TEST_P(SessionContract, ResumeReturnsToWhereTheSessionWas) {
  restart({.detached_ttl = 1min});
  for (const SessionState before : {attached, detached}) {
    const SessionId id(to_string(before));
    create(id);
    enter(id, before);
    ASSERT_TRUE(sessions().suspend(id));
    EXPECT_EQ(record(id).status, suspended);
    EXPECT_TRUE(sessions().suspend(id)) << "suspending twice changes nothing";
    time_.advance(5s);
    const auto resumed = sessions().resume(id);
    ASSERT_TRUE(resumed);
    EXPECT_EQ(*resumed, before);
    EXPECT_EQ(record(id).status, before);
    EXPECT_EQ(record(id).suspension, std::nullopt);
    const auto again = sessions().resume(id);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, before) << "a session that is not suspended stays as it is";
  }
  EXPECT_EQ(record("detached").disconnect.keep_alive_until, time_.now() + 1min);
}

TEST_P(SessionContract, ASessionThatIsNotThereYetCannotBeSuspended) {
  create("s1");
  const auto refused = sessions().suspend("s1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_transition);
  EXPECT_EQ(*sessions().resume("s1"), starting);
}

TEST_P(SessionContract, ChangesAreKeptAndDated) {
  create("s1");
  time_.advance(1s);
  ASSERT_TRUE(sessions().set_focused("s1", true));
  ASSERT_TRUE(sessions().rename("s1", "build"));
  ASSERT_TRUE(sessions().set_window("s1", {.rows = 50, .cols = 132}));
  ASSERT_TRUE(sessions().set_current_path("s1", "/var"));
  ASSERT_TRUE(sessions().set_close_code("s1", 1006));
  const auto changed = record();
  EXPECT_TRUE(changed.focused);
  EXPECT_EQ(changed.tab_name, "build");
  EXPECT_EQ(changed.window, (WindowSize{.rows = 50, .cols = 132}));
  EXPECT_EQ(changed.current_path, "/var");
  EXPECT_EQ(changed.disconnect.last_close_code, 1006);
  EXPECT_EQ(changed.updated_at, time_.now());
}

TEST_P(SessionContract, AWindowOutsideItsLimitsIsRefused) {
  create("s1");
  for (const WindowSize size : {WindowSize{0, 80}, WindowSize{24, 0}, WindowSize{1001, 80}}) {
    const auto refused = sessions().set_window("s1", size);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::bad_argument);
  }
  EXPECT_EQ(record().window, WindowSize{});
}

TEST_P(SessionContract, TouchMovesTheLastActivity) {
  create("s1");
  time_.advance(7s);
  sessions().touch("s1");
  EXPECT_EQ(record().last_activity, time_.now());
}

TEST_P(SessionContract, CountersFollowTheStatesWhateverHappens) {
  for (int i = 0; i < 20; ++i) {
    const SessionId id = "s" + std::to_string(i);
    create(id);
    enter(id, attached);
    if (i % 2 == 0) ASSERT_TRUE(sessions().suspend(id));
    if (i % 4 == 0) ASSERT_TRUE(sessions().resume(id));
    if (i % 5 == 0) ASSERT_TRUE(sessions().close(id, "x"));
  }
  EXPECT_EQ(sessions().count(), 16U);
  EXPECT_EQ(sessions().list(std::nullopt).size(), 16U);
  for (const auto& line : sessions().health()) EXPECT_TRUE(line.healthy) << line.module;
}

TERM_BOTH_ENGINES(SessionContract);

}  // namespace
}  // namespace term::contract
