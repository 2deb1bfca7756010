// metrics: what is counted, over which time, within which bounds; alerts; its own check.

#include "legacy/metrics.h"

#include <gtest/gtest.h>

#include "support.h"

namespace term::legacy {
namespace {

using namespace std::chrono_literals;

class MetricsTest : public testing::Test {
 protected:
  FakeClock time_;
  EventBus bus_;
  SessionCounts counts_;
  Metrics metrics_{time_.clock(), bus_,
                   MetricsOptions{.collect_interval = 30s,
                                  .alert_interval = 15s,
                                  .max_memory_bytes = 1000,
                                  .max_cpu_percent = 90,
                                  .max_sessions = 2,
                                  .max_errors_per_min = 3},
                   [this] { return counts_; }};
};

TEST_F(MetricsTest, BytesAreCountedPerSessionAndInAll) {
  metrics_.start_session("s1", {.input_bytes = 100, .output_bytes = 200});
  metrics_.record_input("s1", 3);
  metrics_.record_output("s1", 4);
  metrics_.record_output("nobody", 1000);
  TelemetryRecord record;
  metrics_.describe("s1", record);
  EXPECT_EQ(record.input_bytes, 103u);
  EXPECT_EQ(record.output_bytes, 204u);
  EXPECT_EQ(metrics_.totals().input_bytes, 3u) << "what came with it was counted elsewhere";
  EXPECT_EQ(metrics_.totals().output_bytes, 4u);
  metrics_.end_session("s1");
  EXPECT_EQ(metrics_.totals().output_bytes, 4u) << "it happened, whoever leaves";
}

TEST_F(MetricsTest, OperationsAreCountedForeverAndForFiveMinutes) {
  metrics_.record_operation(true, 10ms);
  metrics_.record_operation(false, 30ms);
  TelemetryTotals totals = metrics_.totals();
  EXPECT_EQ(totals.operations, 2u);
  EXPECT_EQ(totals.failed_operations, 1u);
  EXPECT_EQ(totals.recent_operations, 2u);
  EXPECT_EQ(totals.recent_failed, 1u);
  EXPECT_EQ(totals.responses, 2u);
  EXPECT_DOUBLE_EQ(totals.response_time_ms, 20);

  time_.advance(4min);
  metrics_.record_operation(true, 60ms);
  EXPECT_EQ(metrics_.totals().recent_operations, 3u);
  time_.advance(61s);
  totals = metrics_.totals();
  EXPECT_EQ(totals.operations, 3u);
  EXPECT_EQ(totals.recent_operations, 1u);
  EXPECT_EQ(totals.recent_failed, 0u);
  EXPECT_DOUBLE_EQ(totals.response_time_ms, 60);
  time_.advance(1h);
  EXPECT_DOUBLE_EQ(metrics_.totals().response_time_ms, 0);
}

TEST_F(MetricsTest, ASessionsResponseTimeIsFromInputToOutput) {
  metrics_.start_session("s1", {});
  metrics_.record_output("s1", 1);  // Nobody asked for it.
  metrics_.record_input("s1", 1);
  time_.advance(5ms);
  metrics_.record_input("s1", 1);
  time_.advance(3ms);
  metrics_.record_output("s1", 1);
  metrics_.record_output("s1", 1);
  TelemetryRecord record;
  metrics_.describe("s1", record);
  EXPECT_DOUBLE_EQ(record.response_time_ms, 8);
}

TEST_F(MetricsTest, ErrorTypesAreBoundedAndNothingIsLostFromTheSum) {
  for (int i = 0; i < 3; ++i) metrics_.record_error("", "frequent");
  for (int i = 0; i < 200; ++i) metrics_.record_error("", "type" + std::to_string(i));
  const TelemetryTotals totals = metrics_.totals();
  EXPECT_LE(totals.errors_by_kind.size(), Metrics::kMaxErrorTypes);
  EXPECT_EQ(totals.errors_by_kind.at("frequent"), 3u);
  std::uint64_t sum = 0;
  for (const auto& [kind, count] : totals.errors_by_kind) sum += count;
  EXPECT_EQ(sum, 203u);
}

TEST_F(MetricsTest, TheErrorRateIsOfTheLastMinuteAndItsWindowBounded) {
  for (int i = 0; i < 5000; ++i) metrics_.record_error("", "x");
  EXPECT_EQ(metrics_.errors_per_min(), Metrics::kMaxErrorWindow);
  time_.advance(1min);
  EXPECT_EQ(metrics_.errors_per_min(), 0u);
}

TEST_F(MetricsTest, CollectsWhenTheIntervalIsOverAndKeepsTheNewest) {
  std::size_t collected = 0;
  bus_.metrics_collected.subscribe([&](const MetricsCollected& event) {
    ++collected;
    EXPECT_EQ(event.snapshot.sessions.active, 7u);
  });
  counts_.active = 7;
  metrics_.tick();
  metrics_.tick();
  EXPECT_EQ(collected, 1u);
  for (int i = 0; i < 200; ++i) {
    time_.advance(30s);
    metrics_.tick();
  }
  EXPECT_EQ(collected, 201u);
  EXPECT_EQ(metrics_.history().size(), Metrics::kMaxHistory);
  EXPECT_EQ(metrics_.history().back().at, time_.now);
}

TEST_F(MetricsTest, AnAlertIsToldOnceUntilItIsOver) {
  std::vector<std::string> told;
  bus_.alerts_triggered.subscribe([&](const AlertsTriggered& event) {
    told.insert(told.end(), event.alerts.begin(), event.alerts.end());
  });
  metrics_.start_session("s1", {});
  metrics_.record_sample("s1", 95, 2000);
  for (int i = 0; i < 5; ++i) {
    metrics_.tick();
    time_.advance(15s);
  }
  ASSERT_EQ(told.size(), 2u);
  EXPECT_TRUE(told[0].starts_with("Memory usage high"));
  EXPECT_TRUE(told[1].starts_with("CPU usage high"));

  metrics_.record_sample("s1", 10, 2000);
  metrics_.tick();
  EXPECT_EQ(metrics_.alerts(), std::set<std::string>{"Memory usage high"});
  time_.advance(15s);
  metrics_.record_sample("s1", 95, 2000);
  for (int i = 0; i < 4; ++i) metrics_.record_error("s1", "x");
  metrics_.start_session("s2", {});
  metrics_.start_session("s3", {});
  metrics_.tick();
  ASSERT_EQ(told.size(), 5u);
  EXPECT_TRUE(told[2].starts_with("CPU usage high"));
  EXPECT_TRUE(told[3].starts_with("Session count high"));
  EXPECT_TRUE(told[4].starts_with("Error rate high"));
}

TEST_F(MetricsTest, HealthNoticesThatCollectionIsOverdue) {
  time_.advance(1h);
  EXPECT_TRUE(metrics_.health().healthy) << "ticking has not begun";
  metrics_.tick();
  time_.advance(90s);
  EXPECT_TRUE(metrics_.health().healthy);
  time_.advance(1ms);
  EXPECT_FALSE(metrics_.health().healthy);
  metrics_.tick();
  EXPECT_TRUE(metrics_.health().healthy);
}

}  // namespace
}  // namespace term::legacy
