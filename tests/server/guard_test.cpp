// The guard: a flip that goes wrong is taken back by itself, once, and one that goes well is not.

#include "server/guard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "support/test_server.h"

namespace term::test {
namespace {

using adapter::FlagChange;
using adapter::Flags;
using Json = nlohmann::json;
using server::Guard;
using server::GuardFigures;
using server::way_back;

WallTime at(int seconds) { return WallTime{Millis{seconds * 1000}}; }

TEST(WayBack, IsToWhereItCameFromAndOnlyFromRefactored) {
  const Flags flags;
  FlagChange change;
  change.refactor = true;
  ASSERT_TRUE(way_back(change, flags));
  EXPECT_EQ(way_back(change, flags)->refactor, false);
  EXPECT_TRUE(way_back(change, flags)->force);
  change.refactor = false;
  EXPECT_FALSE(way_back(change, flags)) << "never in the other direction";
  change = {};
  change.services.streams = true;
  change.services.sessions = false;
  EXPECT_EQ(way_back(change, flags)->services.streams, false);
  EXPECT_FALSE(way_back(change, flags)->services.sessions);
  change = {};
  change.percentage = 25;
  EXPECT_FALSE(way_back(change, flags)) << "from all to a quarter";
  Flags legacy;
  legacy.refactor = false;
  EXPECT_EQ(way_back(change, legacy)->percentage, 0);
  legacy.percentage = 10;
  EXPECT_EQ(way_back(change, legacy)->percentage, 10);
  change = {};
  change.refactor = true;
  change.project = "p";
  EXPECT_FALSE(way_back(change, flags)) << "one project is not the service";
  change = {};
  change.auto_rollback = true;
  EXPECT_FALSE(way_back(change, flags));
}

class GuardTest : public testing::Test {
 protected:
  GuardTest() { begin(); }
  void begin() {
    FlagChange back;
    back.refactor = false;
    guard_.begin("flip-7", back, at(0), {.operations = 1000, .failed = 500, .operations_ms = 9e6});
  }
  std::optional<std::string> after(GuardFigures since, int seconds = 1) {
    guard_.look(
        {1000 + since.operations, 500 + since.failed, 9e6 + since.operations_ms, since.lost},
        at(seconds));
    return guard_.verdict();
  }
  Guard guard_{{.observation = Millis{300'000}, .min_operations = 20}};
};

TEST_F(GuardTest, JudgesWhatHappenedSinceTheFlipAlone) {
  EXPECT_FALSE(after({.operations = 0}));
  EXPECT_FALSE(after({.operations = 10'000, .failed = 50})) << "0.5 %";
  EXPECT_FALSE(after({.operations = 10'000, .failed = 100})) << "1 % is not beyond 1 %";
  const auto why = after({.operations = 10'000, .failed = 200});
  ASSERT_TRUE(why);
  EXPECT_EQ(*why, "error rate 2 % > 1 %: 200 of 10000 operations failed since flip flip-7");
}

TEST_F(GuardTest, DoesNotJudgeByAHandful) {
  EXPECT_FALSE(after({.operations = 1, .failed = 1}));
  EXPECT_FALSE(after({.operations = 19, .failed = 19}));
  EXPECT_FALSE(after({.operations = 60, .failed = 2})) << "more than 1 %, but two slips";
  EXPECT_TRUE(after({.operations = 60, .failed = 3}));
}

TEST_F(GuardTest, ALossNeedsNoOperations) {
  EXPECT_EQ(after({.lost = 1}), "1 sessions lost since flip flip-7 > 0");
}

TEST_F(GuardTest, SlownessCounts) {
  EXPECT_FALSE(after({.operations = 100, .operations_ms = 100 * 500.0}));
  const auto why = after({.operations = 100, .operations_ms = 100 * 501.0});
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("response time 501 ms > 500 ms"), std::string::npos) << *why;
}

TEST_F(GuardTest, ActsOnceAndOnlyWithinItsTime) {
  ASSERT_TRUE(after({.operations = 100, .failed = 50}));
  EXPECT_EQ(guard_.take_back().refactor, false);
  EXPECT_FALSE(after({.operations = 200, .failed = 150}));
  EXPECT_EQ(guard_.rollbacks(), 1U);
  begin();
  EXPECT_TRUE(after({.operations = 100, .failed = 50}, 300));
  EXPECT_FALSE(after({.operations = 100, .failed = 50}, 301)) << "the time is over";
  EXPECT_FALSE(guard_.watch());
  begin();
  guard_.cancel();
  EXPECT_FALSE(after({.operations = 100, .failed = 50}));
}

/// Real shells, but every n-th cannot be started.
class LeakyPtys final : public PtySource {
 public:
  LeakyPtys(Clock clock, std::atomic<unsigned>& every) : real_(std::move(clock)), every_(every) {}
  void spawn(PtyRequest request, Started done) override {
    const unsigned every = every_.load();
    if (every > 0 && ++asked_ % every == 0) return done(Error{Errc::os_error, "injected"});
    real_.spawn(std::move(request), std::move(done));
  }
  void on_end(const Pty& pty, const boost::asio::any_io_executor& executor, Ended ended) override {
    real_.on_end(pty, executor, std::move(ended));
  }
  void signal(const Pty& pty, int signal) override { real_.signal(pty, signal); }
  void release(Pty pty) override { real_.release(std::move(pty)); }

 private:
  LocalPtySource real_;
  std::atomic<unsigned>& every_;
  std::atomic<unsigned> asked_{0};
};

/// A service that serves with legacy and guards; `every_` creation fails, 0 = none.
class GuardedService : public testing::Test {
 protected:
  GuardedService() {
    server::Config config;
    config.ws_port = config.http_port = 0;
    config.shards = 2;
    config.max_creations_per_minute = 1'000'000;
    config.refactor_enabled.value = false;
    config.auto_rollback.value = true;
    auto source = std::make_unique<LeakyPtys>(monotonic_wall_clock(), every_);
    service_ = std::make_unique<server::Service>(
        std::move(config), server::Service::Parts{.source = std::move(source)});
    EXPECT_TRUE(service_->start());
  }
  Json get(const std::string& target) {
    return Json::parse(http(service_->http_port(), "GET", target).body, nullptr, false);
  }
  Json flags(const Json& body) {
    const auto reply = http(service_->http_port(), "POST", "/api/admin/feature-flags", body.dump());
    EXPECT_EQ(reply.status, 200U) << reply.body;
    return Json::parse(reply.body, nullptr, false);
  }
  /// Starts a shell and ends it, n times; how many could not be started.
  int work(int n) {
    int failed = 0;
    for (; n > 0; --n) {
      const auto reply =
          http(service_->http_port(), "POST", "/api/terminal/create", R"({"projectId": "p"})");
      if (reply.status != 200) {
        ++failed;
        continue;
      }
      const auto id = Json::parse(reply.body).at("sessionId").get<std::string>();
      http(service_->http_port(), "DELETE", "/api/terminal/close/" + id);
    }
    return failed;
  }
  Json flips() { return get("/api/admin/flips").at("flips"); }
  Json guard() { return get("/api/health/terminal").at("guard"); }
  /// The monitor has looked at all operations since the flip.
  bool looked_at(int operations) {
    return until([&] {
      const Json watch = guard().at("observing");
      return !watch.is_null() && watch.at("operations") >= operations;
    });
  }

  std::atomic<unsigned> every_{0};
  std::unique_ptr<server::Service> service_;
};

TEST_F(GuardedService, TwoPercentOfErrorsAfterAFlipBringItBackOnce) {
  ASSERT_EQ(work(20), 0);
  const auto flip = flags({{"terminal_refactor", true}, {"force", true}, {"reason", "roll out"}});
  EXPECT_EQ(guard().at("observing").at("flip"), flip.at("flip").at("id"));
  every_ = 50;
  ASSERT_EQ(work(150), 3);
  ASSERT_TRUE(until([&] { return flips().size() == 2; }));
  ASSERT_TRUE(until([&] { return !flips().at(0).at("ended").is_null(); }));
  const Json back = flips().at(0);
  EXPECT_EQ(back.at("who"), "guard");
  EXPECT_EQ(back.at("to"), "legacy");
  EXPECT_EQ(back.at("good"), true);
  const auto reason = back.at("reason").get<std::string>();
  EXPECT_NE(reason.find("error rate 2 % > 1 %"), std::string::npos) << reason;
  const Json now = get("/api/admin/feature-flags");
  EXPECT_EQ(now.at("newSessions").at("streams"), "legacy");
  EXPECT_EQ(now.at("flags").at("terminal_refactor").at("who"), "guard");

  // It goes on failing, in legacy as well: nothing flips any more.
  ASSERT_EQ(work(100), 2);
  EXPECT_TRUE(guard().at("observing").is_null());
  const double before = get("/api/health/terminal").at("uptime_ms").get<double>();
  ASSERT_TRUE(until(
      [&] { return get("/api/health/terminal").at("uptime_ms").get<double>() > before + 1500; }));
  EXPECT_EQ(flips().size(), 2U);
  EXPECT_EQ(guard().at("rollbacks"), 1);
}

TEST_F(GuardedService, HalfAPercentOfErrorsDoesNot) {
  flags({{"terminal_refactor", true}, {"force", true}});
  every_ = 200;
  ASSERT_EQ(work(420), 2);
  ASSERT_TRUE(looked_at(420));
  EXPECT_EQ(guard().at("observing").at("failed"), 2);
  EXPECT_EQ(flips().size(), 1U);
  EXPECT_EQ(get("/api/admin/feature-flags").at("newSessions").at("streams"), "refactored");
}

TEST_F(GuardedService, SwitchedOffItOnlyWatches) {
  flags({{"auto_rollback", false}});
  flags({{"terminal_refactor", true}, {"force", true}});
  every_ = 4;
  ASSERT_EQ(work(40), 10);
  ASSERT_TRUE(looked_at(40));
  EXPECT_EQ(flips().size(), 1U);
  flags({{"auto_rollback", true}});  // Still within its time.
  EXPECT_TRUE(until([&] { return flips().size() == 2; }));
}

TEST_F(GuardedService, AFlipByHandMeanwhileEndsTheWatch) {
  flags({{"terminal_refactor", true}, {"force", true}});
  EXPECT_FALSE(guard().at("observing").is_null());
  flags({{"terminal_refactor", false}, {"force", true}});
  EXPECT_TRUE(guard().at("observing").is_null());
  flags({{"services", {{"streams", true}}}, {"force", true}});
  every_ = 3;
  ASSERT_EQ(work(30), 10);
  ASSERT_TRUE(until([&] { return flips().size() == 4; }));
  EXPECT_EQ(flips().at(0).at("who"), "guard");
  EXPECT_EQ(flips().at(0).at("to"), "streams=legacy");
}

}  // namespace
}  // namespace term::test
