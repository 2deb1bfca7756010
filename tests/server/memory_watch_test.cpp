// Little memory is left: scrollback goes, then new sessions are refused; live ones go on.

#include "server/memory_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "carry_support.h"

namespace term::test {
namespace {

using Json = nlohmann::json;
using server::MemoryWatch;

constexpr std::uint64_t kReserve = 1024UL * 1024 * 1024;
constexpr int kLines = 40'000;

std::string printed_lines() {
  std::string all;
  for (int i = 1; i <= kLines; ++i) all += std::to_string(i) + "\n";
  return all;
}

/// A service that is told how much memory is left.
class MemoryPressure : public testing::TestWithParam<Engine> {
 protected:
  MemoryPressure() {
    const Engine engine = GetParam();
    serve_with(server(), Owners{engine, engine, engine});
    auto& shards = server().service().shards();
    on_shard(shards.at(0), [this] {
      server().service().operations().memory().read_by([reading = reading_] {
        return reading->once ? reading->left.exchange(2 * kReserve) : reading->left.load();
      });
      return true;
    });
  }

  TestServer& server() { return place_.server(); }
  /// A session that has printed its lines. All of them do so at go().
  void print(std::initializer_list<const char*> ids) {
    for (const char* id : ids) place_.create(id);
    place_.go();
    for (const char* id : ids) ASSERT_TRUE(place_.printed(id, lines_.size()));
  }
  std::size_t held(const SessionId& id) {
    auto& home = place_.shard(id);
    return on_shard(home, [&] { return home.sessions->find(id)->ring().size(); });
  }
  bool health(const std::function<bool(const Json&)>& done) {
    return server().eventually("/api/health/terminal", done);
  }
  HttpReply create(const std::string& id) {
    return server().post("/api/terminal/create", {{"projectId", "p"}, {"sessionId", id}});
  }

  struct Reading {
    std::atomic<std::uint64_t> left{2 * kReserve};
    std::atomic<bool> once{false};  ///< There is plenty again afterwards.
  };
  const std::string lines_ = printed_lines();
  std::shared_ptr<Reading> reading_ = std::make_shared<Reading>();
  CarryServer place_{kWait + ("seq 1 " + std::to_string(kLines)) + "; exec cat",
                     [](server::Config& config) { config.memory_reserve_bytes = kReserve; }};
};

TEST_P(MemoryPressure, TakesWhatIsWantingFromTheSessionThatIsAlone) {
  place_.create("alone");
  place_.create("watched");
  NativeClient viewer(server(), "watched");
  place_.go();
  for (const char* id : {"alone", "watched"}) ASSERT_TRUE(place_.printed(id, lines_.size()));
  ASSERT_TRUE(viewer.sees(std::to_string(kLines) + "\n"));
  constexpr std::size_t kWanting = 100'000;
  reading_->once = true;
  reading_->left = kReserve - kWanting;
  ASSERT_TRUE(health([](const Json& j) {
    return j.at("memory").at("rings_shrunk") == 1 && j.at("memory").at("pressure") == false;
  }));
  EXPECT_EQ(held("alone"), lines_.size() - kWanting);
  EXPECT_TRUE(lines_.ends_with(place_.output("alone"))) << "the newest stay";
  EXPECT_EQ(place_.output("watched"), lines_);
  EXPECT_EQ(server().json("/api/health/terminal").at("memory").at("refusing"), false);
  EXPECT_NE(server().get("/metrics").body.find("terminal_scrollback_given_up_bytes_total 100000\n"),
            std::string::npos);

  NativeClient late(server(), "alone", {.client = "late", .output = 0});
  EXPECT_TRUE(late.message("gap").has_value()) << "who asks for what went is told";
  late.type("typed");
  EXPECT_TRUE(late.sees("typed"));
}

TEST_P(MemoryPressure, KeepsWhatAViewerHasNotAcknowledged) {
  place_.create("s");
  NativeClient slow(server(), "s", {.client = "slow", .acknowledge = false});
  place_.go();
  ASSERT_TRUE(place_.printed("s", lines_.size()));
  ASSERT_TRUE(slow.sees(std::to_string(kLines) + "\n"));
  reading_->left = 0;
  // Nothing can be given up, so that is said at once.
  ASSERT_TRUE(health([](const Json& j) { return j.at("memory").at("refusing") == true; }));
  EXPECT_EQ(place_.output("s"), lines_);
  slow.control({{"type", "ack"}, {"output", lines_.size()}});
  ASSERT_TRUE(health([](const Json& j) { return j.at("memory").at("rings_shrunk") == 1; }));
  EXPECT_EQ(held("s"), MemoryWatch::kKeepBytes);
  EXPECT_EQ(slow.output(), lines_);
}

TEST_P(MemoryPressure, RefusesNewSessionsAndGoesOnWithTheOldOnes) {
  print({"a", "b"});
  reading_->left = 4096;
  ASSERT_TRUE(health([](const Json& j) {
    return j.at("memory").at("refusing") == true && j.at("memory").at("rings_shrunk") == 2;
  }));
  EXPECT_EQ(held("a"), MemoryWatch::kKeepBytes);
  EXPECT_EQ(held("b"), MemoryWatch::kKeepBytes);
  const auto refused = create("c");
  EXPECT_EQ(refused.status, 429U) << refused.body;
  for (const char* part : {"limit_reached", "TERMINAL_MEMORY_RESERVE", "4096", "1073741824"})
    EXPECT_NE(refused.body.find(part), std::string::npos) << part << " in " << refused.body;
  const Json sick = server().json("/api/health/terminal");
  EXPECT_EQ(sick.at("status"), "degraded");
  EXPECT_NE(sick.at("reasons").dump().find("new sessions are refused"), std::string::npos);
  EXPECT_EQ(sick.at("memory").at("sessions_refused"), 1);

  NativeClient client(server(), "a");
  client.type("still here");
  EXPECT_TRUE(client.sees("still here"));
  reading_->left = 2 * kReserve;
  ASSERT_TRUE(health([](const Json& j) { return j.at("memory").at("refusing") == false; }));
  EXPECT_EQ(create("c").status, 200U);
}

INSTANTIATE_TEST_SUITE_P(Engines, MemoryPressure,
                         testing::Values(Engine::legacy, Engine::refactored),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST(MemoryLeft, IsNoMoreThanTheMachineHas) {
  const auto left = server::memory_left();
  ASSERT_TRUE(left.has_value());
  std::ifstream lines("/proc/meminfo");
  std::string word;
  std::uint64_t total_kib = 0;
  lines >> word >> total_kib;
  ASSERT_EQ(word, "MemTotal:");
  EXPECT_GT(*left, 0U);
  EXPECT_LE(*left, total_kib * 1024);
}

}  // namespace
}  // namespace term::test
