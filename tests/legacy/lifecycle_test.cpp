// lifecycle: the state machine agrees with the canonical one, keeps time, and follows memory.

#include "legacy/lifecycle.h"

#include <gtest/gtest.h>

#include "support.h"

namespace term::legacy {
namespace {

using namespace std::chrono_literals;

class LifecycleTest : public testing::Test {
 protected:
  void create(const SessionId& id) {
    const SessionRecord record{.id = id, .created_at = time_.now};
    bus_.session_created.publish({.record = record});
  }
  Lifecycle exported(const SessionId& id) const {
    SessionRecord record;
    lifecycle_.describe(id, record);
    return record.lifecycle;
  }
  bool go(const SessionId& id, LifecycleState to) {
    return lifecycle_.transition_to(id, to, "test", time_.now);
  }

  FakeClock time_;
  EventBus bus_;
  LifecycleModule lifecycle_{bus_};
};

TEST(LifecycleNames, AreOneToOneWithTheCanonicalStates) {
  using enum SessionState;
  for (const SessionState state : {starting, attached, detached, suspended, failed, closed}) {
    EXPECT_EQ(canonical(lifecycle_state(state)), state);
    EXPECT_EQ(canonical(memory_status(state)), state);
  }
}

TEST_F(LifecycleTest, AllowsExactlyTheTransitionsOfTheCanonicalMachine) {
  using enum SessionState;
  for (const SessionState from : {starting, attached, detached, suspended, failed, closed}) {
    for (const SessionState to : {starting, attached, detached, suspended, failed, closed}) {
      SessionRecord record{.id = "s1"};
      record.lifecycle.state = from;
      bus_.session_created.publish({.record = record, .imported = true});
      EXPECT_EQ(go("s1", lifecycle_state(to)), transition_allowed(from, to))
          << to_string(from) << " to " << to_string(to);
    }
  }
}

TEST_F(LifecycleTest, KeepsTheTimeSpentAttachedAndSuspended) {
  create("s1");
  time_.advance(1s);
  ASSERT_TRUE(go("s1", LifecycleState::active));
  time_.advance(10s);
  ASSERT_TRUE(go("s1", LifecycleState::suspended));
  time_.advance(100s);
  ASSERT_TRUE(go("s1", LifecycleState::ready));
  time_.advance(1000s);
  ASSERT_TRUE(go("s1", LifecycleState::active));
  const Lifecycle kept = exported("s1");
  EXPECT_EQ(kept.active_time, Millis{10s});
  EXPECT_EQ(kept.suspended_time, Millis{100s});
  EXPECT_EQ(kept.entered_at, time_.now);
  ASSERT_EQ(kept.transitions.size(), 4u);
  EXPECT_EQ(kept.transitions[0].from, SessionState::starting);
  EXPECT_EQ(kept.transitions[3].to, SessionState::attached);
}

TEST_F(LifecycleTest, TheHistoryIsBoundedAndTheOldestFallOut) {
  create("s1");
  for (std::size_t i = 0; i < kMaxTransitions; ++i) {
    ASSERT_TRUE(go("s1", LifecycleState::active));
    ASSERT_TRUE(go("s1", LifecycleState::ready));
  }
  const Lifecycle kept = exported("s1");
  EXPECT_EQ(kept.transitions.size(), kMaxTransitions);
  EXPECT_EQ(kept.transitions.back().to, SessionState::detached);
  EXPECT_EQ(kept.transitions.front().from, SessionState::detached);
}

TEST_F(LifecycleTest, ARefusedTransitionChangesNothing) {
  create("s1");
  EXPECT_FALSE(go("s1", LifecycleState::suspended));
  EXPECT_FALSE(go("nobody", LifecycleState::active));
  EXPECT_EQ(exported("s1").state, SessionState::starting);
  EXPECT_TRUE(exported("s1").transitions.empty());
}

TEST_F(LifecycleTest, ClosingIsPassedThroughAndTold) {
  std::vector<LifecycleState> told;
  bus_.state_changed.subscribe([&](const StateChanged& event) { told.push_back(event.to); });
  create("s1");
  const SessionId id = "s1";
  bus_.session_closed.publish({.id = id, .reason = "exit"});
  EXPECT_EQ(told, (std::vector{LifecycleState::closing, LifecycleState::closed}));
  EXPECT_EQ(lifecycle_.counts(), SessionCounts{});
}

TEST_F(LifecycleTest, AMovedSessionIsForgottenWithoutClosing) {
  int told = 0;
  bus_.state_changed.subscribe([&](const StateChanged&) { ++told; });
  create("s1");
  const SessionId id = "s1";
  bus_.session_closed.publish({.id = id, .reason = "moved", .moved = true});
  EXPECT_EQ(told, 0);
  EXPECT_EQ(lifecycle_.counts().total, 0u);
}

TEST_F(LifecycleTest, CountsFollowTheStatesThroughEveryPath) {
  for (const char* id : {"a", "b", "c", "d"}) create(id);
  ASSERT_TRUE(go("a", LifecycleState::active));
  ASSERT_TRUE(go("b", LifecycleState::active));
  ASSERT_TRUE(go("b", LifecycleState::suspended));
  ASSERT_TRUE(go("c", LifecycleState::error));
  EXPECT_EQ(lifecycle_.counts(),
            (SessionCounts{.total = 4, .active = 1, .suspended = 1, .error = 1}));
  ASSERT_TRUE(go("a", LifecycleState::closed));
  ASSERT_TRUE(go("d", LifecycleState::closed)) << "it was never active";
  EXPECT_EQ(lifecycle_.counts(),
            (SessionCounts{.total = 2, .active = 0, .suspended = 1, .error = 1}));
}

TEST_F(LifecycleTest, HealthNoticesWhatMemoryKnowsOtherwise) {
  create("s1");
  std::vector<SessionStatus> memory{{"s1", MemoryStatus::connecting}};
  EXPECT_TRUE(lifecycle_.health(memory).healthy);
  memory[0].status = MemoryStatus::active;
  EXPECT_FALSE(lifecycle_.health(memory).healthy);
  memory[0] = {"s2", MemoryStatus::connecting};
  EXPECT_FALSE(lifecycle_.health(memory).healthy);
  EXPECT_FALSE(lifecycle_.health({}).healthy);
}

}  // namespace
}  // namespace term::legacy
