#include "session/shell.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace term {
namespace {

using Environment = std::map<std::string, std::string>;

/// A directory of its own for each test; removed with it.
class ShellTest : public testing::Test {
 protected:
  ShellTest() {
    std::string pattern = testing::TempDir() + "shell_test_XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~ShellTest() override { std::filesystem::remove_all(root_); }

  std::string file(const std::string& name, bool executable) {
    const std::string path = root_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n";
    using std::filesystem::perms;
    std::filesystem::permissions(path, executable ? perms::owner_all : perms::owner_read);
    return path;
  }

  std::string root_;
};

Environment started_with(const Environment& service, const Environment& additions = {}) {
  Environment seen;
  for (const std::string& line :
       shell_environment(service, additions, {"/bin/bash", {"-l"}}, "/work", "s1", "p1")) {
    const std::size_t equals = line.find('=');
    seen[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return seen;
}

TEST_F(ShellTest, TheUsersShellComesFirst) {
  const std::string mine = file("fish", true);
  const auto shell = choose_shell({{"SHELL", mine}});
  ASSERT_TRUE(shell) << shell.error().detail;
  EXPECT_EQ(shell->path, mine);
  EXPECT_TRUE(shell->args.empty());
}

TEST_F(ShellTest, BashAndZshAreLoginShells) {
  EXPECT_EQ(choose_shell({{"SHELL", file("zsh", true)}})->args, std::vector<std::string>{"-l"});
  EXPECT_EQ(choose_shell({{"SHELL", file("bash", true)}})->args, std::vector<std::string>{"-l"});
  EXPECT_TRUE(choose_shell({{"SHELL", file("dash", true)}})->args.empty());
}

TEST_F(ShellTest, AShellThatCannotBeRunIsPassedOver) {
  for (const std::string& unusable :
       {root_ + "/missing", root_, file("notes.txt", false), std::string("bash"), std::string(),
        file("nologin", true), file("false", true)}) {
    const auto shell = choose_shell({{"SHELL", unusable}});
    ASSERT_TRUE(shell) << unusable;
    EXPECT_TRUE(shell->path.starts_with("/bin/") || shell->path.starts_with("/usr/bin/"))
        << shell->path;
  }
  EXPECT_TRUE(choose_shell({})) << "without SHELL";
}

TEST_F(ShellTest, WithoutAnyShellTheErrorNamesWhatWasTried) {
  const auto shell = first_shell({"/nowhere/bash", "/nowhere/sh"});
  ASSERT_FALSE(shell);
  EXPECT_EQ(shell.error().code, Errc::no_shell);
  EXPECT_NE(shell.error().detail.find("/nowhere/bash, /nowhere/sh"), std::string::npos)
      << shell.error().detail;
}

TEST_F(ShellTest, ADirectoryIsUsedAndAFileMeansItsParent) {
  EXPECT_EQ(choose_directory(root_, {}), root_);
  EXPECT_EQ(choose_directory(file("notes.txt", false), {}), root_);
}

TEST_F(ShellTest, AMissingOrRelativeDirectoryMeansHomeAndWithoutHomeTheRoot) {
  for (const std::string& wanted : {root_ + "/missing", std::string(), std::string("."),
                                    std::string("a\0b", 3), root_ + "/missing/file"}) {
    EXPECT_EQ(choose_directory(wanted, {{"HOME", root_}}), root_) << wanted;
    EXPECT_EQ(choose_directory(wanted, {{"HOME", root_ + "/gone"}}), "/") << wanted;
    EXPECT_EQ(choose_directory(wanted, {}), "/") << wanted;
  }
}

TEST(ShellEnvironment, OrdinaryVariablesPassAndOursAreSet) {
  const Environment seen =
      started_with({{"PATH", "/usr/bin"}, {"HOME", "/home/u"}, {"TERM", "dumb"}},
                   {{"NODE_ENV", "test"}, {"EMPTY", ""}, {"A", "x=y"}});
  EXPECT_EQ(seen, (Environment{{"PATH", "/usr/bin"},
                               {"HOME", "/home/u"},
                               {"NODE_ENV", "test"},
                               {"EMPTY", ""},
                               {"A", "x=y"},
                               {"TERM", "xterm-256color"},
                               {"COLORTERM", "truecolor"},
                               {"LANG", "C.UTF-8"},
                               {"SHELL", "/bin/bash"},
                               {"PWD", "/work"},
                               {"TERMINAL_SESSION_ID", "s1"},
                               {"TERMINAL_PROJECT_ID", "p1"}}));
}

TEST(ShellEnvironment, AnAdditionOverridesTheServiceButNotOurs) {
  const Environment seen =
      started_with({{"EDITOR", "ed"}, {"LANG", "de_DE.UTF-8"}},
                   {{"EDITOR", "vi"}, {"TERM", "dumb"}, {"TERMINAL_SESSION_ID", "other"}});
  EXPECT_EQ(seen.at("EDITOR"), "vi");
  EXPECT_EQ(seen.at("LANG"), "de_DE.UTF-8");
  EXPECT_EQ(seen.at("TERM"), "xterm-256color");
  EXPECT_EQ(seen.at("TERMINAL_SESSION_ID"), "s1");
}

TEST(ShellEnvironment, NothingOfTheServiceGetsThrough) {
  const Environment plain = started_with({});
  for (const std::string name : {"HOST",
                                 "PORT",
                                 "TERMINAL_WS_PORT",
                                 "TERMINAL_ADMIN_TOKEN",
                                 "TERMINAL_STATE_DIR",
                                 "TERMINAL_ANYTHING",
                                 "DATABASE_URL",
                                 "REDIS_URL",
                                 "SLACK_WEBHOOK",
                                 "MAX_TERMINAL_SESSIONS",
                                 "MAX_SESSIONS_PER_PROJECT",
                                 "MAX_FOCUSED_PER_PROJECT",
                                 "MAX_TERMINAL_CREATIONS_PER_MIN",
                                 "NOTIFY_SOCKET",
                                 "LISTEN_FDS",
                                 "LISTEN_PID",
                                 "LISTEN_FDNAMES",
                                 "WATCHDOG_USEC",
                                 "CREDENTIALS_DIRECTORY",
                                 "GITHUB_TOKEN",
                                 "npm_config_authtoken",
                                 "JWT_SECRET",
                                 "AWS_SECRET_ACCESS_KEY",
                                 "PGPASSWORD",
                                 "db_password",
                                 "MYSQL_PASSWD",
                                 "OPENAI_API_KEY",
                                 "Stripe_Api_Key",
                                 "SSH_PRIVATE_KEY",
                                 "LD_PRELOAD",
                                 "LD_LIBRARY_PATH",
                                 "LD_AUDIT",
                                 "GCONV_PATH",
                                 "BASH_ENV",
                                 "ENV",
                                 "PS4",
                                 "PROMPT_COMMAND",
                                 "SHELLOPTS",
                                 "MAKEFLAGS",
                                 "NINJA_STATUS",
                                 "LINES",
                                 "COLUMNS",
                                 "TMUX",
                                 "_",
                                 "BASH_FUNC_ls%%",
                                 "1ST",
                                 "A-B",
                                 ""}) {
    EXPECT_EQ(started_with({{name, "poison"}}), plain) << name;
  }
}

TEST(ShellEnvironment, WhatMerelyLooksAlikePasses) {
  for (const std::string name : {"HOSTNAME", "EXPORT", "ENVIRONMENT", "MY_PORT", "OLD_LD_X", "LDX",
                                 "SSH_AUTH_SOCK", "PS1", "XTERMINAL_X"}) {
    EXPECT_EQ(started_with({{name, "v"}})[name], "v") << name;
  }
}

TEST(ShellEnvironment, AdditionsCannotHookIntoTheShellButMayNameTheProjectsOwn) {
  const Environment plain = started_with({});
  for (const std::string name :
       {"LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "BASH_ENV", "ENV", "PS4", "PROMPT_COMMAND",
        "SHELLOPTS", "BASHOPTS", "NOTIFY_SOCKET", "LISTEN_FDS", "BASH_FUNC_ls%%", "a b", "", "9A",
        "A=B", "\xC3\xA9"}) {
    EXPECT_EQ(started_with({}, {{name, "poison"}}), plain) << name;
  }
  EXPECT_EQ(started_with({}, {{"CUT", std::string("a\0b", 3)}}), plain);
  EXPECT_EQ(started_with({{"PORT", "4000"}}, {{"PORT", "3000"}})["PORT"], "3000");
  EXPECT_EQ(started_with({}, {{"API_KEY", "theirs"}})["API_KEY"], "theirs");
}

TEST(ShellEnvironment, IsSortedByName) {
  const auto lines = shell_environment({{"B", "1"}, {"A", "2"}, {"AB", "3"}, {"A_", "4"}}, {},
                                       {"/bin/sh", {}}, "/", "s", "");
  std::vector<std::string> names;
  for (const std::string& line : lines) names.push_back(line.substr(0, line.find('=')));
  EXPECT_TRUE(std::ranges::is_sorted(names));
}

TEST(ShellEnvironment, TheProcessEnvironmentIsReadWhole) {
  ::setenv("SHELL_TEST_VALUE", "a=b", 1);
  const Environment seen = process_environment();
  ::unsetenv("SHELL_TEST_VALUE");
  EXPECT_EQ(seen.at("SHELL_TEST_VALUE"), "a=b");
  EXPECT_FALSE(process_environment().contains("SHELL_TEST_VALUE"));
}

}  // namespace
}  // namespace term
