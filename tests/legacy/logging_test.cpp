// logging: sequences without holes, batches, bounds, and a sink that may fail.

#include "legacy/logging.h"

#include <gtest/gtest.h>

#include "support.h"

namespace term::legacy {
namespace {

using namespace std::chrono_literals;

class LoggingTest : public testing::Test {
 protected:
  void SetUp() override { logging_.start_session("s1", "p1", 0); }
  void fill(std::size_t entries) {
    for (std::size_t i = 0; i < entries; ++i) logging_.log("s1", LogKind::system, "entry");
  }
  std::vector<LogEntry> logs(LogQuery query = {}) { return logging_.session_logs(query); }

  FakeClock time_;
  EventBus bus_;
  Logging logging_{time_.clock(), bus_};
};

TEST_F(LoggingTest, EntriesAreThereAtOnceAndWithoutHoles) {
  logging_.start_session("s2", "p2", 7);
  fill(120);
  logging_.log("s2", LogKind::command, "git");
  logging_.log("nobody", LogKind::command, "git");
  const auto all = logs({.session = "s1", .limit = 200});
  ASSERT_EQ(all.size(), 120u);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].sequence, i);
  const auto other = logs({.project = "p2"});
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(other[0].sequence, 7u) << "it goes on where it was elsewhere";
  EXPECT_EQ(logging_.commands_recorded(), 1u);
}

TEST_F(LoggingTest, AQueryAnswersTheNewestOldestFirst) {
  for (int i = 0; i < 90; ++i) {
    logging_.log("s1", LogKind::system, std::to_string(i));
    time_.advance(1ms);
  }
  const auto newest = logs({.limit = 60});
  ASSERT_EQ(newest.size(), 60u);
  EXPECT_EQ(newest.front().content, "30");
  EXPECT_EQ(newest.back().content, "89");
  EXPECT_TRUE(logs({.limit = 0}).empty());
}

TEST_F(LoggingTest, OutputWithinASecondIsOneEntry) {
  logging_.log_output("s1", 10);
  time_.advance(999ms);
  logging_.log_output("s1", 5);
  TelemetryRecord record;
  logging_.describe("s1", record);
  EXPECT_EQ(record.log_position, 1u) << "its number is taken when it begins";
  time_.advance(1ms);
  logging_.log_output("s1", 1);
  logging_.log("s1", LogKind::system, "suspended");
  logging_.log_output("s1", 2);
  const auto all = logs();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].bytes, 15u);
  EXPECT_EQ(all[1].bytes, 1u);
  EXPECT_EQ(all[2].kind, LogKind::system);
  EXPECT_EQ(all[3].bytes, 2u);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].sequence, i);
}

TEST_F(LoggingTest, AnEndedSessionsEntriesStay) {
  logging_.log_output("s1", 10);
  logging_.end_session("s1");
  EXPECT_FALSE(logging_.knows("s1"));
  EXPECT_EQ(logs({.session = "s1"}).size(), 1u);
}

TEST_F(LoggingTest, TheStoreIsBoundedAndWhatFallsOutIsCounted) {
  fill(Logging::kMaxStored + 500);
  logging_.flush();
  EXPECT_EQ(logging_.fallen_out(), 500u);
  EXPECT_EQ(logs({.limit = 1'000'000}).size(), Logging::kMaxStored);
  EXPECT_TRUE(logging_.health().healthy) << "that is what the store is for";
}

TEST_F(LoggingTest, LongMessagesAreCutBetweenCharacters) {
  std::string text(255, 'x');
  text += "\xc3\xa9tude";
  logging_.log("s1", LogKind::error, text);
  EXPECT_EQ(logs()[0].content, std::string(255, 'x'));
}

TEST_F(LoggingTest, BatchesGoToTheSinkAtFiftyEntriesOrAfterASecond) {
  std::vector<std::size_t> batches;
  logging_.set_sink([&](std::span<const LogEntry> batch) {
    batches.push_back(batch.size());
    return true;
  });
  fill(120);
  EXPECT_EQ(batches, (std::vector<std::size_t>{50, 50}));
  time_.advance(999ms);
  logging_.tick();
  EXPECT_EQ(batches.size(), 2u);
  time_.advance(1ms);
  logging_.tick();
  EXPECT_EQ(batches, (std::vector<std::size_t>{50, 50, 20}));
  logging_.log_output("s1", 1);
  time_.advance(1s);
  logging_.tick();
  time_.advance(1s);
  logging_.tick();
  EXPECT_EQ(batches.back(), 1u);
}

TEST_F(LoggingTest, ASinkThatFailsGetsEverythingLaterInOrderAndOnce) {
  bool works = false;
  std::vector<std::uint64_t> delivered;
  logging_.set_sink([&](std::span<const LogEntry> batch) {
    if (!works) return false;
    for (const LogEntry& entry : batch) delivered.push_back(entry.sequence);
    return true;
  });
  fill(170);
  EXPECT_EQ(logging_.backlog(), 150u);
  works = true;
  time_.advance(1s);
  logging_.tick();
  ASSERT_EQ(delivered.size(), 170u);
  for (std::size_t i = 0; i < delivered.size(); ++i) EXPECT_EQ(delivered[i], i);
  EXPECT_EQ(logging_.backlog(), 0u);
}

TEST_F(LoggingTest, HealthNoticesASinkThatTakesNothing) {
  bool works = false;
  logging_.set_sink([&](std::span<const LogEntry>) { return works; });
  fill(Logging::kMaxBacklog / 2);
  EXPECT_TRUE(logging_.health().healthy);
  fill(50);
  EXPECT_FALSE(logging_.health().healthy) << "too much is waiting";
  fill(Logging::kMaxBacklog);
  EXPECT_EQ(logging_.backlog(), Logging::kMaxBacklog);
  EXPECT_EQ(logging_.undelivered(), Logging::kMaxBacklog / 2 + 50);

  works = true;
  logging_.tick();
  EXPECT_FALSE(logging_.health().healthy) << "entries were lost a moment ago";
  time_.advance(Logging::kRecentDrops);
  EXPECT_TRUE(logging_.health().healthy);
}

TEST_F(LoggingTest, AlertsAreWrittenDown) {
  const std::vector<std::string> alerts{"CPU usage high: 95 of 90"};
  bus_.alerts_triggered.publish({.alerts = alerts});
  const auto all = logs();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].session, "");
  EXPECT_EQ(all[0].content, alerts[0]);
}

}  // namespace
}  // namespace term::legacy
