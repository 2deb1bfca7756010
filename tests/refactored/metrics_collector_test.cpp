#include "refactored/metrics_collector.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/fake_time.h"

namespace term::refactored {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class MetricsCollectorTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(metrics_.opened("s1", "p1")); }

  void run_for(std::chrono::seconds time) {
    for (; time > 0s; time -= 1s) {
      time_.advance(1s);
      metrics_.tick();
    }
  }
  ModuleHealth health() const {
    EXPECT_EQ(metrics_.health().size(), 1U);
    return metrics_.health().front();
  }

  FakeTime time_;
  MetricsCollector metrics_{time_.clock()};
};

TEST_F(MetricsCollectorTest, CollectsEveryTenSeconds) {
  run_for(61s);
  EXPECT_EQ(metrics_.history().size(), 7U);
  EXPECT_EQ(metrics_.history()[1].at - metrics_.history()[0].at, 10s);
}

TEST_F(MetricsCollectorTest, ACollectionHoldsTheSumsOfItsMoment) {
  ASSERT_TRUE(metrics_.opened("s2", "p1"));
  metrics_.sampled("s1", 10, 1000);
  metrics_.sampled("s2", 5, 500);
  metrics_.output("s1", 77);
  metrics_.operation("create", true, 10ms);
  metrics_.operation("create", false, 30ms);
  run_for(1s);
  const MetricsSnapshot& now = metrics_.history().back();
  EXPECT_EQ(now.sessions, 2U);
  EXPECT_DOUBLE_EQ(now.cpu_percent, 15);
  EXPECT_EQ(now.memory_bytes, 1500U);
  EXPECT_EQ(now.output_bytes, 77U);
  EXPECT_DOUBLE_EQ(now.error_rate_percent, 50);
  EXPECT_DOUBLE_EQ(now.response_time_ms, 20);
}

TEST_F(MetricsCollectorTest, HistoryIsCutToItsNewestHalf) {
  run_for(10'000s);
  EXPECT_EQ(metrics_.history().size(), MetricsCollector::kMaxHistory);
  run_for(10s);
  EXPECT_EQ(metrics_.history().size(), MetricsCollector::kKept);
  EXPECT_LE(time_.now() - metrics_.history().back().at, 10s);
}

TEST_F(MetricsCollectorTest, TheErrorLogIsCutToItsNewestHalf) {
  for (int i = 0; i < 1001; ++i) metrics_.error("s1", "kind", std::to_string(i));
  ASSERT_EQ(metrics_.errors().size(), MetricsCollector::kKept);
  EXPECT_EQ(metrics_.errors().back().detail, "1000");
  EXPECT_EQ(metrics_.totals().errors_by_kind.at("kind"), 1001U) << "the count goes on";
}

TEST_F(MetricsCollectorTest, KindsOfErrorsAreBounded) {
  for (int i = 0; i < 1000; ++i) metrics_.error("", "kind" + std::to_string(i), "");
  const auto kinds = metrics_.totals().errors_by_kind;
  EXPECT_LE(kinds.size(), MetricsCollector::kMaxErrorKinds + 1);
  std::uint64_t sum = 0;
  for (const auto& [kind, count] : kinds) sum += count;
  EXPECT_EQ(sum, 1000U);
}

TEST_F(MetricsCollectorTest, BeforeTheFirstTickNothingIsOverdue) {
  time_.advance(1h);
  EXPECT_EQ(health().module, "MetricsCollector");
  EXPECT_TRUE(health().healthy);
}

TEST_F(MetricsCollectorTest, SaysWhenTheCollectionIsOverdue) {
  run_for(5s);
  time_.advance(30s);
  EXPECT_TRUE(health().healthy);
  time_.advance(1s);
  EXPECT_FALSE(health().healthy);
  EXPECT_THAT(health().detail, HasSubstr("31 s"));
  metrics_.tick();
  EXPECT_TRUE(health().healthy);
}

TEST_F(MetricsCollectorTest, HighRatesAreWarningsAndNoFailure) {
  EXPECT_THAT(health().detail, Not(HasSubstr("warning")));
  metrics_.operation("create", false, 500ms);
  EXPECT_TRUE(health().healthy);
  EXPECT_THAT(health().detail, HasSubstr("100 % of the operations failed"));
  EXPECT_THAT(health().detail, HasSubstr("500 ms"));
}

TEST_F(MetricsCollectorTest, LogLinesThatFellOutAreSaid) {
  for (int i = 0; i < 20'010; ++i) metrics_.error("s1", "k", "x");
  EXPECT_EQ(metrics_.logs({.limit = 100'000}).size(), SessionLog::kMaxEntries);
  EXPECT_THAT(health().detail, HasSubstr("11 log lines fell out")) << "with the line of opened()";
}

TEST_F(MetricsCollectorTest, OutputOfOneSecondSharesALine) {
  for (int i = 0; i < 1000; ++i) metrics_.output("s1", 10);
  auto logs = metrics_.logs({.session = "s1"});
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_EQ(logs.back().bytes, 10'000U);
  time_.advance(1s);
  metrics_.output("s1", 10);
  EXPECT_EQ(metrics_.logs({.session = "s1"}).size(), 3U);
  metrics_.error("s1", "k", "x");
  metrics_.output("s1", 10);
  logs = metrics_.logs({.session = "s1"});
  ASSERT_EQ(logs.size(), 5U) << "and never jumps over what came between";
  EXPECT_EQ(logs.back().kind, LogKind::output);
}

TEST_F(MetricsCollectorTest, OutputGoesOnWhenItsLineFellOut) {
  metrics_.output("s1", 10);
  ASSERT_TRUE(metrics_.opened("s2", "p1"));
  for (std::size_t i = 0; i < SessionLog::kMaxEntries; ++i) metrics_.error("s2", "k", "x");
  metrics_.output("s1", 10);
  const auto logs = metrics_.logs({.session = "s1"});
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs.back().bytes, 10U);
}

TEST_F(MetricsCollectorTest, PatternsAreBounded) {
  // 12 categories: 12^2 + … + 12^5 sequences are possible.
  const std::vector<std::string> words{"cd",   "git",  "npm",  "docker", "ls",   "ps",
                                       "curl", "psql", "make", "python", "node", "zzz"};
  std::size_t seed = 1;
  for (int i = 0; i < 20'000; ++i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    metrics_.input("s1", words.at((seed >> 33U) % words.size()) + "\r", true);
  }
  EXPECT_EQ(metrics_.patterns(1).size(), MetricsCollector::kMaxPatterns);
}

TEST_F(MetricsCollectorTest, LongDetailsAreCutAtACharacter) {
  std::string detail(255, 'a');
  detail += "é and more";
  metrics_.error("s1", "k", detail);
  EXPECT_EQ(metrics_.errors().back().detail, std::string(255, 'a'));
}

TEST_F(MetricsCollectorTest, ASampleThatIsNoNumberCannotSpoilAnExport) {
  metrics_.sampled("s1", std::nan(""), 1);
  const auto record = *metrics_.export_session("s1");
  ASSERT_TRUE(metrics_.release("s1"));
  EXPECT_TRUE(metrics_.import_session("s1", "p1", record));
}

TEST_F(MetricsCollectorTest, ErrorsOfNoSessionAreNumberedAmongThemselves) {
  metrics_.error("", "store", "down");
  metrics_.error("gone", "store", "down");
  const auto logs = metrics_.logs({.session = ""});
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_EQ(logs[0].sequence, 0U);
  EXPECT_EQ(logs[1].sequence, 1U);
}

TEST(OperationWindowTest, AnOperationCountsForThreeHundredSeconds) {
  OperationWindow window;
  const WallTime start{1'795'341'600s};
  window.add(start + 999ms, true, 10ms);
  EXPECT_EQ(window.sum(start + 299s).operations, 1U);
  EXPECT_EQ(window.sum(start + 300s).operations, 0U);
  window.add(start + 300s, false, 4ms);
  EXPECT_EQ(window.sum(start + 300s).operations, 1U) << "its bucket is used again";
  EXPECT_EQ(window.sum(start + 300s).failed, 1U);
  EXPECT_DOUBLE_EQ(window.sum(start + 300s).mean_ms, 4);
}

}  // namespace
}  // namespace term::refactored
