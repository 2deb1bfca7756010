// Logs and patterns of real shells, on both engines.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/command_book.h"
#include "support/any_client.h"
#include "support/test_server.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

/// A prompt that reports how the last command ended, in any shell.
constexpr const char* kReportingPrompt = "PS1=\"$(printf '\\033]133;D;$?\\007$ ')\"\n";

class Analytics : public testing::TestWithParam<Engine> {
 protected:
  explicit Analytics(bool record = false)
      : server_([record](server::Config& config) { config.record_commands = record; }) {}
  void SetUp() override { serve_with(server_, adapter::all(GetParam())); }

  std::unique_ptr<NativeClient> open(const std::string& id, const std::string& project) {
    return std::make_unique<NativeClient>(server_, id, NativeClient::Options{.project = project});
  }
  /// Types a line that ends with printing `mark`, and waits for that.
  static void run(NativeClient& client, const std::string& command, const std::string& mark) {
    client.type(command + "; echo " + mark.substr(0, 1) + "\"\"" + mark.substr(1) + "\n");
    ASSERT_TRUE(client.sees(mark)) << command;
  }
  bool commands(const std::string& scope, int n) {
    return server_.eventually("/api/terminal/patterns?" + scope,
                              [n](const Json& j) { return j.at("commands") == n; });
  }

  TestServer server_;
};

class RecordedCommands : public Analytics {
 protected:
  RecordedCommands() : Analytics(true) {}
};

TEST_P(Analytics, SequencesAndCategoriesAreKnownBySessionAndByProject) {
  auto a = open("a", "red");
  auto b = open("b", "red");
  auto c = open("c", "blue");
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i);
    run(*a, "ls", "one" + n);
    run(*a, "git --version", "two" + n);
  }
  run(*b, "ls", "three");
  run(*c, "cat /dev/null", "four");
  ASSERT_TRUE(commands("sessionId=a", 6));
  ASSERT_TRUE(commands("projectId=red", 7));
  ASSERT_TRUE(commands("projectId=blue", 1));
  ASSERT_TRUE(commands("", 8));
  ASSERT_TRUE(commands("sessionId=a&limit=2", 2));
  ASSERT_TRUE(commands("sessionId=a&until=1", 0));
  const Json json = server_.json("/api/terminal/patterns?projectId=red");
  EXPECT_EQ(json.at("categories").at("git").at("commands"), 3);
  EXPECT_EQ(json.at("categories").at("navigation").at("commands"), 4);
  EXPECT_EQ(json.at("patterns").at(0).at("pattern"), "navigation > git");
  EXPECT_EQ(json.at("patterns").at(0).at("frequency"), 3);
  EXPECT_EQ(json.at("peakHours").size(), 1U);
  EXPECT_EQ(json.at("errorRate"), nullptr) << "no shell reported anything: unknown, not zero";
}

TEST_P(Analytics, AShellThatReportsTellsFailuresAndDurations) {
  auto client = open("s", "p");
  client->type(kReportingPrompt);
  ASSERT_TRUE(client->sees("133;D;0"));
  const auto reported = [&](int n) {
    return server_.eventually("/api/terminal/patterns?sessionId=s",
                              [n](const Json& j) { return j.at("reported") == n; });
  };
  ASSERT_TRUE(reported(1));
  client->type("cat /nonexistent\n");
  ASSERT_TRUE(reported(2));
  client->type("ls /\n");
  ASSERT_TRUE(reported(3));
  const Json json = server_.json("/api/terminal/patterns?sessionId=s");
  EXPECT_EQ(json.at("failed"), 1);
  EXPECT_EQ(json.at("categories").at("file").at("errorRate"), 100.0);
  EXPECT_EQ(json.at("categories").at("navigation").at("errorRate"), 0.0);
  EXPECT_GT(json.at("categories").at("file").at("meanMs").get<double>(), 0);
  const Json logs = server_.json("/api/terminal/logs?sessionId=s&category=file");
  ASSERT_EQ(logs.at("commands").size(), 1U);
  EXPECT_EQ(logs.at("commands").at(0).at("failed"), true);
  EXPECT_EQ(logs.at("logs").size(), 1U);
}

TEST_P(Analytics, WithoutTheSwitchNoTextIsKept) {
  auto client = open("s", "p");
  run(*client, "ls /hunter2-directory", "done");
  ASSERT_TRUE(commands("sessionId=s", 1));
  const std::string all = server_.get("/api/terminal/logs?sessionId=s").body;
  EXPECT_EQ(all.find("hunter2"), std::string::npos);
  EXPECT_NE(all.find("navigation"), std::string::npos);
}

TEST_P(Analytics, AskingForNothingOrNonsenseIsRefusedWithAReason) {
  EXPECT_EQ(server_.get("/api/terminal/logs").status, 400U);
  EXPECT_EQ(server_.get("/api/terminal/logs?sessionId=s&limit=x").status, 400U);
  EXPECT_EQ(server_.get("/api/terminal/logs?sessionId=s&since=soon").status, 400U);
  EXPECT_EQ(server_.get("/api/terminal/patterns?minFrequency=-1").status, 400U);
}

TEST_P(RecordedCommands, TextIsThereAndPasswordsAreNot) {
  auto client = open("s", "p");
  run(*client, "ls /tmp", "listed");
  client->type("stty -echo; echo rea\"\"dy; read x; stty echo; echo o\"\"ver\n");
  ASSERT_TRUE(client->sees("ready"));
  client->type("hunter2\n");
  ASSERT_TRUE(client->sees("over"));
  run(*client, "pwd", "after");
  run(*client, "ls /usr", "again");
  ASSERT_TRUE(commands("sessionId=s", 4));
  const Json logs = server_.json("/api/terminal/logs?sessionId=s");
  std::vector<std::string> texts;
  for (const Json& row : logs.at("commands")) texts.push_back(row.at("command").get<std::string>());
  EXPECT_TRUE(texts.at(0).starts_with("ls /tmp;"));
  EXPECT_TRUE(texts.at(1).starts_with("stty"));
  EXPECT_EQ(texts.at(2), "") << "the line after something unseen";
  EXPECT_TRUE(texts.at(3).starts_with("ls /usr;"));
  EXPECT_EQ(logs.dump().find("hunter2"), std::string::npos);
}

const auto kEngines = testing::Values(Engine::legacy, Engine::refactored);
const auto kName = [](const auto& info) { return std::string(to_string(info.param)); };
INSTANTIATE_TEST_SUITE_P(Engines, Analytics, kEngines, kName);
INSTANTIATE_TEST_SUITE_P(Engines, RecordedCommands, kEngines, kName);

TEST(CommandBook, RatesAreOutOfWhatWasReported) {
  const auto row = [](std::uint64_t n, std::string category, int ms, bool failed) {
    return store::CommandRow{.session = "s",
                             .sequence = n,
                             .at = WallTime{std::chrono::hours(13) + Millis(n)},
                             .category = std::move(category),
                             .duration = Millis(ms),
                             .failed = failed};
  };
  const std::vector<store::CommandRow> rows{row(0, "git", 10, false), row(1, "build", 100, true),
                                            row(2, "git", 30, false), row(3, "build", 0, false),
                                            row(4, "git", 0, false)};
  const auto analysis = server::analyse(rows, 2);
  EXPECT_EQ(analysis.commands, 5U);
  EXPECT_EQ(analysis.reported, 3U);
  EXPECT_EQ(analysis.failed, 1U);
  EXPECT_EQ(analysis.categories.at("git").total_ms, 40U);
  EXPECT_EQ(analysis.peak_hours, (std::vector<std::size_t>{13}));
  ASSERT_EQ(analysis.sequences.size(), 3U);
  EXPECT_EQ(analysis.sequences.at(0).pattern, "build > git");
  EXPECT_EQ(analysis.sequences.at(0).frequency, 2U);
}

TEST(CommandBook, TheNewestAreKeptAndAnEndReplacesItsCommand) {
  server::CommandBook book;
  std::size_t forwarded = 0;
  book.forward_to([&](const store::CommandRow&) { ++forwarded; });
  std::vector<CommandEvent> events;
  for (std::uint64_t n = 0; n < server::CommandBook::kMaxRows + 5; ++n)
    events.push_back({.session = "s", .command = {.sequence = n, .category = "git"}});
  events.push_back({.session = "s",
                    .command = {.sequence = 100, .category = "git"},
                    .ended = true,
                    .duration = Millis(7),
                    .failed = true});
  const std::size_t sent = events.size();
  book.add(std::move(events));
  EXPECT_EQ(forwarded, sent);
  const auto rows = book.find({.session = "s", .limit = 1'000'000});
  ASSERT_EQ(rows.size(), server::CommandBook::kMaxRows);
  EXPECT_EQ(rows.front().sequence, 5U);
  EXPECT_TRUE(rows.at(95).failed);
  EXPECT_EQ(rows.at(95).duration, Millis(7));
  EXPECT_TRUE(book.find({.user = "nobody"}).empty());
}

}  // namespace
}  // namespace term::test
