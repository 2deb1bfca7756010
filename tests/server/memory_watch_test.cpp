// Little memory is left: scrollback goes, then new sessions are refused; live ones go on.

#include "server/memory_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "carry_support.h"
#include "support/state_dir.h"

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

/// Files of a kernel that says what a test wants.
class MemoryLeftIn : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    const auto file = root_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void group(const std::string& path, const std::string& most, std::uint64_t used,
             std::uint64_t inactive) {
    put("cgroup" + path + "/memory.max", most + "\n");
    put("cgroup" + path + "/memory.current", std::to_string(used) + "\n");
    put("cgroup" + path + "/memory.stat",
        "anon 7\nactive_file 9\ninactive_file " + std::to_string(inactive) + "\n");
  }
  std::optional<std::uint64_t> left() const {
    return server::memory_left(root_.path() / "proc", root_.path() / "cgroup");
  }

  StateDir root_;
};

TEST_F(MemoryLeftIn, IsTheLeastOfTheMachineAndOfAllGroupsAbove) {
  EXPECT_EQ(left(), std::nullopt);
  put("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 1 kB\nMemAvailable: 8000 kB\n");
  EXPECT_EQ(left(), 8'000 * 1024U);
  put("proc/self/cgroup", "0::/user/service\n");
  EXPECT_EQ(left(), 8'000 * 1024U) << "the groups have no limit files";
  group("/user/service", "max", 5'000'000, 0);
  group("/user", "3000000", 2'500'000, 400'000);
  EXPECT_EQ(left(), 900'000U) << "file pages that nobody uses can go";
  group("/user/service", "1000000", 600'000, 0);
  EXPECT_EQ(left(), 400'000U);
  group("/user/service", "1000000", 1'200'000, 100'000);
  EXPECT_EQ(left(), 0U) << "over its limit";
}

TEST_F(MemoryLeftIn, IsThatOfTheContainersOwnRootInside) {
  put("proc/meminfo", "MemAvailable: 8000 kB\n");
  put("proc/self/cgroup", "1:name=systemd:/elsewhere\n0::/\n");
  group("", "2000000", 1'500'000, 0);
  EXPECT_EQ(left(), 500'000U);
}

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
