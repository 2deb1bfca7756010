#include <gmock/gmock.h>

#include "contract/engines.h"

namespace term::contract {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class ProjectContract : public EngineTest {
 protected:
  Result<Admission> admit(const SessionId& id, const ProjectId& project = "p1",
                          std::size_t total = 0) {
    return sessions().admit({.project = project, .session = id, .total_sessions = total});
  }
};

TEST_P(ProjectContract, AFullServiceRefusesAndNamesTheLimit) {
  restart({.max_sessions = 3});
  const auto refused = admit("s4", "p1", 3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_THAT(refused.error().detail, HasSubstr("MAX_TERMINAL_SESSIONS"));
  EXPECT_THAT(refused.error().detail, HasSubstr("3"));
  EXPECT_FALSE(admit("s5", "", 3)) << "the total counts for sessions without a project, too";
  EXPECT_TRUE(admit("s4", "p1", 2));
}

TEST_P(ProjectContract, AFullProjectRefusesEvictsNobodyAndTakesTheNextAfterALeave) {
  restart({.max_per_project = 2});
  ASSERT_TRUE(admit("s1"));
  ASSERT_TRUE(admit("s2"));
  const auto before = sessions().export_project("p1");
  const auto refused = admit("s3");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_THAT(refused.error().detail, HasSubstr("MAX_SESSIONS_PER_PROJECT"));
  EXPECT_THAT(refused.error().detail, HasSubstr("2"));
  EXPECT_EQ(sessions().export_project("p1"), before);
  EXPECT_TRUE(admit("s3", "p2")) << "another project has its own limit";
  sessions().leave("p1", "s1");
  EXPECT_TRUE(admit("s3"));
}

TEST_P(ProjectContract, CreatingTooFastTripsTheBreakerWhichHeals) {
  restart({.max_creations_per_min = 3, .breaker_reset = 5min});
  for (const char* id : {"s1", "s2", "s3"}) ASSERT_TRUE(admit(id));
  const auto fast = admit("s4");
  ASSERT_FALSE(fast);
  EXPECT_EQ(fast.error().code, Errc::rate_limited);
  EXPECT_GT(fast.error().retry_after, 0ms);
  EXPECT_THAT(fast.error().detail, HasSubstr("MAX_TERMINAL_CREATIONS_PER_MIN"));
  EXPECT_EQ(sessions().export_project("p1")->breaker_until, time_.now() + 5min);

  time_.advance(2min);
  const auto open = admit("s4");
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, Errc::breaker_open);
  EXPECT_EQ(open.error().retry_after, 3min);
  EXPECT_TRUE(admit("other", "p2")) << "the breaker is the project's own";

  time_.advance(3min);
  EXPECT_TRUE(admit("s4"));
  EXPECT_EQ(sessions().export_project("p1")->breaker_until, std::nullopt);
}

TEST_P(ProjectContract, TheCreationRateIsCountedOverARollingMinute) {
  restart({.max_creations_per_min = 2});
  ASSERT_TRUE(admit("s1"));
  time_.advance(40s);
  ASSERT_TRUE(admit("s2"));
  time_.advance(20s);
  EXPECT_TRUE(admit("s3")) << "the first is a minute ago";
  EXPECT_EQ(admit("s4").error().code, Errc::rate_limited);
}

TEST_P(ProjectContract, LeavingDoesNotUndoACreation) {
  restart({.max_creations_per_min = 2});
  ASSERT_TRUE(admit("s1"));
  sessions().leave("p1", "s1");
  ASSERT_TRUE(admit("s2"));
  sessions().leave("p1", "s2");
  EXPECT_EQ(admit("s3").error().code, Errc::rate_limited);
}

TEST_P(ProjectContract, NamesAreNeverGivenTwice) {
  EXPECT_EQ(admit("s1")->tab_name, "Terminal 1");
  EXPECT_EQ(admit("s2")->tab_name, "Terminal 2");
  sessions().leave("p1", "s2");
  sessions().leave("p1", "s1");
  EXPECT_EQ(admit("s3")->tab_name, "Terminal 3");
  EXPECT_EQ(admit("s4", "p2")->tab_name, "Terminal 1") << "each project counts by itself";
  const auto named = sessions().admit({.project = "p1", .session = "s5", .tab_name = "mine"});
  EXPECT_EQ(named->tab_name, "mine");
  EXPECT_EQ(sessions().export_project("p1")->name_counter, 3U);
}

TEST_P(ProjectContract, NewSessionsAreFocusedWhileThereIsRoom) {
  restart({.max_focused = 2});
  EXPECT_TRUE(admit("s1")->focused);
  EXPECT_TRUE(admit("s2")->focused);
  EXPECT_FALSE(admit("s3")->focused);
  EXPECT_THAT(sessions().focused("p1"), ElementsAre("s1", "s2"));
}

TEST_P(ProjectContract, BeyondTheLimitTheLeastRecentlyFocusedLosesItsFocus) {
  restart({.max_focused = 2});
  for (const char* id : {"s1", "s2", "s3"}) ASSERT_TRUE(admit(id));
  ASSERT_TRUE(sessions().focus("p1", "s1", true)) << "again: s1 is the most recent now";
  const auto update = sessions().focus("p1", "s3", true);
  ASSERT_TRUE(update);
  EXPECT_THAT(update->changed,
              UnorderedElementsAre(FocusChange{"s2", false}, FocusChange{"s3", true}));
  EXPECT_THAT(update->focused, ElementsAre("s1", "s3"));
  EXPECT_THAT(sessions().focused("p1"), ElementsAre("s1", "s3"));
}

TEST_P(ProjectContract, FocusingAgainChangesOnlyTheOrder) {
  ASSERT_TRUE(admit("s1"));
  ASSERT_TRUE(admit("s2"));
  const auto update = sessions().focus("p1", "s1", true);
  ASSERT_TRUE(update);
  EXPECT_THAT(update->changed, IsEmpty());
  EXPECT_THAT(update->focused, ElementsAre("s2", "s1"));
}

TEST_P(ProjectContract, UnfocusingTellsOnceAndLeavingTellsToo) {
  ASSERT_TRUE(admit("s1"));
  ASSERT_TRUE(admit("s2"));
  auto update = sessions().focus("p1", "s1", false);
  ASSERT_TRUE(update);
  EXPECT_THAT(update->changed, ElementsAre(FocusChange{"s1", false}));
  EXPECT_THAT(sessions().focus("p1", "s1", false)->changed, IsEmpty());
  const auto left = sessions().leave("p1", "s2");
  EXPECT_THAT(left.changed, ElementsAre(FocusChange{"s2", false}));
  EXPECT_THAT(left.focused, IsEmpty());
  EXPECT_THAT(sessions().leave("p1", "s2").changed, IsEmpty());
  EXPECT_EQ(sessions().focus("p1", "s2", true).error().code, Errc::no_such_session);
}

TEST_P(ProjectContract, WithoutAProjectThereIsOnlyTheTotalAndAlwaysFocus) {
  restart({.max_per_project = 2, .max_focused = 1, .max_creations_per_min = 2});
  for (int i = 1; i <= 5; ++i) {
    const auto admitted = admit("s" + std::to_string(i), "");
    ASSERT_TRUE(admitted) << i << ": " << admitted.error().detail;
    EXPECT_TRUE(admitted->focused) << i;
    EXPECT_FALSE(admitted->tab_name.empty());
  }
}

TEST_P(ProjectContract, LayoutAndProjectsAreKept) {
  ASSERT_TRUE(admit("s1", "p2"));
  ASSERT_TRUE(admit("s2", "p1"));
  sessions().save_layout("p1", R"({"currentLayout":"2x2"})");
  EXPECT_EQ(sessions().export_project("p1")->layout, R"({"currentLayout":"2x2"})");
  EXPECT_THAT(sessions().projects(), UnorderedElementsAre("p1", "p2"));
  EXPECT_EQ(sessions().export_project("p3"), std::nullopt);
  sessions().release_project("p1");
  EXPECT_EQ(sessions().export_project("p1"), std::nullopt);
}

TEST_P(ProjectContract, ProjectsWithoutSessionsDoNotAddUpForEver) {
  restart({.max_sessions = 100'000});
  for (int i = 0; i < 10'100; ++i) {
    const ProjectId project = "p" + std::to_string(i);
    ASSERT_TRUE(sessions().admit({.project = project, .session = "s"}));
    if (i > 0) sessions().leave(project, "s");
    time_.advance(Millis(1000));
  }
  EXPECT_LT(sessions().projects().size(), 500U);
  EXPECT_TRUE(sessions().export_project("p0")) << "it has a session";
}

TERM_BOTH_ENGINES(ProjectContract);

}  // namespace
}  // namespace term::contract
