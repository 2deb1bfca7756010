#include "refactored/project_book.h"

#include <gmock/gmock.h>

#include "support/fake_time.h"

namespace term::refactored {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ProjectBookTest : public testing::Test {
 protected:
  Result<Admission> admit(const ProjectId& project, const SessionId& id) {
    return book_.admit({.project = project, .session = id, .total_sessions = 0});
  }
  FakeTime time_;
  ProjectBook book_{
      time_.clock(),
      {.max_per_project = 3, .max_focused = 1, .max_creations_per_min = 2, .breaker_reset = 90s}};
};

TEST_F(ProjectBookTest, ARefusalOfAnUnknownProjectLeavesNoRecord) {
  ProjectBook full{time_.clock(), {.max_sessions = 0}};
  EXPECT_FALSE(full.admit({.project = "p1", .session = "s1"}));
  ProjectBook closed{time_.clock(), {.max_per_project = 0}};
  EXPECT_FALSE(closed.admit({.project = "p1", .session = "s1"}));
  EXPECT_THAT(full.projects(), IsEmpty());
  EXPECT_THAT(closed.projects(), IsEmpty());
}

TEST_F(ProjectBookTest, AskingTwiceForOneSessionCountsItOnce) {
  ASSERT_TRUE(admit("p1", "s1"));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(admit("p1", "s1")) << i;
  EXPECT_THAT(book_.export_project("p1")->sessions, ElementsAre("s1"));
  EXPECT_EQ(book_.export_project("p1")->recent_creations.size(), 1U);
}

TEST_F(ProjectBookTest, ARefusalChangesOnlyTheBreaker) {
  ASSERT_TRUE(admit("p1", "s1"));
  ASSERT_TRUE(admit("p1", "s2"));
  auto expected = *book_.export_project("p1");
  EXPECT_FALSE(admit("p1", "s3"));
  expected.breaker_until = time_.now() + 90s;
  EXPECT_EQ(book_.export_project("p1"), expected);
  time_.advance(30s);
  EXPECT_FALSE(admit("p1", "s3"));
  EXPECT_EQ(book_.export_project("p1"), expected) << "and trying again does not prolong it";
}

TEST_F(ProjectBookTest, RecentCreationsStayBounded) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(admit("p1", "s" + std::to_string(i)));
    book_.leave("p1", "s" + std::to_string(i));
    time_.advance(40s);
  }
  EXPECT_LE(book_.export_project("p1")->recent_creations.size(), 2U);
}

TEST_F(ProjectBookTest, MoreFocusThanTheLimitIsKeptUntilSomebodyFocuses) {
  ASSERT_TRUE(
      book_.import_project({.id = "p1", .sessions = {"a", "b", "c"}, .focused = {"a", "b"}}));
  EXPECT_THAT(book_.focused("p1"), ElementsAre("a", "b"));
  const auto update = book_.focus("p1", "c", true);
  ASSERT_TRUE(update);
  EXPECT_THAT(update->changed, ElementsAre(FocusChange{"a", false}, FocusChange{"b", false},
                                           FocusChange{"c", true}));
  EXPECT_THAT(update->focused, ElementsAre("c"));
}

TEST_F(ProjectBookTest, ASessionWithoutProjectIsFocusedByItselfAndStaysSo) {
  ASSERT_TRUE(admit("", "s1"));
  ASSERT_TRUE(admit("", "s2"));
  EXPECT_EQ(admit("", "s3")->tab_name, "Terminal 3");
  const auto update = book_.focus("", "s1", false);
  ASSERT_TRUE(update);
  EXPECT_THAT(update->changed, IsEmpty());
  EXPECT_THAT(update->focused, ElementsAre("s1"));
  EXPECT_FALSE(book_.focus("", "s9", true));
}

TEST_F(ProjectBookTest, AnImportTakesThePlaceOfWhatWasKnown) {
  ASSERT_TRUE(admit("p1", "s1"));
  const ProjectRecord newer{.id = "p1", .sessions = {"s2"}, .name_counter = 9};
  ASSERT_TRUE(book_.import_project(newer));
  EXPECT_EQ(book_.export_project("p1"), newer);
}

TEST_F(ProjectBookTest, ARefusalSaysWhatToDo) {
  ProjectBook book{time_.clock(), {.max_per_project = 0}};
  EXPECT_THAT(book.admit({.project = "p1", .session = "s"}).error().detail,
              HasSubstr("end a session first"));
}

}  // namespace
}  // namespace term::refactored
