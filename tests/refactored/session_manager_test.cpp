#include "refactored/session_manager.h"

#include <gmock/gmock.h>

#include "support/fake_time.h"

namespace term::refactored {

/// Breaks what only a bug could break.
class SessionManagerProbe {
 public:
  static void misplace(SessionManager& manager, const SessionId& id, const ProjectId& project) {
    manager.by_project_[project].insert(id);
  }
  static void unindex(SessionManager& manager, const ProjectId& project) {
    manager.by_project_.erase(project);
  }
  static std::size_t indexed_projects(const SessionManager& manager) {
    return manager.by_project_.size();
  }
};

namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SessionManagerTest : public testing::Test {
 protected:
  void create(const SessionId& id, const ProjectId& project = "p1") {
    ASSERT_TRUE(manager_.create({.id = id, .project_id = project}));
  }
  ModuleHealth health() const {
    EXPECT_EQ(manager_.health().size(), 1U);
    return manager_.health().front();
  }

  FakeTime time_;
  SessionManager manager_{time_.clock(), {.max_sessions = 3}};
};

TEST_F(SessionManagerTest, IsHealthyBelowItsLimit) {
  create("s1");
  EXPECT_EQ(health().module, "SessionManager");
  EXPECT_TRUE(health().healthy);
  EXPECT_THAT(health().detail, HasSubstr("1 sessions"));
}

TEST_F(SessionManagerTest, IsHealthyAtItsLimitAndSaysWhenItIsExceeded) {
  for (const char* id : {"s1", "s2", "s3"}) create(id);
  EXPECT_TRUE(health().healthy) << "refusing new ones is no fault";
  create("s4");
  EXPECT_FALSE(health().healthy);
  EXPECT_THAT(health().detail, HasSubstr("MAX_TERMINAL_SESSIONS"));
  ASSERT_TRUE(manager_.close("s2", "done"));
  EXPECT_TRUE(health().healthy);
}

TEST_F(SessionManagerTest, SaysWhenTheIndexNamesASessionOfAnotherProject) {
  create("s1");
  SessionManagerProbe::misplace(manager_, "s1", "p2");
  EXPECT_FALSE(health().healthy);
  EXPECT_THAT(health().detail, HasSubstr("project index"));
}

TEST_F(SessionManagerTest, SaysWhenTheIndexNamesASessionThatIsGone) {
  create("s1");
  SessionManagerProbe::misplace(manager_, "ghost", "p1");
  EXPECT_FALSE(health().healthy);
  EXPECT_EQ(manager_.list("p1").size(), 1U) << "a ghost is not listed";
}

TEST_F(SessionManagerTest, SaysWhenTheIndexLacksASession) {
  create("s1");
  SessionManagerProbe::unindex(manager_, "p1");
  EXPECT_FALSE(health().healthy);
  EXPECT_TRUE(manager_.close("s1", "done")) << "closing works all the same";
  EXPECT_TRUE(health().healthy);
}

TEST_F(SessionManagerTest, TheIndexForgetsProjectsWithoutSessions) {
  create("s1", "p1");
  create("s2", "p2");
  ASSERT_TRUE(manager_.release("s1"));
  EXPECT_EQ(SessionManagerProbe::indexed_projects(manager_), 1U);
}

TEST_F(SessionManagerTest, AnImportBeyondTheLimitIsTakenSinceItIsAlive) {
  for (const char* id : {"s1", "s2", "s3"}) create(id);
  SessionRecord record = *manager_.export_session("s1");
  record.id = "s4";
  EXPECT_TRUE(manager_.import_session(record)) << "limits refuse new sessions, they lose none";
  EXPECT_EQ(manager_.count(), 4U);
}

TEST_F(SessionManagerTest, ASuspendedSessionOfUnknownPastResumesDetached) {
  SessionRecord record{.id = "s1", .status = SessionState::suspended};
  record.lifecycle.state = SessionState::suspended;
  ASSERT_TRUE(manager_.import_session(record));
  EXPECT_EQ(*manager_.export_session("s1"), record);
  time_.advance(24h);
  EXPECT_TRUE(manager_.expired().empty()) << "no time was set for it";
  EXPECT_EQ(*manager_.resume("s1"), SessionState::detached);
}

TEST_F(SessionManagerTest, EachIsOverAtItsOwnTimeWhoeverIsOverBefore) {
  SessionManager manager(time_.clock(), {.detached_ttl = 10s, .suspension_ttl = 5s});
  const auto detach = [&](const char* id) {
    ASSERT_TRUE(manager.create({.id = id, .project_id = "p"}));
    ASSERT_TRUE(manager.transition(id, SessionState::detached, "gone"));
  };
  detach("early");
  time_.advance(2s);
  detach("late");
  EXPECT_THAT(manager.expired(), IsEmpty());
  time_.advance(1s);
  ASSERT_TRUE(manager.suspend("late"));  // Over before the other now.
  time_.advance(5s);
  EXPECT_THAT(manager.expired(), ElementsAre("late"));
  EXPECT_THAT(manager.expired(), ElementsAre("late")) << "until somebody ends it";
  ASSERT_TRUE(manager.resume("late"));
  EXPECT_THAT(manager.expired(), IsEmpty()) << "its time begins anew";
  time_.advance(2s);
  EXPECT_THAT(manager.expired(), ElementsAre("early"));
  time_.advance(8s);
  EXPECT_THAT(manager.expired(), ElementsAre("early", "late"));
}

TEST_F(SessionManagerTest, TimeThatRunsBackwardsIsNotBooked) {
  create("s1");
  ASSERT_TRUE(manager_.transition("s1", SessionState::attached, "viewer"));
  time_.advance(-5s);
  ASSERT_TRUE(manager_.transition("s1", SessionState::detached, "gone"));
  EXPECT_EQ(manager_.find("s1")->lifecycle.active_time, 0ms);
}

TEST_F(SessionManagerTest, WhatDoesNotChangeIsNotAnUpdate) {
  create("s1");
  const auto before = manager_.find("s1")->updated_at;
  time_.advance(1s);
  ASSERT_TRUE(manager_.rename("s1", ""));
  ASSERT_TRUE(manager_.set_focused("s1", false));
  ASSERT_TRUE(manager_.set_window("s1", WindowSize{}));
  EXPECT_EQ(manager_.find("s1")->updated_at, before);
}

}  // namespace
}  // namespace term::refactored
