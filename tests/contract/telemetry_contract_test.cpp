#include <gmock/gmock.h>

#include "contract/engines.h"

namespace term::contract {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class TelemetryContract : public EngineTest {
 protected:
  void SetUp() override { ASSERT_TRUE(telemetry().opened("s1", "p1")); }

  void type(std::string_view text, bool echo = true, const SessionId& id = "s1") {
    telemetry().input(id, text, echo);
  }
  TelemetryRecord record(const SessionId& id = "s1") {
    auto exported = telemetry().export_session(id);
    EXPECT_TRUE(exported);
    return exported ? *exported : TelemetryRecord{};
  }
  std::vector<LogEntry> logs(const SessionId& id = "s1") {
    return telemetry().logs({.session = id});
  }
  static void expect_no_holes(const std::vector<LogEntry>& entries) {
    for (std::size_t i = 1; i < entries.size(); ++i) {
      ASSERT_EQ(entries[i].sequence, entries[i - 1].sequence + 1) << "at " << i;
    }
  }
};

TEST_P(TelemetryContract, AnUnknownIdIsNamedAndDoesNoHarm) {
  const auto expect_unknown = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::no_such_session);
    EXPECT_THAT(result.error().detail, HasSubstr("nobody"));
  };
  expect_unknown(telemetry().closed("nobody"));
  expect_unknown(telemetry().statistics("nobody"));
  expect_unknown(telemetry().export_session("nobody"));
  expect_unknown(telemetry().release("nobody"));
  telemetry().output("nobody", 1);
  type("x", true, "nobody");
  telemetry().state_changed("nobody", SessionState::starting, SessionState::attached);
  telemetry().sampled("nobody", 1, 1);
  EXPECT_FALSE(telemetry().export_session("nobody"));
}

TEST_P(TelemetryContract, OpeningTwiceIsRefused) {
  telemetry().output("s1", 5);
  EXPECT_EQ(telemetry().opened("s1", "p1").error().code, Errc::session_exists);
  EXPECT_EQ(record().output_bytes, 5U);
}

TEST_P(TelemetryContract, BytesAreCountedForTheSessionAndForTheEngine) {
  ASSERT_TRUE(telemetry().opened("s2", "p1"));
  telemetry().output("s1", 100);
  telemetry().output("s2", 7);
  type("abc");
  type("secret", false);
  EXPECT_EQ(record().output_bytes, 100U);
  EXPECT_EQ(record().input_bytes, 9U);
  EXPECT_EQ(telemetry().totals().output_bytes, 107U);
  EXPECT_EQ(telemetry().totals().input_bytes, 9U);
  ASSERT_TRUE(telemetry().closed("s1"));
  EXPECT_EQ(telemetry().totals().output_bytes, 107U) << "what happened stays";
}

TEST_P(TelemetryContract, CommandsAreCountedByCategory) {
  type("git status\r");
  type("ls\r");
  type("git pu");
  type("sh\r");
  const auto statistics = telemetry().statistics("s1");
  ASSERT_TRUE(statistics);
  EXPECT_EQ(statistics->total, 3U);
  EXPECT_THAT(statistics->by_category, Contains(Pair("git", 2U)));
  EXPECT_EQ(statistics->by_hour.at(10), 3U);
  EXPECT_EQ(telemetry().totals().commands, 3U);
}

TEST_P(TelemetryContract, WhatTheTtyDoesNotEchoIsNotLookedAt) {
  type("git x\r", false);
  EXPECT_EQ(telemetry().statistics("s1")->total, 0U);
  EXPECT_EQ(record().commands.pending, "");
  EXPECT_EQ(record().input_bytes, 6U);
}

TEST_P(TelemetryContract, NothingTypedOrPrintedEverReachesTheLogs) {
  type("git commit -m hunter2\r");
  type("hunter2\r");
  telemetry().output("s1", 10);
  for (const auto& entry : logs()) EXPECT_EQ(entry.content.find("hunter2"), std::string::npos);
  for (const auto& pattern : telemetry().patterns(1)) {
    EXPECT_EQ(pattern.pattern.find("hunter2"), std::string::npos);
  }
}

TEST_P(TelemetryContract, TheLogOfASessionHasNoHoles) {
  ASSERT_TRUE(telemetry().opened("s2", "p2"));
  for (int i = 0; i < 20; ++i) {
    type("git x\r");
    type("ls\r", true, "s2");
    telemetry().output("s1", 3);
    telemetry().error("s1", "resize", "no tty");
    telemetry().state_changed("s1", SessionState::attached, SessionState::detached);
    time_.advance(1s);
    telemetry().tick();
  }
  const auto entries = logs();
  ASSERT_FALSE(entries.empty());
  EXPECT_EQ(entries.front().sequence, 0U);
  expect_no_holes(entries);
  expect_no_holes(logs("s2"));
  EXPECT_EQ(record().log_position, entries.back().sequence + 1);
  EXPECT_THAT(entries,
              Contains(AllOf(Field(&LogEntry::kind, LogKind::command),
                             Field(&LogEntry::content, "git"), Field(&LogEntry::project, "p1"))));
  EXPECT_THAT(entries, Contains(AllOf(Field(&LogEntry::kind, LogKind::error),
                                      Field(&LogEntry::content, HasSubstr("no tty")))));
  EXPECT_THAT(entries, Contains(Field(&LogEntry::kind, LogKind::system)));
}

TEST_P(TelemetryContract, TheLogsOutputLinesAddUpToWhatWasPrinted) {
  for (int i = 0; i < 50; ++i) {
    telemetry().output("s1", 11);
    time_.advance(300ms);
    telemetry().tick();
  }
  std::uint64_t sum = 0;
  for (const auto& entry : logs()) {
    if (entry.kind == LogKind::output) sum += entry.bytes;
  }
  EXPECT_EQ(sum, record().output_bytes);
}

TEST_P(TelemetryContract, LogsAreFoundBySessionAndProjectNewestKeptOldestFirst) {
  ASSERT_TRUE(telemetry().opened("s2", "p2"));
  for (int i = 0; i < 10; ++i) {
    type("git x\r");
    type("ls\r", true, "s2");
    time_.advance(1s);
  }
  const auto newest = telemetry().logs({.session = "s1", .limit = 3});
  ASSERT_EQ(newest.size(), 3U);
  EXPECT_EQ(newest.back().sequence, logs().back().sequence);
  expect_no_holes(newest);
  for (const auto& entry : telemetry().logs({.project = "p2"})) EXPECT_EQ(entry.session, "s2");
  EXPECT_FALSE(telemetry().logs({.project = "p2"}).empty());
  EXPECT_THAT(telemetry().logs({.session = "s3"}), IsEmpty());
}

TEST_P(TelemetryContract, TheLogIsBounded) {
  for (int i = 0; i < 25'000; ++i) type("ls\r");
  const auto entries = telemetry().logs({.limit = 100'000});
  EXPECT_GE(entries.size(), 19'000U);
  EXPECT_LE(entries.size(), 20'100U) << "a batch may be under way";
  expect_no_holes(entries);
  EXPECT_EQ(entries.back().sequence + 1, record().log_position);
}

TEST_P(TelemetryContract, OperationsAreCountedForFiveMinutes) {
  telemetry().operation("create", true, 10ms);
  telemetry().operation("create", false, 50ms);
  time_.advance(4min + 50s);
  telemetry().operation("attach", true, 30ms);
  auto totals = telemetry().totals();
  EXPECT_EQ(totals.operations, 3U);
  EXPECT_EQ(totals.failed_operations, 1U);
  EXPECT_EQ(totals.recent_operations, 3U);
  EXPECT_EQ(totals.recent_failed, 1U);
  EXPECT_DOUBLE_EQ(totals.response_time_ms, 30);
  EXPECT_EQ(totals.responses, 3U);
  time_.advance(30s);
  totals = telemetry().totals();
  EXPECT_EQ(totals.operations, 3U);
  EXPECT_EQ(totals.recent_operations, 1U);
  EXPECT_EQ(totals.recent_failed, 0U);
  EXPECT_EQ(totals.responses, 1U);
  time_.advance(10min);
  totals = telemetry().totals();
  EXPECT_EQ(totals.recent_operations, 0U);
  EXPECT_DOUBLE_EQ(totals.response_time_ms, 0);
}

TEST_P(TelemetryContract, ErrorsAreCountedByKindAndForTheirSession) {
  telemetry().error("s1", "resize", "x");
  telemetry().error("s1", "resize", "y");
  telemetry().error("", "store", "down");
  telemetry().error("gone", "store", "down");
  EXPECT_EQ(record().error_count, 2U);
  const auto kinds = telemetry().totals().errors_by_kind;
  EXPECT_THAT(kinds, Contains(Pair("resize", 2U)));
  EXPECT_THAT(kinds, Contains(Pair("store", 2U)));
}

TEST_P(TelemetryContract, PatternsAreSequencesWithinOneSession) {
  ASSERT_TRUE(telemetry().opened("s2", "p1"));
  for (int i = 0; i < 3; ++i) {
    type("git pull\r");
    type("docker ps\r", true, "s2");
    type("npm test\r");
  }
  const auto patterns = telemetry().patterns(3);
  EXPECT_THAT(patterns, Contains(AllOf(Field(&CommandPattern::pattern, "git > npm"),
                                       Field(&CommandPattern::frequency, 3U))));
  for (const auto& pattern : telemetry().patterns(1)) {
    const bool both = pattern.pattern.find("docker") != std::string::npos &&
                      pattern.pattern.find("git") != std::string::npos;
    EXPECT_FALSE(both) << pattern.pattern;
  }
  for (std::size_t i = 1; i < patterns.size(); ++i) {
    EXPECT_LE(patterns[i].frequency, patterns[i - 1].frequency);
  }
  EXPECT_THAT(telemetry().patterns(1000), IsEmpty());
}

TEST_P(TelemetryContract, PatternsAreTwoToFiveCategoriesLong) {
  for (const char* line : {"git\r", "ls\r", "npm i\r", "docker ps\r", "make\r", "python x\r"}) {
    type(line);
  }
  std::size_t shortest = 99;
  std::size_t longest = 0;
  for (const auto& pattern : telemetry().patterns(1)) {
    std::size_t categories = 1;
    for (auto at = pattern.pattern.find(" > "); at != std::string::npos;
         at = pattern.pattern.find(" > ", at + 1)) {
      ++categories;
    }
    shortest = std::min(shortest, categories);
    longest = std::max(longest, categories);
  }
  EXPECT_EQ(shortest, 2U);
  EXPECT_EQ(longest, 5U);
}

TEST_P(TelemetryContract, TheResponseTimeIsFromInputToOutput) {
  type("l");
  time_.advance(40ms);
  telemetry().output("s1", 1);
  EXPECT_GT(record().response_time_ms, 0);
  EXPECT_LE(record().response_time_ms, 40);
  const double after_one = record().response_time_ms;
  time_.advance(1h);
  telemetry().output("s1", 1);
  EXPECT_DOUBLE_EQ(record().response_time_ms, after_one) << "nobody typed for this";
}

TEST_P(TelemetryContract, SamplesAreKept) {
  telemetry().sampled("s1", 12.5, 4096);
  EXPECT_DOUBLE_EQ(record().cpu_usage, 12.5);
  EXPECT_EQ(record().memory_usage, 4096U);
}

TEST_P(TelemetryContract, ClosingForgetsTheSessionButNotItsLog) {
  type("git x\r");
  ASSERT_TRUE(telemetry().closed("s1"));
  EXPECT_FALSE(telemetry().export_session("s1"));
  EXPECT_FALSE(telemetry().closed("s1"));
  EXPECT_FALSE(logs().empty());
  ASSERT_TRUE(telemetry().opened("s1", "p1"));
  EXPECT_EQ(record().input_bytes, 0U);
}

TEST_P(TelemetryContract, EveryModuleIsHealthyWhileItTicks) {
  for (int i = 0; i < 120; ++i) {
    time_.advance(1s);
    telemetry().tick();
  }
  for (const auto& line : telemetry().health()) {
    EXPECT_TRUE(line.healthy) << line.module << ": " << line.detail;
    EXPECT_FALSE(line.detail.empty()) << line.module;
  }
}

TERM_BOTH_ENGINES(TelemetryContract);

}  // namespace
}  // namespace term::contract
