// memory: statuses and what belongs to them, limits that refuse, focus, and its own check.

#include "legacy/memory.h"

#include <gtest/gtest.h>

#include "support.h"

namespace term::legacy {

/// Reaches into the index, to see health() notice.
class MemoryProbe {
 public:
  static void lose_from_index(Memory& memory, const ProjectId& project) {
    memory.project_sessions_.erase(project);
  }
  static void list_stranger(Memory& memory, const ProjectId& project, const SessionId& id) {
    memory.project_sessions_[project].push_back(id);
  }
  static void focus_stranger(Memory& memory, const ProjectId& project, const SessionId& id) {
    memory.projects_[project].focused.push_back(id);
  }
};

namespace {

using namespace std::chrono_literals;

class MemoryTest : public testing::Test {
 protected:
  Result<Admission> admit(const SessionId& id, const ProjectId& project = "p1",
                          std::size_t total = 0) {
    return memory_.admit({.project = project, .session = id, .total_sessions = total});
  }

  FakeClock time_;
  EventBus bus_;
  SessionLimits limits_{.max_sessions = 5,
                        .max_per_project = 4,
                        .max_focused = 2,
                        .max_creations_per_min = 3,
                        .breaker_reset = 300s,
                        .detached_ttl = 30min,
                        .suspension_ttl = 20min};
  Memory memory_{time_.clock(), bus_, limits_};
};

TEST_F(MemoryTest, ANewSessionIsConnectingAndToldOfOnce) {
  std::vector<SessionId> told;
  bus_.session_created.subscribe([&](const SessionCreated& event) {
    EXPECT_FALSE(event.imported);
    EXPECT_EQ(event.record.shell, "/bin/bash");
    told.push_back(event.record.id);
  });
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  EXPECT_EQ(memory_.create_session(new_session("s1")).error().code, Errc::session_exists);
  EXPECT_EQ(told, std::vector<SessionId>{"s1"});
  const MemorySession* session = memory_.get_session("s1");
  EXPECT_EQ(session->status, MemoryStatus::connecting);
  EXPECT_TRUE(session->active());
  EXPECT_FALSE(session->ws_connected());
}

TEST_F(MemoryTest, ListsOldestFirstAndNeverAClosedOne) {
  for (const char* id : {"c", "a", "b"}) {
    ASSERT_TRUE(memory_.create_session(new_session(id, id[0] == 'b' ? "p2" : "p1")));
    time_.advance(1ms);
  }
  EXPECT_EQ(memory_.list_sessions(std::nullopt), (std::vector<SessionId>{"c", "a", "b"}));
  EXPECT_EQ(memory_.list_sessions("p1"), (std::vector<SessionId>{"c", "a"}));
  EXPECT_TRUE(memory_.list_sessions("p3").empty());
  ASSERT_TRUE(memory_.update_status("a", MemoryStatus::closed, "exit"));
  EXPECT_EQ(memory_.list_sessions("p1"), std::vector<SessionId>{"c"});
  EXPECT_EQ(memory_.count(), 2u);
}

TEST_F(MemoryTest, ATransitionThatDoesNotExistIsRefusedWithBothNames) {
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  const auto refused = memory_.update_status("s1", MemoryStatus::suspended, "why not");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_transition);
  EXPECT_NE(refused.error().detail.find("starting"), std::string::npos);
  EXPECT_NE(refused.error().detail.find("suspended"), std::string::npos);
  EXPECT_EQ(memory_.get_session("s1")->status, MemoryStatus::connecting);
}

TEST_F(MemoryTest, TheTimeToLiveBeginsWithDetachingAndEndsWithAttaching) {
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  ASSERT_TRUE(memory_.update_status("s1", MemoryStatus::active, "attached"));
  time_.advance(100h);
  EXPECT_TRUE(memory_.expired_sessions().empty()) << "an attached session never expires";

  ASSERT_TRUE(memory_.update_status("s1", MemoryStatus::inactive, "lost"));
  time_.advance(30min - 1ms);
  memory_.update_activity("s1");  // Output of a shell nobody watches does not keep it.
  EXPECT_TRUE(memory_.expired_sessions().empty());
  time_.advance(1ms);
  EXPECT_EQ(memory_.expired_sessions(), std::vector<SessionId>{"s1"});

  ASSERT_TRUE(memory_.update_status("s1", MemoryStatus::active, "back"));
  EXPECT_TRUE(memory_.expired_sessions().empty());
  EXPECT_FALSE(memory_.get_session("s1")->disconnect.keep_alive_until);
}

TEST_F(MemoryTest, NoTimeToLiveMeansNever) {
  limits_.detached_ttl = 0ms;
  Memory memory(time_.clock(), bus_, limits_);
  ASSERT_TRUE(memory.create_session(new_session("s1")));
  ASSERT_TRUE(memory.update_status("s1", MemoryStatus::inactive, "lost"));
  time_.advance(24h * 365);
  EXPECT_TRUE(memory.expired_sessions().empty());
}

TEST_F(MemoryTest, ASuspendedSessionGoesBackToWhereItWas) {
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  for (const MemoryStatus before : {MemoryStatus::active, MemoryStatus::inactive}) {
    ASSERT_TRUE(memory_.update_status("s1", before, ""));
    ASSERT_TRUE(memory_.update_status("s1", MemoryStatus::suspended, ""));
    EXPECT_TRUE(memory_.update_status("s1", MemoryStatus::suspended, "again"));
    EXPECT_FALSE(memory_.get_session("s1")->disconnect.keep_alive_until);
    const auto resumed = memory_.resume_session("s1");
    ASSERT_TRUE(resumed);
    EXPECT_EQ(*resumed, canonical(before));
    EXPECT_FALSE(memory_.get_session("s1")->suspension);
    EXPECT_EQ(*memory_.resume_session("s1"), canonical(before)) << "resuming twice is harmless";
  }
}

TEST_F(MemoryTest, ASuspendedSessionExpiresByItsOwnTimeOnly) {
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  ASSERT_TRUE(memory_.update_status("s1", MemoryStatus::active, ""));
  ASSERT_TRUE(memory_.update_status("s1", MemoryStatus::suspended, ""));
  time_.advance(20min - 1ms);
  EXPECT_TRUE(memory_.expired_sessions().empty());
  time_.advance(1ms);
  EXPECT_EQ(memory_.expired_sessions(), std::vector<SessionId>{"s1"});
}

TEST_F(MemoryTest, AClosedSessionsIdCanBeUsedAtOnceAndNothingReachesOut) {
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  ASSERT_TRUE(memory_.update_status("s1", MemoryStatus::inactive, ""));
  ASSERT_TRUE(memory_.close_session("s1", "exit"));
  EXPECT_EQ(memory_.close_session("s1", "exit").error().code, Errc::no_such_session);
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  time_.advance(24h);  // Whatever was due for the first one is not done to the second.
  EXPECT_TRUE(memory_.expired_sessions().empty());
  EXPECT_EQ(memory_.count(), 1u);
}

TEST_F(MemoryTest, OnlyARealChangeIsAnUpdate) {
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  const WallTime created = time_.now;
  time_.advance(5s);
  ASSERT_TRUE(memory_.rename_session("s1", "Terminal 1"));
  ASSERT_TRUE(memory_.set_session_focus("s1", true));
  memory_.update_activity("s1");
  EXPECT_EQ(memory_.get_session("s1")->updated_at, created);
  EXPECT_EQ(memory_.get_session("s1")->last_activity, time_.now);
  ASSERT_TRUE(memory_.rename_session("s1", "logs"));
  EXPECT_EQ(memory_.get_session("s1")->updated_at, time_.now);
  EXPECT_EQ(memory_.rename_session("nobody", "x").error().code, Errc::no_such_session);
}

TEST_F(MemoryTest, TheTotalIsRefusedByNameAndEvictsNobody) {
  const auto refused = admit("s6", "", 5);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_NE(refused.error().detail.find("MAX_TERMINAL_SESSIONS is 5"), std::string::npos);
}

TEST_F(MemoryTest, AFullProjectIsRefusedByNameUntilOneLeaves) {
  for (const char* id : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(admit(id));
    time_.advance(30s);
  }
  const auto refused = admit("e");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_NE(refused.error().detail.find("MAX_SESSIONS_PER_PROJECT is 4"), std::string::npos);
  EXPECT_EQ(memory_.export_project("p1")->sessions.size(), 4u);
  memory_.leave("p1", "b");
  EXPECT_TRUE(admit("e"));
}

TEST_F(MemoryTest, TooManyCreationsTripTheProjectsBreakerAndItHeals) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(admit(id));
  const auto tripped = admit("d");
  ASSERT_FALSE(tripped);
  EXPECT_EQ(tripped.error().code, Errc::rate_limited);
  EXPECT_EQ(tripped.error().retry_after, Millis{300s});
  time_.advance(100s);
  const auto open = admit("d");
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, Errc::breaker_open);
  EXPECT_EQ(open.error().retry_after, Millis{200s});
  EXPECT_TRUE(admit("x", "p2")) << "another project is not concerned";
  time_.advance(200s);
  EXPECT_TRUE(admit("d"));
  EXPECT_FALSE(memory_.export_project("p1")->breaker_until);
}

TEST_F(MemoryTest, TheCreationRateIsOfARollingMinute) {
  for (const char* id : {"a", "b", "c"}) {
    ASSERT_TRUE(admit(id));
    time_.advance(20s);
  }
  EXPECT_TRUE(admit("d")) << "the first was 60 s ago";
}

TEST_F(MemoryTest, NamesAreNeverGivenTwice) {
  EXPECT_EQ(admit("a")->tab_name, "Terminal 1");
  EXPECT_EQ(admit("b")->tab_name, "Terminal 2");
  memory_.leave("p1", "b");
  time_.advance(1min);
  EXPECT_EQ(admit("c")->tab_name, "Terminal 3");
  EXPECT_EQ(memory_.admit({.project = "p1", .session = "d", .tab_name = "logs"})->tab_name, "logs");
}

TEST_F(MemoryTest, BeyondTheLimitTheLeastRecentlyFocusedLosesItsFocus) {
  EXPECT_TRUE(admit("a")->focused);
  EXPECT_TRUE(admit("b")->focused);
  EXPECT_FALSE(admit("c")->focused);
  ASSERT_TRUE(memory_.focus("p1", "a", true)) << "a is now the most recent";
  const auto update = memory_.focus("p1", "c", true);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->changed, (std::vector<FocusChange>{{"b", false}, {"c", true}}));
  EXPECT_EQ(update->focused, (std::vector<SessionId>{"a", "c"}));
  EXPECT_EQ(memory_.focus("p1", "nobody", true).error().code, Errc::no_such_session);
}

TEST_F(MemoryTest, LeavingTellsThatTheFocusIsGone) {
  std::vector<FocusChange> told;
  bus_.focus_changed.subscribe(
      [&](const FocusChanged& event) { told.push_back({event.id, event.focused}); });
  ASSERT_TRUE(admit("a"));
  EXPECT_EQ(memory_.leave("p1", "a").changed, (std::vector<FocusChange>{{"a", false}}));
  EXPECT_EQ(told, (std::vector<FocusChange>{{"a", true}, {"a", false}}));
  EXPECT_TRUE(memory_.leave("p1", "a").changed.empty());
}

TEST_F(MemoryTest, WithoutProjectASessionIsAlwaysFocusedAndHasNoProjectLimits) {
  for (int i = 0; i < 20; ++i) {
    const SessionId id = "s" + std::to_string(i);
    const auto admitted = admit(id, "");
    ASSERT_TRUE(admitted);
    EXPECT_TRUE(admitted->focused);
    EXPECT_TRUE(memory_.focus("", id, false)->changed.empty());
  }
}

TEST_F(MemoryTest, AProjectMovesAsItIs) {
  ASSERT_TRUE(admit("a"));
  ASSERT_TRUE(admit("b"));
  ASSERT_TRUE(admit("c"));
  ASSERT_FALSE(admit("d"));
  memory_.save_project_layout("p1", R"({"currentLayout":"2x2"})");
  const auto moved = memory_.export_project("p1");
  ASSERT_TRUE(moved);

  EventBus other_bus;
  Memory other(time_.clock(), other_bus, limits_);
  time_.advance(5min);
  ASSERT_TRUE(other.import_project(*moved));
  EXPECT_EQ(other.export_project("p1"), moved);
  EXPECT_EQ(other.projects(), std::vector<ProjectId>{"p1"});
  memory_.release_project("p1");
  EXPECT_FALSE(memory_.export_project("p1"));

  ProjectRecord broken = *moved;
  broken.focused.push_back("stranger");
  EXPECT_EQ(other.import_project(broken).error().code, Errc::bad_snapshot);
  EXPECT_EQ(other.export_project("p1"), moved);
}

TEST_F(MemoryTest, ASnapshotThatContradictsItselfIsRefused) {
  SessionRecord record{.id = "s1", .project_id = "p1"};
  record.status = SessionState::attached;  // lifecycle.state says starting
  EXPECT_EQ(memory_.import_session(record).error().code, Errc::bad_snapshot);
  record.lifecycle.state = SessionState::attached;
  record.window.cols = 0;
  EXPECT_EQ(memory_.import_session(record).error().code, Errc::bad_snapshot);
  record.window.cols = 80;
  record.lifecycle.transitions.resize(kMaxTransitions + 1);
  EXPECT_EQ(memory_.import_session(record).error().code, Errc::bad_snapshot);
  record.lifecycle.transitions.clear();
  record.suspension = Suspension{};
  EXPECT_EQ(memory_.import_session(record).error().code, Errc::bad_snapshot);
  record.suspension.reset();
  EXPECT_EQ(memory_.count(), 0u);
  EXPECT_TRUE(memory_.import_session(record));
  EXPECT_EQ(memory_.import_session(record).error().code, Errc::session_exists);
}

TEST_F(MemoryTest, HealthNoticesAnIndexThatDisagrees) {
  ASSERT_TRUE(memory_.create_session(new_session("s1")));
  ASSERT_TRUE(admit("s1"));
  EXPECT_TRUE(memory_.health().healthy) << memory_.health().detail;
  MemoryProbe::lose_from_index(memory_, "p1");
  EXPECT_FALSE(memory_.health().healthy);
  MemoryProbe::list_stranger(memory_, "p1", "ghost");
  EXPECT_NE(memory_.health().detail.find("ghost"), std::string::npos);
}

TEST_F(MemoryTest, HealthNoticesFocusOnSomebodyElsesSession) {
  ASSERT_TRUE(admit("s1"));
  MemoryProbe::focus_stranger(memory_, "p1", "ghost");
  EXPECT_FALSE(memory_.health().healthy);
}

TEST_F(MemoryTest, HealthNoticesARegistryBeyondItsLimit) {
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(memory_.health().healthy) << "refusing new ones at the limit is no fault";
    ASSERT_TRUE(memory_.create_session(new_session("s" + std::to_string(i))));
  }
  EXPECT_FALSE(memory_.health().healthy);
}

}  // namespace
}  // namespace term::legacy
