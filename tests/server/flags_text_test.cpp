// The flags as the text that the next service finds.

#include "server/flags_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace term::server {
namespace {

using adapter::Flags;
using adapter::PortChoice;

/// Flags that an operator could have set, each or not by chance.
Flags made(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto coin = [&]() -> std::optional<bool> {
    const auto x = random() % 3;
    return x == 2 ? std::nullopt : std::optional<bool>(x == 1);
  };
  const auto choice = [&] { return PortChoice{coin(), coin(), coin()}; };
  Flags flags;
  flags.refactor = coin();
  flags.dual_write = coin();
  flags.auto_rollback = coin();
  flags.services = choice();
  if (random() % 2 == 0) flags.percentage = static_cast<int>(random() % 101);
  for (auto n = random() % 4; n > 0; --n) {
    flags.projects["project-" + std::to_string(random() % 9)] = choice();
    flags.sessions["session_" + std::to_string(random()) + ".x"] = choice();
    flags.origins["projects.p" + std::to_string(n)] = {
        .source = "api",
        .since = WallTime{Millis{static_cast<std::int64_t>(random() % 4'000'000'000'000)}},
        .who = "opératrice \"x\"",
        .reason = "line\nline"};
  }
  return flags;
}

void expect_same(const Flags& a, const Flags& b) {
  EXPECT_EQ(a.refactor, b.refactor);
  EXPECT_EQ(a.dual_write, b.dual_write);
  EXPECT_EQ(a.auto_rollback, b.auto_rollback);
  EXPECT_EQ(a.services, b.services);
  EXPECT_EQ(a.percentage, b.percentage);
  EXPECT_EQ(a.projects, b.projects);
  EXPECT_EQ(a.sessions, b.sessions);
  EXPECT_EQ(a.origins, b.origins);
}

TEST(FlagsText, ComeBackAsTheyWere) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Flags flags = made(seed);
    expect_same(flags_from_text(to_text(flags), {}), flags);
    ASSERT_FALSE(HasFailure()) << seed << ": " << to_text(flags);
  }
}

TEST(FlagsText, TheEnvironmentIsThatOfNowAndNeverPutDown) {
  Flags flags = made(1);
  flags.environment.legacy_mode = true;
  flags.environment.refactor_enabled = false;
  const std::string text = to_text(flags);
  Flags plain = made(1);
  EXPECT_EQ(text, to_text(plain));
  adapter::EnvironmentFlags now;
  now.dual_write = true;
  const Flags read = flags_from_text(text, now);
  EXPECT_FALSE(read.environment.legacy_mode);
  EXPECT_FALSE(read.environment.refactor_enabled);
  EXPECT_TRUE(read.environment.dual_write);
}

TEST(FlagsText, OfALaterVersionAreReadWithoutWhatIsUnknown) {
  const Flags flags = made(5);
  auto json = nlohmann::json::parse(to_text(flags));
  json["version"] = 9;
  json["schedule"] = {{"deep", {1, 2}}};
  json["services"]["store"] = true;
  expect_same(flags_from_text(json.dump(), {}), flags);
}

TEST(FlagsText, ThatCannotBeReadSetNothing) {
  for (const char* text : {"", "{", "null", "[]", "7", "\xFF", "{}"})
    expect_same(flags_from_text(text, {}), Flags{});
  const auto wrong =
      nlohmann::json{{"refactor", "yes"},     {"percentage", 101},
                     {"services", 5},         {"projects", {{"p", "x"}}},
                     {"sessions", {1, 2}},    {"origins", {{"a", 1}, {"b", nullptr}}},
                     {"dual_write", nullptr}, {"auto_rollback", {{"a", 1}}}};
  const Flags read = flags_from_text(wrong.dump(), {});
  EXPECT_FALSE(read.refactor);
  EXPECT_FALSE(read.percentage);
  EXPECT_TRUE(read.services.empty());
  EXPECT_TRUE(read.sessions.empty());
  for (const auto& [id, choice] : read.projects) EXPECT_TRUE(choice.empty()) << id;

  const std::string text = to_text(made(7));
  std::mt19937_64 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    for (int n = 0; n < 1 + round % 4; ++n)
      damaged.at(random() % damaged.size()) = static_cast<char>(random());
    (void)flags_from_text(damaged, {});
    (void)flags_from_text(std::string_view(text).substr(0, random() % text.size()), {});
  }
}

}  // namespace
}  // namespace term::server
