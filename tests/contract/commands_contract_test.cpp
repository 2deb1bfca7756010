// Commands in both engines: events, ends that shells report, text that is kept only when asked for.

#include <gmock/gmock.h>

#include "contract/engines.h"

namespace term::contract {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

class CommandsContract : public EngineTest {
 protected:
  void SetUp() override { ASSERT_TRUE(telemetry().opened("s1", "p1", "u1")); }
  void type(std::string_view text, bool echo = true) { telemetry().input("s1", text, echo); }
  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (const auto& event : telemetry().take_commands()) all.push_back(event.command.text);
    return all;
  }
  TelemetryRecord record() { return *telemetry().export_session("s1"); }
};

TEST_P(CommandsContract, EachCommandIsToldOnceWithWhoseItIs) {
  type("git status\r");
  time_.advance(5ms);
  type("ls\r");
  const auto events = telemetry().take_commands();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].session, "s1");
  EXPECT_EQ(events[0].project, "p1");
  EXPECT_EQ(events[0].user, "u1");
  EXPECT_EQ(events[0].command.category, "git");
  EXPECT_EQ(events[0].command.sequence, 0U);
  EXPECT_EQ(events[1].command.sequence, 1U);
  EXPECT_EQ(events[1].command.at, time_.now());
  EXPECT_FALSE(events[1].ended);
  EXPECT_THAT(telemetry().take_commands(), IsEmpty());
}

TEST_P(CommandsContract, AReportedEndSaysHowLongItTookAndWhetherItFailed) {
  type("make\r");
  (void)telemetry().take_commands();
  time_.advance(1500ms);
  telemetry().finished("s1", 2);
  const auto events = telemetry().take_commands();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(events[0].ended);
  EXPECT_TRUE(events[0].failed);
  EXPECT_EQ(events[0].duration, 1500ms);
  EXPECT_EQ(events[0].command.sequence, 0U);
  EXPECT_EQ(events[0].command.category, "build");
  const auto statistics = telemetry().statistics("s1");
  EXPECT_EQ(statistics->failed, 1U);
  EXPECT_EQ(statistics->reported, 1U);
  EXPECT_EQ(telemetry().totals().failed_commands, 1U);
  EXPECT_EQ(telemetry().totals().reported_commands, 1U);
}

TEST_P(CommandsContract, ASuccessIsNoFailureAndAReportWithoutCommandIsIgnored) {
  telemetry().finished("s1", 1);
  telemetry().finished("nobody", 1);
  EXPECT_THAT(telemetry().take_commands(), IsEmpty());
  type("ls\r");
  telemetry().finished("s1", 0);
  telemetry().finished("s1", 1);
  const auto statistics = telemetry().statistics("s1");
  EXPECT_EQ(statistics->reported, 1U);
  EXPECT_EQ(statistics->failed, 0U);
}

TEST_P(CommandsContract, WhatIsTypedIntoARunningCommandTakesNoReport) {
  type("python3\r");
  type("print(1)\r");
  telemetry().finished("s1", 3);
  telemetry().finished("s1", 0);
  std::vector<CommandEvent> ended;
  for (auto& event : telemetry().take_commands())
    if (event.ended) ended.push_back(event);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].command.category, "python");
}

TEST_P(CommandsContract, TextIsKeptOnlyWhenSwitchedOn) {
  type("git push\r");
  EXPECT_EQ(texts(), std::vector<std::string>{""});
  EXPECT_EQ(record().commands.line, "");
  telemetry().record_text(true);
  type("git pusx\x7fh --force\r");
  EXPECT_EQ(texts(), std::vector<std::string>{"git push --force"});
  EXPECT_EQ(telemetry().logs({.session = "s1"}).back().text, "git push --force");
  type("git p");
  EXPECT_EQ(record().commands.line, "git p");
  telemetry().record_text(false);
  type("ull\r");
  EXPECT_EQ(texts(), std::vector<std::string>{""});
  EXPECT_EQ(record().commands.line, "");
}

TEST_P(CommandsContract, WhatIsTypedWithoutEchoIsNeverKeptNorTheLineAroundIt) {
  telemetry().record_text(true);
  type("su");
  type("hunter2", false);
  type("do\r");
  type("hunter2\r", false);
  type("git log\r");
  type("make all\r");
  const std::vector<std::string> expected{"", "", "make all"};
  EXPECT_EQ(texts(), expected);
  for (const auto& entry : telemetry().logs({.session = "s1"}))
    EXPECT_EQ(entry.text.find("hunter2"), std::string::npos);
  EXPECT_EQ(record().commands.line.find("hunter2"), std::string::npos);
}

TEST_P(CommandsContract, ALineIsCutAtItsBound) {
  telemetry().record_text(true);
  type("echo " + std::string(5000, 'x') + "\r");
  EXPECT_EQ(texts().at(0).size(), kMaxCommandText);
}

TEST_P(CommandsContract, AMoveKeepsTheLineItsHidingAndTheRunningCommand) {
  telemetry().record_text(true);
  type("make\r");
  type("git st");
  const auto moved = record();
  auto other_box = make_engine(other(GetParam()), time_.clock());
  TelemetryService& next = *other_box.ports.telemetry;
  next.record_text(true);
  ASSERT_TRUE(next.import_session("s1", "p1", moved, "u1"));
  EXPECT_EQ(*next.export_session("s1"), moved);
  next.input("s1", std::string_view("atus\r"), true);
  time_.advance(20ms);
  next.finished("s1", 1);
  const auto events = next.take_commands();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].command.text, "git status");
  EXPECT_EQ(events[0].user, "u1");
  EXPECT_EQ(events[1].command.category, "build") << "the one that ran while it moved";
  EXPECT_EQ(events[1].duration, 20ms);
}

TEST_P(CommandsContract, LogsAreFoundByUserTimeAndCategory) {
  ASSERT_TRUE(telemetry().opened("s2", "p1", "u2"));
  const WallTime begun = time_.now();
  type("git x\r");
  time_.advance(10ms);
  type("ls\r");
  telemetry().input("s2", std::string_view("git y\r"), true);
  const auto count = [&](const LogQuery& query) { return telemetry().logs(query).size(); };
  EXPECT_EQ(count({.user = "u1", .category = "command"}), 2U);
  EXPECT_EQ(count({.project = "p1", .category = "git"}), 2U);
  EXPECT_EQ(count({.user = "u2", .category = "git"}), 1U);
  EXPECT_EQ(count({.session = "s1", .since = begun + 1ms, .category = "command"}), 1U);
  EXPECT_EQ(count({.session = "s1", .until = begun + 10ms, .category = "command"}), 1U);
  EXPECT_EQ(count({.user = "nobody"}), 0U);
}

TEST_P(CommandsContract, EventsThatNobodyTakesAreBoundedAndTheLossIsCounted) {
  for (std::size_t i = 0; i < kMaxCommandEvents + 3; ++i) type("ls\r");
  EXPECT_EQ(telemetry().totals().dropped_commands, 3U);
  const auto events = telemetry().take_commands();
  ASSERT_EQ(events.size(), kMaxCommandEvents);
  EXPECT_EQ(events.front().command.sequence, 3U) << "the newest are kept";
}

TERM_BOTH_ENGINES(CommandsContract);

}  // namespace
}  // namespace term::contract
