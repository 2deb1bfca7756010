// A project's record follows the engine that admits its next session.

#include "adapter/projects.h"

#include <gtest/gtest.h>

#include "support/fake_time.h"

namespace term::adapter {
namespace {

class ProjectsTest : public testing::Test {
 protected:
  Admission admit(const SessionId& id, Engine engine) {
    auto admitted = projects_.admit({.project = "p", .session = id}, engine);
    EXPECT_TRUE(admitted);
    return admitted ? *admitted : Admission{};
  }

  FakeTime time_;
  Engines engines_ = make_engines(time_.clock(), {.max_per_project = 3, .max_focused = 2}, {});
  Projects projects_{engines_};
};

TEST_F(ProjectsTest, NamesFocusAndLimitsAreOneWhicheverEngineAdmits) {
  EXPECT_EQ(admit("a", Engine::legacy).tab_name, "Terminal 1");
  EXPECT_EQ(admit("b", Engine::refactored).tab_name, "Terminal 2");
  const Admission third = admit("c", Engine::legacy);
  EXPECT_EQ(third.tab_name, "Terminal 3");
  EXPECT_FALSE(third.focused) << "two are focused already";
  EXPECT_EQ(projects_.focused("p"), (std::vector<SessionId>{"a", "b"}));
  const auto refused = projects_.admit({.project = "p", .session = "d"}, Engine::refactored);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_EQ(projects_.sessions("p"), (std::vector<SessionId>{"a", "b", "c"}));
}

TEST_F(ProjectsTest, ARecordMovesWholeAndIsKeptByOneEngineOnly) {
  admit("a", Engine::legacy);
  projects_.save_layout("p", R"({"currentLayout":"2x2"})");
  projects_.save_layout("nobody", "{}");
  EXPECT_EQ(projects_.layout("nobody"), "");
  const auto before = engines_.legacy.sessions->export_project("p");
  ASSERT_TRUE(projects_.move("p", Engine::refactored));
  EXPECT_EQ(engines_.refactored.sessions->export_project("p"), before);
  EXPECT_FALSE(engines_.legacy.sessions->export_project("p"));
  EXPECT_EQ(projects_.layout("p"), R"({"currentLayout":"2x2"})");
  ASSERT_TRUE(projects_.move("p", Engine::legacy));
  EXPECT_EQ(engines_.legacy.sessions->export_project("p"), before);
}

TEST_F(ProjectsTest, LeavingUncountsAndUnfocuses) {
  admit("a", Engine::refactored);
  admit("b", Engine::refactored);
  projects_.leave("p", "a");
  EXPECT_EQ(projects_.sessions("p"), (std::vector<SessionId>{"b"}));
  EXPECT_EQ(projects_.focused("p"), (std::vector<SessionId>{"b"}));
  EXPECT_TRUE(projects_.leave("nobody", "x").changed.empty());
  EXPECT_EQ(projects_.focus("nobody", "x", true).error().code, Errc::no_such_session);
}

}  // namespace
}  // namespace term::adapter
