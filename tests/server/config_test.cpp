// Sources, values, limits and messages of the configuration.
#include "server/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "server/config_cli.h"
#include "server/config_dotenv.h"
#include "server/config_values.h"

namespace term::server {
namespace {

using Values = std::map<std::string, std::string>;
using namespace std::chrono_literals;

constexpr const char* kToken = "0123456789abcdef-token";
constexpr const char* kAdminToken = "0123456789abcdef-admin";

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string pattern = testing::TempDir() + "/configXXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~ConfigTest() override { std::filesystem::remove_all(directory_); }

  Result<Config> load(const Values& flags, Values environment = {},
                      const std::string& dotenv = "") const {
    environment.emplace("HOME", "/home/someone");
    std::ofstream(directory_ / ".env", std::ios::binary) << dotenv;
    return load_config(flags, environment, directory_ / ".env");
  }
  Config good(const Values& flags, const Values& environment = {}, const std::string& dotenv = "") {
    const auto config = load(flags, environment, dotenv);
    EXPECT_TRUE(config) << config.error().detail;
    return config ? *config : Config{};
  }
  std::string refusal(const Values& flags, const Values& environment = {},
                      const std::string& dotenv = "") const {
    const auto config = load(flags, environment, dotenv);
    return config ? "accepted" : config.error().detail;
  }

  std::filesystem::path directory_;
};

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\n  lacks: " << part;
}

TEST_F(ConfigTest, TheTableAndTheStructHaveTheSameDefaults) {
  const Config read = good({});
  const Config plain;
  EXPECT_EQ(read.host, plain.host);
  EXPECT_EQ(read.ws_port, plain.ws_port);
  EXPECT_EQ(read.http_port, plain.http_port);
  EXPECT_EQ(read.legacy_mode, plain.legacy_mode);
  EXPECT_EQ(read.refactor_enabled, plain.refactor_enabled);
  EXPECT_EQ(read.ring_bytes, plain.ring_bytes);
  EXPECT_EQ(read.detached_ttl, plain.detached_ttl);
  EXPECT_EQ(read.suspension_ttl, plain.suspension_ttl);
  EXPECT_EQ(read.max_sessions, plain.max_sessions);
  EXPECT_EQ(read.max_sessions_per_project, plain.max_sessions_per_project);
  EXPECT_EQ(read.max_focused_per_project, plain.max_focused_per_project);
  EXPECT_EQ(read.max_creations_per_minute, plain.max_creations_per_minute);
  EXPECT_EQ(read.input_queue_bytes, plain.input_queue_bytes);
  EXPECT_EQ(read.viewer_window_bytes, plain.viewer_window_bytes);
  EXPECT_EQ(read.max_message_bytes, plain.max_message_bytes);
  EXPECT_EQ(read.handshake_timeout, plain.handshake_timeout);
  EXPECT_EQ(read.max_half_open, plain.max_half_open);
  EXPECT_EQ(read.ping_interval, plain.ping_interval);
  EXPECT_EQ(read.close_1000, plain.close_1000);
  EXPECT_EQ(read.log_level, plain.log_level);
  EXPECT_FALSE(read.token || read.admin_token || read.database_url || read.error_log);
  EXPECT_GE(read.shards, 1U);
  EXPECT_TRUE(read.warnings.empty());
}

TEST_F(ConfigTest, FlagsWinOverTheEnvironmentAndThatOverDotenv) {
  const std::string dotenv = "PORT=3\nTERMINAL_WS_PORT=3\nTERMINAL_SHARDS=3\n";
  const Config config = good({{"PORT", "1"}}, {{"PORT", "2"}, {"TERMINAL_WS_PORT", "2"}}, dotenv);
  EXPECT_EQ(config.http_port, 1);
  EXPECT_EQ(config.ws_port, 2);
  EXPECT_EQ(config.shards, 3U);
}

TEST_F(ConfigTest, TheLastOccurrenceInDotenvWins) {
  const Config config = good(
      {}, {}, "TERMINAL_REFACTOR_ENABLED=true\nPORT=1\nTERMINAL_REFACTOR_ENABLED=false\nPORT=2");
  EXPECT_EQ(config.refactor_enabled, (FlagSetting{false, Source::dotenv}));
  EXPECT_EQ(config.http_port, 2);
}

TEST_F(ConfigTest, AnEmptyValueMeansUnsetAndHidesWeakerSources) {
  const Config config =
      good({}, {{"PORT", ""}, {"TERMINAL_LEGACY_MODE", ""}}, "PORT=9\nTERMINAL_LEGACY_MODE=true\n");
  EXPECT_EQ(config.http_port, 4000);
  EXPECT_EQ(config.legacy_mode, FlagSetting{});
}

TEST_F(ConfigTest, EngineFlagsRememberWhereTheyCameFrom) {
  const Config config = good({{"TERMINAL_LEGACY_MODE", "on"}}, {{"TERMINAL_DUAL_WRITE", "1"}},
                             "TERMINAL_LEGACY_MODE=false\nTERMINAL_AUTO_ROLLBACK=No\n");
  EXPECT_EQ(config.legacy_mode, (FlagSetting{true, Source::flag}));
  EXPECT_EQ(config.dual_write, (FlagSetting{true, Source::environment}));
  EXPECT_EQ(config.auto_rollback, (FlagSetting{false, Source::dotenv}));
  EXPECT_EQ(config.refactor_enabled, (FlagSetting{std::nullopt, Source::fallback}));
}

TEST_F(ConfigTest, EveryKeyHasAFlagAndAcceptsTheDefaultThatItShows) {
  for (const ConfigKey& key : config_keys()) {
    if (key.fallback.find(' ') != std::string_view::npos || key.fallback == "unset" ||
        key.fallback == "cores" || key.fallback.find('/') != std::string_view::npos ||
        key.fallback == "stderr") {
      continue;
    }
    EXPECT_TRUE(load({{std::string(key.name), std::string(key.fallback)}})) << key.name;
  }
}

TEST_F(ConfigTest, AnUnusableValueNamesItsKeyItsSourceAndWhatToGive) {
  EXPECT_EQ(refusal({{"TERMINAL_WS_PORT", "abc"}}),
            "TERMINAL_WS_PORT=abc (flag --terminal-ws-port): give a whole number from 0 to 65535");
  expect_contains(refusal({}, {{"PORT", "65536"}}), "PORT=65536 (environment): ");
  expect_contains(refusal({}, {}, "\n\nTERMINAL_SHARDS=65\n"), "TERMINAL_SHARDS=65 (.env line 3)");
}

TEST_F(ConfigTest, AllProblemsAreReportedAtOnce) {
  const std::string text = refusal({{"PORT", "x"}}, {{"TERMINAL_RING_BYTES", "1"}}, "TERMINAL_X=1");
  for (const char* key : {"PORT=x", "TERMINAL_RING_BYTES=1", "TERMINAL_X"})
    expect_contains(text, key);
}

TEST_F(ConfigTest, EveryKeyRefusesRubbish) {
  for (const ConfigKey& key : config_keys()) {
    if (key.unit == "path" || key.unit == "address") continue;
    const std::string rubbish = key.unit == "token" ? "short" : "\x01 rubbish";
    expect_contains(refusal({{std::string(key.name), rubbish}}), std::string(key.name));
  }
  expect_contains(refusal({{"HOST", "a b"}}), "HOST");
  expect_contains(refusal({{"HOST", "127.0.0.1/8"}}), "HOST");
}

TEST_F(ConfigTest, LimitsOfNumbersHold) {
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"TERMINAL_SHARDS", "0"},
                                          {"PORT", "-1"},
                                          {"PORT", "1e3"},
                                          {"PORT", " 1"},
                                          {"MAX_TERMINAL_SESSIONS", "0"},
                                          {"TERMINAL_RING_BYTES", "2GiB"},
                                          {"TERMINAL_HANDSHAKE_TIMEOUT", "0"},
                                          {"TERMINAL_PING_INTERVAL", "1ms"},
                                          {"TERMINAL_DETACHED_TTL", "99999999999999999999"}}) {
    expect_contains(refusal({{key, value}}), key);
  }
  EXPECT_EQ(good({{"TERMINAL_DETACHED_TTL", "0"}}).detached_ttl, 0ms);
}

TEST_F(ConfigTest, ThePortsMustDifferUnlessTheyAreAnyPort) {
  expect_contains(refusal({{"PORT", "4001"}}), "both 4001");
  EXPECT_TRUE(load({{"PORT", "0"}, {"TERMINAL_WS_PORT", "0"}}));
}

TEST_F(ConfigTest, ABindBeyondLoopbackNeedsBothTokens) {
  for (const char* host : {"0.0.0.0", "::", "192.0.2.1", "example.org", "localhost.example.org",
                           "127.1", "::ffff:127.0.0.1", "128.0.0.1"}) {
    const Values host_only{{"HOST", host}};
    expect_contains(refusal(host_only), "TERMINAL_TOKEN");
    expect_contains(refusal(host_only, {{"TERMINAL_TOKEN", kToken}}), "TERMINAL_ADMIN_TOKEN");
    expect_contains(refusal(host_only, {{"TERMINAL_ADMIN_TOKEN", kToken}}), "TERMINAL_TOKEN");
    EXPECT_TRUE(
        load(host_only, {{"TERMINAL_TOKEN", kToken}, {"TERMINAL_ADMIN_TOKEN", kAdminToken}}));
  }
  for (const char* host : {"127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"}) {
    EXPECT_TRUE(good({{"HOST", host}}).loopback_only()) << host;
  }
  EXPECT_EQ(good({{"HOST", "[::1]"}}).host, "::1");
}

TEST_F(ConfigTest, SecretsNeverAppearInMessages) {
  const std::string text = refusal({{"TERMINAL_TOKEN", "hunter2"}}, {{"SLACK_WEBHOOK", "hunter2"}},
                                   "TERMINAL_ADMIN_TOKEN='hunter2 with a long blank'\n"
                                   "DATABASE_URL=mysql://u:hunter2@h/d\nREDIS_URL=hunter2\n");
  for (const char* key :
       {"TERMINAL_TOKEN", "SLACK_WEBHOOK", "TERMINAL_ADMIN_TOKEN", "DATABASE_URL", "REDIS_URL"}) {
    expect_contains(text, key);
  }
  EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
}

TEST_F(ConfigTest, OneTokenForBothRolesIsAWarning) {
  const Config config = good({}, {{"TERMINAL_TOKEN", kToken}, {"TERMINAL_ADMIN_TOKEN", kToken}});
  ASSERT_EQ(config.warnings.size(), 1U);
  EXPECT_EQ(config.warnings[0].find(kToken), std::string::npos);
}

TEST_F(ConfigTest, AllowedOriginsAreParsedOrRefused) {
  const Config config =
      good({}, {{"TERMINAL_ALLOWED_ORIGINS", "https://a.example, https://*.b.example:8443,"}});
  ASSERT_EQ(config.allowed_origins.size(), 2U);
  EXPECT_TRUE(config.allowed_origins[1].any_subdomain);
  for (const char* bad : {"*", "a.example", "https://a*.example.org", "https://*.org", ",",
                          "https://a.example/", "https://a.example;https://b.example"}) {
    expect_contains(refusal({}, {{"TERMINAL_ALLOWED_ORIGINS", bad}}), "TERMINAL_ALLOWED_ORIGINS");
  }
}

TEST_F(ConfigTest, AnUnknownKeyIsRefusedWithItsNearestNeighbour) {
  EXPECT_EQ(refusal({{"TERMINAL_WS_PROT", "1"}}),
            "--terminal-ws-prot is not an option; did you mean --terminal-ws-port?");
  EXPECT_EQ(refusal({}, {}, "NODE_ENV=x\nTERMINAL_DUALWRITE=1"),
            "TERMINAL_DUALWRITE (.env line 2) is not a key; did you mean TERMINAL_DUAL_WRITE?");
  expect_contains(refusal({}, {}, "MAX_TERMINAL_SESSION=5"), "MAX_TERMINAL_SESSIONS");
  EXPECT_TRUE(load({}, {}, "POST=1\nNODE_ENV=production\nHOME=/x\nTERM=xterm\n"));
}

TEST_F(ConfigTest, AnUnknownKeyInTheEnvironmentIsOnlyAWarning) {
  const Config config = good(
      {}, {{"TERMINAL_WS_PROT", "1"}, {"TERMINAL_SESSION_ID", "s"}, {"TERMINAL_PROJECT_ID", "p"}});
  ASSERT_EQ(config.warnings.size(), 1U);
  expect_contains(config.warnings[0], "TERMINAL_WS_PORT");
}

TEST_F(ConfigTest, TheStateDirectoryFollowsItsRule) {
  EXPECT_EQ(default_state_dir({{"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}, false),
            "/x/terminal-service");
  EXPECT_EQ(default_state_dir({{"XDG_STATE_HOME", "/x"}}, true), "/x/terminal-service");
  EXPECT_EQ(default_state_dir({{"HOME", "/root"}}, true), "/var/lib/terminal-service");
  EXPECT_EQ(default_state_dir({{"HOME", "/h"}}, false), "/h/.local/state/terminal-service");
  EXPECT_EQ(default_state_dir({{"XDG_STATE_HOME", "rel"}, {"HOME", "/h"}}, false),
            "/h/.local/state/terminal-service");
  EXPECT_EQ(default_state_dir({}, false), "");
  EXPECT_TRUE(good({{"TERMINAL_STATE_DIR", "some/where"}}).state_dir.is_absolute());
}

TEST_F(ConfigTest, TheErrorLogFollowsTheLogDirectory) {
  EXPECT_EQ(good({{"TERMINAL_LOG_DIR", "/l"}}).error_log, "/l/terminal-error.log");
  EXPECT_EQ(good({{"TERMINAL_ERROR_LOG", "/e.log"}}).error_log, "/e.log");
}

TEST_F(ConfigTest, AMissingDotenvIsNoErrorAndAnUnreadableOneIs) {
  EXPECT_TRUE(load_config({}, {{"HOME", "/h"}}, directory_ / "none"));
  EXPECT_FALSE(load_config({}, {{"HOME", "/h"}}, directory_));
}

TEST(DotenvTest, TheFormsThatShellsAndComposeFilesUse) {
  const auto values = parse_dotenv(
      "\xef\xbb\xbf"
      "A=1\r\n# comment\n\n  export B = two words  # comment\nC='# $x \"y\"'\n"
      "D=\"a\\n\\\"b\\\" \\$x\" # c\nE=\nF=a#b\nexportG=1\nH=# nothing\nI=a=b\nA=2");
  ASSERT_TRUE(values) << values.error().detail;
  const auto value = [&](const char* key) { return values->at(key).value; };
  EXPECT_EQ(values->at("A"), (DotenvValue{"2", 12}));
  EXPECT_EQ(value("B"), "two words");
  EXPECT_EQ(value("C"), "# $x \"y\"");
  EXPECT_EQ(value("D"), "a\n\"b\" $x");
  EXPECT_EQ(value("E"), "");
  EXPECT_EQ(value("F"), "a#b");
  EXPECT_EQ(value("exportG"), "1");
  EXPECT_EQ(value("H"), "");
  EXPECT_EQ(value("I"), "a=b");
}

TEST(DotenvTest, EveryBadLineIsNamedAndNoValueShown) {
  const auto values =
      parse_dotenv("A=1\nsecret\n1B=secret\nC='secret\nD=\"secret\nE='a'secret\n=x\n");
  ASSERT_FALSE(values);
  for (const char* line : {"line 2", "line 3", "line 4", "line 5", "line 6", "line 7"}) {
    expect_contains(values.error().detail, line);
  }
  EXPECT_EQ(values.error().detail.find("secret"), std::string::npos);
}

TEST(ConfigValuesTest, DurationsSizesAndBooleans) {
  EXPECT_EQ(parse_duration("30min"), Millis{30min});
  EXPECT_EQ(parse_duration("30 min"), Millis{30min});
  EXPECT_EQ(parse_duration("1800s"), Millis{30min});
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("90"), Millis{90s});
  EXPECT_EQ(parse_duration("2h"), Millis{2h});
  for (const char* bad : {"", "-1", "1.5s", "1 year", "s", "1S", "1  s", "99999999d"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_EQ(parse_bytes("1MiB"), 1024U * 1024);
  EXPECT_EQ(parse_bytes("64KiB"), 65536U);
  EXPECT_EQ(parse_bytes("64k"), 65536U);
  EXPECT_EQ(parse_bytes("5"), 5U);
  for (const char* bad : {"", "MiB", "1TiB", "-5", "0x10", "99999999999999GiB"}) {
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  }
  for (const char* word : {"true", "1", "yes", "on", "TRUE"}) EXPECT_EQ(parse_boolean(word), true);
  for (const char* word : {"false", "0", "no", "off", "No"}) EXPECT_EQ(parse_boolean(word), false);
  EXPECT_FALSE(parse_boolean("maybe"));
}

/// A writable argv, as main() gets it.
struct Arguments {
  explicit Arguments(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) argv.push_back(word.data());
    argv.push_back(nullptr);
  }
  CommandLine parse() {
    return parse_command_line(static_cast<int>(words_.size()), argv.data(), "1.2");
  }
  std::vector<std::string> words_;
  std::vector<char*> argv;
};

TEST(CommandLineTest, EveryKeyIsAFlagInBothForms) {
  for (const ConfigKey& key : config_keys()) {
    const Values expected{{std::string(key.name), "v"}};
    EXPECT_EQ(Arguments({"x", flag_name(key) + "=v"}).parse().flags, expected) << key.name;
    EXPECT_EQ(Arguments({"x", flag_name(key), "v"}).parse().flags, expected) << key.name;
  }
  EXPECT_EQ(Arguments({"x", "--shards=2"}).parse().flags, (Values{{"TERMINAL_SHARDS", "2"}}));
  EXPECT_EQ(Arguments({"x", "--port=1", "--port=2"}).parse().flags, (Values{{"PORT", "2"}}));
}

TEST(CommandLineTest, ASecretIsTakenAndWipedFromTheArguments) {
  Arguments one({"x", "--terminal-token=secret-secret-secret"});
  EXPECT_EQ(one.parse().flags.at("TERMINAL_TOKEN"), "secret-secret-secret");
  EXPECT_EQ(one.words_[1].find("secret"), std::string::npos);
  Arguments two({"x", "--database-url", "secret", "--port=1"});
  EXPECT_EQ(two.parse().flags.at("DATABASE_URL"), "secret");
  EXPECT_EQ(two.words_[2], "xxxxxx");
  EXPECT_EQ(two.words_[3], "--port=1");
}

TEST(CommandLineTest, UnknownFlagsReachTheLoaderAndStrayWordsAreRefused) {
  EXPECT_TRUE(Arguments({"x", "--terminal-ws-prot=1"}).parse().flags.contains("TERMINAL_WS_PROT"));
  const CommandLine spaced = Arguments({"x", "--terminal-tokn", "secret"}).parse();
  EXPECT_EQ(spaced.action, CommandLine::Action::run);
  EXPECT_TRUE(spaced.flags.contains("TERMINAL_TOKN"));
  EXPECT_EQ(Arguments({"x", "stray"}).parse().action, CommandLine::Action::refuse);
  EXPECT_EQ(Arguments({"x", "--port"}).parse().action, CommandLine::Action::refuse);
}

TEST(CommandLineTest, HelpVersionAndTheTableArePrinted) {
  const CommandLine help = Arguments({"x", "--help"}).parse();
  EXPECT_EQ(help.action, CommandLine::Action::print_and_exit);
  for (const ConfigKey& key : config_keys()) expect_contains(help.text, flag_name(key));
  EXPECT_EQ(Arguments({"x", "--version"}).parse().text, "terminal-service 1.2\n");
  EXPECT_EQ(Arguments({"x", "--print-config-table"}).parse().text, config_table());
  EXPECT_EQ(Arguments({"x", "--print-state-dir"}).parse().action,
            CommandLine::Action::print_state_dir);
}

}  // namespace
}  // namespace term::server
