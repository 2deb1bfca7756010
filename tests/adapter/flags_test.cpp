// Which engine serves a session, strongest reason first (DESIGN.md 7).

#include "adapter/flags.h"

#include <gtest/gtest.h>

#include "adapter/engines.h"
#include "adapter/flip.h"

namespace term::adapter {
namespace {

const Owners kLegacy = all(Engine::legacy);
const Owners kRefactored = all(Engine::refactored);

Flags with(const Flags& flags, const FlagChange& change) {
  auto next = apply(flags, change, WallTime{});
  EXPECT_TRUE(next) << (next ? "" : next.error().detail);
  return next ? *next : flags;
}

TEST(Flags, WithoutAWordFromAnybodyItIsRefactored) {
  EXPECT_EQ(Flags{}.choose("p", "s"), kRefactored);
}

TEST(Flags, TheEnvironmentIsWeakerThanTheApiAndStrongerThanTheDefault) {
  Flags flags;
  flags.environment.refactor_enabled = false;
  EXPECT_EQ(flags.choose("p", "s"), kLegacy);
  EXPECT_EQ(with(flags, {.refactor = true}).choose("p", "s"), kRefactored);
}

TEST(Flags, LegacyModeBeatsEverythingAndRefusesChangesNamingItself) {
  Flags flags = with({}, {.refactor = true});
  flags = with(flags, {.refactor = true, .session = "s"});
  flags.environment.legacy_mode = true;
  flags.environment.legacy_mode_source = ".env";
  EXPECT_EQ(flags.choose("p", "s"), kLegacy);
  const auto refused = apply(flags, {.refactor = true}, WallTime{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::overridden);
  EXPECT_NE(refused.error().detail.find("TERMINAL_LEGACY_MODE"), std::string::npos);
  EXPECT_NE(refused.error().detail.find(".env"), std::string::npos);
  EXPECT_TRUE(apply(flags, {.auto_rollback = true}, WallTime{})) << "that is another matter";
  EXPECT_TRUE(apply(flags, {.refactor = false, .force = true}, WallTime{})) << "a rollback agrees";
}

TEST(Flags, TheNarrowerChoiceWins) {
  Flags flags = with({}, {.refactor = false});
  flags = with(flags, {.services = {.streams = true}});
  EXPECT_EQ(flags.choose("p", "s"), (Owners{Engine::legacy, Engine::refactored, Engine::legacy}));
  flags = with(flags, {.refactor = true, .project = "p"});
  EXPECT_EQ(flags.choose("p", "s"), kRefactored);
  EXPECT_EQ(flags.choose("q", "s").sessions, Engine::legacy);
  flags = with(flags, {.services = {.telemetry = false}, .session = "s"});
  EXPECT_EQ(flags.choose("p", "s"),
            (Owners{Engine::refactored, Engine::refactored, Engine::legacy}));
  EXPECT_EQ(flags.choose("p", "t"), kRefactored);
}

TEST(Flags, TheEmergencyCommandEndsEveryNarrowerChoice) {
  Flags flags = with({}, {.services = {.streams = true}});
  flags = with(flags, {.percentage = 80});
  flags = with(flags, {.refactor = true, .project = "p"});
  flags = with(flags, {.refactor = true, .session = "s"});
  flags = with(flags, {.refactor = false});
  EXPECT_EQ(flags.choose("p", "s"), kLegacy);
  EXPECT_TRUE(flags.projects.empty());
  EXPECT_TRUE(flags.sessions.empty());
  EXPECT_FALSE(flags.percentage);
}

TEST(Flags, APercentageIsAStableShareOfTheSessions) {
  const Flags none = with({}, {.percentage = 0});
  const Flags some = with({}, {.percentage = 25});
  const Flags more = with({}, {.percentage = 60});
  const Flags every = with({}, {.percentage = 100});
  int refactored = 0;
  for (int i = 0; i < 4000; ++i) {
    const SessionId id = "session_17000000000" + std::to_string(i) + "_abcdefgh";
    EXPECT_EQ(none.choose("p", id), kLegacy);
    EXPECT_EQ(every.choose("p", id), kRefactored);
    const bool in = some.choose("p", id) == kRefactored;
    refactored += in ? 1 : 0;
    EXPECT_EQ(some.choose("p", id), some.choose("q", id)) << "the id alone decides";
    if (in) EXPECT_EQ(more.choose("p", id), kRefactored) << "who is in stays in";
  }
  EXPECT_GT(refactored, 4000 * 22 / 100);
  EXPECT_LT(refactored, 4000 * 28 / 100);
  EXPECT_EQ(some.choose("p", {}), kLegacy) << "most of them";
  EXPECT_EQ(more.choose("p", {}), kRefactored);
}

TEST(Flags, WhatCannotBeMeantIsRefusedAndNamed) {
  const std::vector<std::pair<FlagChange, std::string>> wrong{
      {{}, "nothing to change"},
      {{.percentage = 101}, "101"},
      {{.percentage = -1}, "-1"},
      {{.refactor = true, .project = "p", .session = "s"}, "not both"},
      {{.percentage = 5, .project = "p"}, "narrowed"},
      {{.session = "s", .dual_write = true}, "terminal_refactor"},
  };
  for (const auto& [change, word] : wrong) {
    const auto refused = apply({}, change, WallTime{});
    ASSERT_FALSE(refused) << word;
    EXPECT_EQ(refused.error().code, Errc::bad_argument);
    EXPECT_NE(refused.error().detail.find(word), std::string::npos) << refused.error().detail;
  }
}

TEST(Flags, WhoChangedWhatAndWhyIsKept) {
  const Flags flags =
      with({}, {.refactor = false, .reason = "errors after 2.1", .who = "127.0.0.1"});
  const auto& origin = flags.origins.at("terminal_refactor");
  EXPECT_EQ(origin.source, "api");
  EXPECT_EQ(origin.who, "127.0.0.1");
  EXPECT_EQ(origin.reason, "errors after 2.1");
}

TEST(FlipJournal, KeepsTheNewestAndCountsWhatFellOut) {
  FlipJournal journal;
  for (int i = 0; i < 1005; ++i) journal.open({.to = std::to_string(i)});
  EXPECT_EQ(journal.entries().size(), 1000U);
  EXPECT_EQ(journal.dropped(), 5U);
  EXPECT_EQ(journal.entries().back().to, "1004");
  EXPECT_EQ(journal.find(journal.entries().front().id), &journal.entries().front());
  EXPECT_EQ(journal.find("flip_1"), nullptr);
}

TEST(FlipJournal, TheHashOfOffsetsDoesNotDependOnTheOrderOfTheMoves) {
  const MoveResult a{.id = "a", .before = "0-10", .after = "0-10"};
  const MoveResult b{.id = "b", .before = "5-7", .after = "5-8"};
  EXPECT_EQ(offsets_sha256({a, b}, false), offsets_sha256({b, a}, false));
  EXPECT_NE(offsets_sha256({a, b}, false), offsets_sha256({a, b}, true));
  EXPECT_EQ(offsets_sha256({}, false),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace term::adapter
