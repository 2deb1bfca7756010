// analytics: learns from logging alone, in bounded space, and says when the two disagree.

#include "legacy/analytics.h"

#include <gtest/gtest.h>

#include "legacy/logging.h"
#include "support.h"

namespace term::legacy {
namespace {

using namespace std::chrono_literals;

class AnalyticsTest : public testing::Test {
 protected:
  void SetUp() override { start("s1"); }
  void start(const SessionId& id) {
    analytics_.start_session(id, {});
    logging_.start_session(id, "p1", 0);
  }
  void run(const SessionId& id, const std::vector<std::string>& categories) {
    for (const std::string& category : categories) logging_.log(id, LogKind::command, category);
  }
  std::uint64_t frequency(const std::string& pattern) {
    for (const CommandPattern& found : analytics_.patterns(1)) {
      if (found.pattern == pattern) return found.frequency;
    }
    return 0;
  }

  FakeClock time_;
  EventBus bus_;
  Logging logging_{time_.clock(), bus_};
  Analytics analytics_{bus_};
};

TEST_F(AnalyticsTest, AddsUpWhatLoggingRecords) {
  run("s1", {"git", "build", "git"});
  logging_.log("s1", LogKind::error, "git");
  logging_.log_output("s1", 10);
  const AnalyticsReport report = analytics_.report();
  EXPECT_EQ(report.commands, 3u);
  EXPECT_EQ(report.by_category.at("git"), 2u);
}

TEST_F(AnalyticsTest, PatternsAreTwoToFiveCommandsOfOneSession) {
  start("s2");
  for (int i = 0; i < 3; ++i) {
    run("s1", {"git", "build"});
    run("s2", {"npm"});
  }
  EXPECT_EQ(frequency("git > build"), 3u);
  EXPECT_EQ(frequency("build > git"), 2u);
  EXPECT_EQ(frequency("git > build > git > build"), 2u);
  EXPECT_EQ(frequency("git > build > git > build > git"), 1u);
  EXPECT_EQ(frequency("build > npm"), 0u) << "another session typed that";
  EXPECT_EQ(frequency("npm > npm"), 2u);

  const auto frequent = analytics_.patterns(3);
  ASSERT_EQ(frequent.size(), 1u);
  EXPECT_EQ(frequent[0].pattern, "git > build");
}

TEST_F(AnalyticsTest, PeakHoursAreTheThreeBusiest) {
  time_.now = WallTime{};
  for (const int hour : {9, 14, 14, 14, 22, 22, 23, 23, 23, 23}) {
    time_.now = WallTime{std::chrono::hours{hour}};
    run("s1", {"git"});
  }
  EXPECT_EQ(analytics_.report().peak_hours, (std::vector<std::size_t>{23, 14, 22}));
}

TEST_F(AnalyticsTest, PatternsStayWithinTheirBoundAndTheFrequentStay) {
  run("s1", {"git", "build", "git", "build"});
  for (int i = 0; i < 3000; ++i) run("s1", {"category" + std::to_string(i)});
  EXPECT_LE(analytics_.patterns(0).size(), Analytics::kMaxPatterns);
  EXPECT_GT(analytics_.patterns_forgotten(), 0u);
  EXPECT_EQ(frequency("git > build"), 2u);
}

TEST_F(AnalyticsTest, HealthNoticesThatItMissedSomething) {
  run("s1", {"git"});
  EXPECT_TRUE(analytics_.health(logging_.commands_recorded()).healthy);
  EventBus other_bus;
  Analytics deaf(other_bus);  // Switched off: it hears nothing of what logging records.
  EXPECT_FALSE(deaf.health(logging_.commands_recorded()).healthy);
}

}  // namespace
}  // namespace term::legacy
