// Dual write: the other engine's registry gets the same operations, and disturbs nobody.

#include "adapter/mirror.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "adapter/projects.h"
#include "support/fake_time.h"
#include "support/forwarding_sessions.h"

namespace term::adapter {
namespace {

using namespace std::chrono_literals;

/// Renames nothing, or throws, while it is told to.
class Faulty final : public test::ForwardingSessions {
 public:
  Faulty(SessionService& inner, const bool& deaf, const bool& throws)
      : ForwardingSessions(inner), deaf_(deaf), throws_(throws) {}
  Result<void> rename(const SessionId& id, std::string_view name) override {
    if (throws_) throw std::runtime_error("injected");
    if (deaf_) return {};
    return inner_.rename(id, name);
  }
  Result<void> create(const NewSession& fresh) override {
    if (deaf_) return Error{Errc::internal, "injected: no room"};
    return inner_.create(fresh);
  }

 private:
  const bool& deaf_;
  const bool& throws_;
};

/// Time goes on by itself: whoever asks twice gets two answers, unless it is made to stand still.
class RunningClock {
 public:
  Clock clock() {
    return [this] { return now_ += 1ms; };
  }

 private:
  WallTime now_{Millis{1'795'341'600'000}};
};

class MirrorTest : public testing::TestWithParam<Engine> {
 protected:
  MirrorTest() : mirror_(engines_, moment_) {}

  Engines make() {
    Engines engines = make_engines([this] { return moment_.now(); },
                                   {.max_per_project = 3, .max_focused = 2}, {});
    const EnginePorts& shadowed = engines.of(shadow());
    auto faulty = std::make_shared<Faulty>(*shadowed.sessions, deaf_, throws_);
    EnginePorts& ports = shadow() == Engine::legacy ? engines.legacy : engines.refactored;
    ports.sessions = faulty.get();
    engines.owner = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
        engines.owner, faulty);
    return engines;
  }
  static Engine owner() { return GetParam(); }
  static Engine shadow() { return owner() == Engine::legacy ? Engine::refactored : Engine::legacy; }
  SessionService& front() { return *mirror_.routes().of(owner()).sessions; }
  std::vector<ParityDifference> compared(const SessionId& id) {
    mirror_.compare(id, owner());
    return mirror_.report().differences;
  }

  RunningClock time_;
  Moment moment_{time_.clock()};
  bool deaf_ = false;
  bool throws_ = false;
  Engines engines_ = make();
  Mirror mirror_;
};

INSTANTIATE_TEST_SUITE_P(Owners, MirrorTest, testing::Values(Engine::legacy, Engine::refactored),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST_P(MirrorTest, EveryOperationLeavesBothRegistriesEqualTimesIncluded) {
  mirror_.start(make());
  ASSERT_TRUE(front().create({.id = "s", .project_id = "p", .tab_name = "one"}));
  ASSERT_TRUE(front().transition("s", SessionState::attached, "viewer"));
  ASSERT_TRUE(front().rename("s", "two"));
  ASSERT_TRUE(front().set_focused("s", true));
  ASSERT_TRUE(front().set_window("s", {.rows = 30, .cols = 100}));
  ASSERT_TRUE(front().set_current_path("s", "/tmp"));
  ASSERT_TRUE(front().set_close_code("s", 1006));
  front().touch("s");
  ASSERT_TRUE(front().suspend("s"));
  ASSERT_TRUE(front().resume("s"));
  ASSERT_TRUE(front().transition("s", SessionState::detached, "left"));
  EXPECT_FALSE(front().transition("s", SessionState::starting, "never")) << "refused by both";
  EXPECT_EQ(compared("s"), std::vector<ParityDifference>{});
  const MirrorReport report = mirror_.report();
  EXPECT_EQ(report.mirrored, 1U);
  EXPECT_EQ(report.failures, 0U) << report.newest_failure;
  EXPECT_EQ(report.compared, 1U);
  ASSERT_TRUE(front().close("s", "over"));
  EXPECT_EQ(mirror_.report().mirrored, 0U);
}

TEST_P(MirrorTest, ShadowsCountInNothingThatAnEngineAnswers) {
  mirror_.start(make());
  ASSERT_TRUE(front().admit({.project = "p", .session = "s"}));
  ASSERT_TRUE(front().create({.id = "s", .project_id = "p"}));
  const SessionService& theirs = *engines_.of(shadow()).sessions;
  EXPECT_EQ(theirs.count(), 0U);
  EXPECT_TRUE(theirs.list(std::nullopt).empty());
  EXPECT_TRUE(theirs.projects().empty());
  EXPECT_EQ(engines_.of(owner()).sessions->count(), 1U);
}

TEST_P(MirrorTest, AnOperationThatTheShadowMissesIsFoundShownWithBothValuesAndCleared) {
  mirror_.start(make());
  ASSERT_TRUE(front().create({.id = "s", .project_id = "p", .tab_name = "old"}));
  deaf_ = true;
  ASSERT_TRUE(front().rename("s", "new"));
  const auto found = compared("s");
  ASSERT_FALSE(found.empty());
  const bool legacy_owns = owner() == Engine::legacy;
  const ParityDifference name{"s", "tabName", legacy_owns ? "new" : "old",
                              legacy_owns ? "old" : "new"};
  EXPECT_NE(std::ranges::find(found, name), found.end());
  EXPECT_EQ(mirror_.report().differing, 1U);
  EXPECT_EQ(mirror_.report().found, 1U);
  mirror_.compare("s", owner());
  EXPECT_EQ(mirror_.report().found, 1U) << "the same one is not found twice";
  deaf_ = false;
  ASSERT_TRUE(front().rename("s", "newer"));
  EXPECT_TRUE(compared("s").empty());
  EXPECT_EQ(mirror_.report().differing, 0U);
  EXPECT_EQ(mirror_.report().found, 1U);
}

TEST_P(MirrorTest, AShadowThatThrowsOrRefusesIsCountedAndTheOwnersAnswerStands) {
  mirror_.start(make());
  ASSERT_TRUE(front().create({.id = "s", .project_id = "p"}));
  throws_ = true;
  EXPECT_TRUE(front().rename("s", "x"));
  EXPECT_EQ(front().find("s")->tab_name, "x");
  EXPECT_EQ(mirror_.report().failures, 1U);
  EXPECT_NE(mirror_.report().newest_failure.find("injected"), std::string::npos);
  throws_ = false;
  deaf_ = true;
  EXPECT_TRUE(front().create({.id = "t", .project_id = "p"}));
  const auto found = compared("t");
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.back().field, "session");
  EXPECT_EQ(owner() == Engine::legacy ? found.back().refactored : found.back().legacy, "(missing)");
}

TEST_P(MirrorTest, WhatLivedBeforeIsTakenInAndStoppingForgetsIt) {
  ASSERT_TRUE(front().create({.id = "s", .project_id = "p"}));
  ASSERT_TRUE(front().admit({.project = "p", .session = "s"}));
  SessionService& before = front();
  mirror_.start(make());
  mirror_.take_in(*engines_.of(owner()).sessions->find("s"), owner());
  mirror_.take_in(*engines_.of(owner()).sessions->export_project("p"), owner());
  EXPECT_TRUE(compared("s").empty());
  mirror_.compare_project("p", owner());
  EXPECT_EQ(mirror_.report().differing, 0U);
  EXPECT_EQ(mirror_.report().mirrored, 1U);
  SessionService& mirrored = front();
  mirror_.stop();
  EXPECT_EQ(&front(), &before) << "the engine itself again";
  EXPECT_FALSE(mirror_.on());
  EXPECT_TRUE(mirrored.rename("s", "late")) << "a route taken before stays usable";
}

TEST_P(MirrorTest, ProjectsAreAdmittedFocusedMovedAndLeftInBoth) {
  mirror_.start(make());
  Projects projects(mirror_.routes());
  const auto same = [&] {
    for (const ProjectId& id : projects.all()) {
      const Engine keeper = projects.next("", true)->second;
      mirror_.compare_project(id, keeper);
    }
    return mirror_.report().differing == 0;
  };
  for (const SessionId id : {"a", "b", "c"})
    ASSERT_TRUE(projects.admit({.project = "p", .session = id}, owner()));
  ASSERT_TRUE(projects.focus("p", "c", true));
  projects.save_layout("p", R"({"currentLayout":"2x2"})");
  EXPECT_FALSE(projects.admit({.project = "p", .session = "d"}, owner())) << "three are the limit";
  EXPECT_TRUE(same());
  ASSERT_TRUE(projects.move("p", shadow()));
  EXPECT_TRUE(same()) << "shadow and owner have changed places";
  projects.leave("p", "b");
  EXPECT_TRUE(same());
  EXPECT_EQ(projects.sessions("p"), (std::vector<SessionId>{"a", "c"}));
  EXPECT_EQ(mirror_.report().failures, 0U) << mirror_.report().newest_failure;
  EXPECT_GT(mirror_.report().compared, 2U);
}

TEST_P(MirrorTest, AtMostSoManyDifferencesAreListedAndAllOfThemCounted) {
  mirror_.start(make());
  const std::size_t many = Mirror::kMaxListed + 10;
  for (std::size_t i = 0; i < many; ++i)
    ASSERT_TRUE(front().create({.id = "s" + std::to_string(i), .project_id = "p"}));
  deaf_ = true;
  for (std::size_t i = 0; i < many; ++i) {
    const SessionId id = "s" + std::to_string(i);
    ASSERT_TRUE(front().rename(id, "x"));
    mirror_.compare(id, owner());
  }
  const auto listed = [&] {
    std::set<SessionId> ids;
    for (const auto& difference : mirror_.report().differences) ids.insert(difference.id);
    return ids.size();
  };
  EXPECT_EQ(mirror_.report().differing, many);
  EXPECT_EQ(listed(), Mirror::kMaxListed);
  mirror_.forget("s0");
  mirror_.compare("s" + std::to_string(many - 1), owner());
  EXPECT_EQ(listed(), Mirror::kMaxListed) << "one more found its place";
  EXPECT_EQ(mirror_.report().differing, many - 1);
}

}  // namespace
}  // namespace term::adapter
