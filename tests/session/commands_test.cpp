// The recogniser of commands: what it counts, what it passes over, and that it never keeps more
// than a first word.

#include "session/commands.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace term {
namespace {

using namespace std::chrono_literals;

class CommandsTest : public testing::Test {
 protected:
  void type(std::string_view bytes) {
    feed_command_line(statistics_, bytes, now_,
                      [this](const EnteredCommand& c) { seen_.emplace_back(c.category); });
  }

  CommandStatistics statistics_;
  std::vector<std::string> seen_;
  WallTime now_{13h + 5min};
};

TEST(CommandCategory, KnowsTheFirstWordWithOrWithoutItsDirectory) {
  EXPECT_EQ(command_category("cd"), "navigation");
  EXPECT_EQ(command_category("git"), "git");
  EXPECT_EQ(command_category("npm"), "npm");
  EXPECT_EQ(command_category("docker"), "docker");
  EXPECT_EQ(command_category("/bin/rm"), "file");
  EXPECT_EQ(command_category("systemctl"), "system");
  EXPECT_EQ(command_category("ssh"), "network");
  EXPECT_EQ(command_category("psql"), "database");
  EXPECT_EQ(command_category("./node_modules/.bin/tsc"), "build");
  EXPECT_EQ(command_category("python3.12"), "python");
  EXPECT_EQ(command_category("node"), "node");
  EXPECT_EQ(command_category("frobnicate"), "other");
  EXPECT_EQ(command_category(""), "other");
}

TEST_F(CommandsTest, CountsOneCommandPerLineByItsFirstWord) {
  type("git status\rls\r\n  make -j2 all\r");
  EXPECT_EQ(seen_, (std::vector<std::string>{"git", "navigation", "build"}));
  EXPECT_EQ(statistics_.total, 3u);
  EXPECT_EQ(statistics_.by_category.at("git"), 1u);
  EXPECT_EQ(statistics_.by_hour[13], 3u);
  EXPECT_EQ(statistics_.pending, "");
}

TEST_F(CommandsTest, EmptyLinesAreNotCommands) {
  type("\r\r\n   \r");
  EXPECT_EQ(statistics_.total, 0u);
}

TEST_F(CommandsTest, AWordMayComeOneByteAtATimeAndMoveInBetween) {
  for (const char byte : std::string_view("git commit -m secret\r")) {
    CommandStatistics moved = statistics_;  // Export and import after every byte.
    statistics_ = moved;
    type(std::string_view(&byte, 1));
    EXPECT_EQ(statistics_.pending.find("secret"), std::string::npos);
  }
  EXPECT_EQ(seen_, std::vector<std::string>{"git"});
}

TEST_F(CommandsTest, NothingBeyondTheFirstWordIsKept) {
  type("mysql -p hunter2");
  EXPECT_EQ(statistics_.pending, "mysql");
  EXPECT_TRUE(statistics_.pending_done);
  type("\r");
  EXPECT_EQ(statistics_.pending, "");
  EXPECT_FALSE(statistics_.pending_done);
}

TEST_F(CommandsTest, BackspaceRemovesAndInterruptClears) {
  type("gif\x7ft\r");
  type("rm \x03ls\r");
  type("rm -rf\x15pwd\r");
  type("\x7f\x08npm\r");
  EXPECT_EQ(seen_, (std::vector<std::string>{"git", "navigation", "navigation", "npm"}));
}

TEST_F(CommandsTest, EscapeSequencesArePassedOverEvenWhenCutAnywhere) {
  const std::string_view typed =
      "\x1b[200~git\x1b[201~\x1b[1;5C\x1bOH\x1b"
      "b log\r";
  for (std::size_t cut = 0; cut <= typed.size(); ++cut) {
    statistics_ = {};
    seen_.clear();
    type(typed.substr(0, cut));
    type(typed.substr(cut));
    EXPECT_EQ(seen_, std::vector<std::string>{"git"}) << "cut at " << cut;
  }
}

TEST_F(CommandsTest, PendingStaysAsciiAndWithin32Bytes) {
  type("\xc3\xa9\xe4\xbd\xa0");
  EXPECT_EQ(statistics_.pending, "??");
  type(std::string(500, 'x'));
  type("\x1b[1;1");
  EXPECT_LE(statistics_.pending.size(), 32u);
  type("H\r");
  EXPECT_EQ(seen_, std::vector<std::string>{"other"});
}

TEST_F(CommandsTest, TimesBeforeTheEpochStillHaveAnHour) {
  now_ = WallTime{-1h};
  type("ls\r");
  EXPECT_EQ(statistics_.by_hour[23], 1u);
}

}  // namespace
}  // namespace term
