// kill -9 of the holder under a live service: its shells go on, and so does everything else.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/any_client.h"
#include "support/restarting.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

class HolderLoss : public RestartTest {
 protected:
  Json health() { return server().json("/api/health/terminal"); }
  Json recovered() { return health().at("holder").at("recovered"); }
  Json holder() { return health().at("holder"); }
  pid_t holder_pid() { return holder().at("pid").get<pid_t>(); }

  /// Kills the holder and returns once the service has another one.
  void kill_holder(const std::function<void()>& at_once = {}) {
    const pid_t pid = holder_pid();
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    if (at_once) at_once();
    ASSERT_TRUE(server().eventually("/api/health/terminal", [&](const Json& json) {
      const Json& now = json.at("holder");
      return now.at("status") == "ok" && now.at("pid") != pid;
    })) << holder();
    ASSERT_TRUE(is_alive(holder_pid()));
  }
};

TEST_F(HolderLoss, TenTimesInARowEverySessionGoesOnAndTheNextServiceFindsThemAll) {
  start();
  std::vector<std::unique_ptr<NativeClient>> clients;
  for (const auto& mix : all_port_mixes()) {
    serve_with(server(), mix.owners);
    clients.push_back(std::make_unique<NativeClient>(
        server(), "s-" + mix.name, NativeClient::Options{.client = "c", .project = "p"}));
    clients.back()->type("stty -echo; echo re''ady\n");
    ASSERT_TRUE(clients.back()->sees("ready"));
  }
  auto before = sessions();
  for (int round = 1; round <= 10; ++round) {
    const std::string n = std::to_string(round);
    kill_holder([&] {
      for (auto& client : clients) client->type("echo typed-" + n + "-$$\n");
    });
    EXPECT_EQ(holder().at("lost"), round);
    const auto now = sessions();
    ASSERT_EQ(now.size(), before.size()) << "round " << round;
    std::size_t i = 0;
    for (const auto& mix : all_port_mixes()) {
      const auto& one = now.at("s-" + mix.name);
      EXPECT_EQ(one.snapshot.stream.pid, before.at("s-" + mix.name).snapshot.stream.pid);
      EXPECT_TRUE(clients[i]->sees("typed-" + n + "-" + std::to_string(one.snapshot.stream.pid)))
          << mix.name << " in round " << round;
      EXPECT_FALSE(clients[i]->ws().inbox().closed) << mix.name;
      ++i;
    }
    // A new one, on the new holder.
    run("new-" + n, "echo I-am-$((1+1))", "I-am-2", {.client = "c"});
    before = sessions();
  }
  EXPECT_EQ(health().at("status"), "healthy") << health();
  std::vector<std::string> outputs;
  for (auto& client : clients) outputs.push_back(client->output());
  clients.clear();
  restart();
  EXPECT_EQ(recovered().at("sessions"), 18) << recovered();
  EXPECT_TRUE(recovered().at("disagreements").empty()) << recovered();
  std::size_t i = 0;
  for (const auto& mix : all_port_mixes()) {
    NativeClient client(server(), "s-" + mix.name, {.client = "d", .output = 0});
    client.type("echo at-la''st-$$\n");
    EXPECT_TRUE(
        client.sees("at-last-" + std::to_string(before.at("s-" + mix.name).snapshot.stream.pid)));
    EXPECT_TRUE(client.output().starts_with(outputs[i++])) << mix.name;
  }
}

TEST_F(HolderLoss, AShellThatDiesWithTheHolderEndsAndNobodyKnowsHow) {
  start();
  NativeClient dies(server(), "dies", {.client = "c"});
  NativeClient lives(server(), "lives", {.client = "c"});
  dies.type("echo re''ady\n");
  lives.type("echo re''ady\n");
  ASSERT_TRUE(dies.sees("ready"));
  ASSERT_TRUE(lives.sees("ready"));
  const pid_t pid = session("dies").snapshot.stream.pid;
  const pid_t old = holder_pid();
  // The shell first stops its holder, so that the end of it is seen by nobody.
  ASSERT_EQ(::kill(old, SIGSTOP), 0);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_EQ(::kill(old, SIGKILL), 0);
  const auto exit = dies.message("exit");
  ASSERT_TRUE(exit) << "it was never told";
  EXPECT_FALSE(exit->contains("code")) << *exit;
  EXPECT_FALSE(exit->contains("signal")) << *exit;
  EXPECT_TRUE(dies.ws().wait_closed());
  EXPECT_TRUE(server().eventually("/api/health/terminal", [&](const Json& json) {
    return json.at("holder").at("status") == "ok" && json.at("holder").at("pid") != old;
  }));
  lives.type("echo still-$((1+1))\n");
  EXPECT_TRUE(lives.sees("still-2"));
  EXPECT_TRUE(until([&] { return !sessions().contains("dies"); }));
  // And one that ends later is told by the new holder, though it is none of its children.
  lives.type("exit 3\n");
  EXPECT_TRUE(lives.message("exit"));
  EXPECT_TRUE(until([&] { return sessions().empty(); }));
}

TEST_F(HolderLoss, HealthSaysSoWhileNoHolderCanBeStarted) {
  const auto program = dir_.path() / "holder";
  std::filesystem::create_symlink(holder_program(), program);
  start([&](server::Config& config) { config.holder_program = program; });
  NativeClient client(server(), "s", {.client = "c"});
  client.type("echo re''ady\n");
  ASSERT_TRUE(client.sees("ready"));
  const pid_t old = holder_pid();
  std::filesystem::remove(program);
  ASSERT_EQ(::kill(old, SIGKILL), 0);
  ASSERT_TRUE(server().eventually("/api/health/terminal", [](const Json& json) {
    return json.at("holder").at("status") == "lost";
  }));
  EXPECT_EQ(health().at("status"), "degraded");
  EXPECT_NE(health().at("reasons").dump().find("holder"), std::string::npos) << health();
  client.type("echo still-$((1+1))\n");
  EXPECT_TRUE(client.sees("still-2"));
  const auto refused = server().post("/api/terminal/create", {{"projectId", "p"}});
  std::filesystem::create_symlink(holder_program(), program);
  ASSERT_TRUE(server().eventually("/api/health/terminal", [&](const Json& json) {
    return json.at("holder").at("status") == "ok" && json.at("holder").at("pid") != old;
  }));
  run("new", "echo I-am-$((1+1))", "I-am-2", {.client = "c"});
  client.type("echo again-$((1+1))\n");
  EXPECT_TRUE(client.sees("again-2"));
}

}  // namespace
}  // namespace term::test
