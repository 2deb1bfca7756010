// Dual write and the parity check on the real service.

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "store/store.h"
#include "support/forwarding_sessions.h"
#include "support/restarting.h"
#include "support/test_server.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

Json check(TestServer& server) {
  return Json::parse(server.post("/api/admin/parity", Json::object()).body, nullptr, false);
}

void switch_dual_write(TestServer& server, bool on) {
  const Json answer = server.flags({{"terminal_dual_write", on}});
  ASSERT_TRUE(answer.value("success", false)) << answer.dump();
}

TEST(Parity, WithoutDualWriteThereIsNothingToCompare) {
  TestServer server;
  NativeClient client(server, "s");
  const Json answer = check(server);
  EXPECT_EQ(answer.at("enabled"), false);
  EXPECT_EQ(answer.at("sessions"), 0);
  EXPECT_EQ(answer.at("differences"), Json::array());
}

TEST(Parity, LiveSessionsAreTakenInAndStayEqualThroughEverythingThatHappensToThem) {
  TestServer server;
  NativeClient old_one(server, "old", {.project = "p"});
  switch_dual_write(server, true);
  NativeClient new_one(server, "new", {.project = "p"});
  for (NativeClient* client : {&old_one, &new_one}) {
    client->control({{"type", "resize"}, {"cols", 101}, {"rows", 33}});
    client->control({{"type", "rename"}, {"name", "a name"}});
    client->control({{"type", "focus"}, {"focused", false}});
    client->type("cd /tmp; echo done$((1+1))\n");
    ASSERT_TRUE(client->sees("done2"));
  }
  server.post("/api/terminal/suspend", {{"projectId", "p"}});
  server.post("/api/terminal/resume", {{"projectId", "p"}});
  Json answer = check(server);
  EXPECT_EQ(answer.at("enabled"), true);
  EXPECT_EQ(answer.at("sessions"), 2);
  EXPECT_EQ(answer.at("differences"), Json::array()) << answer.dump(1);
  EXPECT_EQ(answer.at("failed_operations"), 0) << answer.dump();
  EXPECT_GE(answer.at("compared").get<int>(), 3) << "two sessions and a project";
  EXPECT_EQ(server.json("/api/terminal/list?projectId=p").at("sessions").size(), 2U);
  EXPECT_EQ(server.json("/api/health/terminal").at("sessions").at("total"), 2);
  old_one.control({{"type", "close"}});
  ASSERT_TRUE(
      server.eventually("/api/admin/parity", [](const Json& j) { return j.at("sessions") == 1; }));
  switch_dual_write(server, false);
  EXPECT_EQ(check(server).at("sessions"), 0);
  new_one.type("echo still$((1+1))\n");
  EXPECT_TRUE(new_one.sees("still2"));
}

TEST(Parity, OwnerAndShadowChangePlacesInEveryKindOfFlip) {
  TestServer server;
  std::vector<std::unique_ptr<NativeClient>> clients;
  for (int i = 0; i < 6; ++i)
    clients.push_back(std::make_unique<NativeClient>(server, "flip-" + std::to_string(i),
                                                     NativeClient::Options{.project = "p"}));
  switch_dual_write(server, true);
  const Json flips[] = {
      {{"terminal_refactor", false}},
      {{"terminal_refactor", true}},
      {{"services", {{"sessions", false}}}},
      {{"services", {{"streams", false}, {"telemetry", false}}}},
      {{"terminal_refactor", true}},
      {{"terminal_refactor", false}, {"session", "flip-3"}},
      {{"refactored_percentage", 50}},
  };
  for (Json flip : flips) {
    flip["force"] = true;
    const Json done = server.flags(flip);
    ASSERT_TRUE(done.contains("flip")) << done.dump();
    EXPECT_EQ(done.at("flip").at("good"), true) << done.dump();
    clients[0]->control({{"type", "rename"}, {"name", flip.dump().substr(0, 40)}});
    clients[1]->type("echo x\n");
    const Json answer = check(server);
    EXPECT_EQ(answer.at("sessions"), 6) << flip.dump();
    EXPECT_EQ(answer.at("differences"), Json::array()) << flip.dump() << answer.dump(1);
    EXPECT_EQ(answer.at("failed_operations"), 0) << flip.dump() << answer.dump(1);
  }
  EXPECT_EQ(server.json("/api/health/terminal").at("status"), "healthy");
}

class ParityOverRestarts : public RestartTest {};

TEST_F(ParityOverRestarts, TheShadowsAreThereAgainMadeOfTheOwnersRecords) {
  start();
  switch_dual_write(server(), true);
  run("a", "echo one$((1+1))", "one2", {.project = "p"});
  serve_with(server(), adapter::all(Engine::legacy));
  run("b", "echo two$((1+1))", "two2", {.project = "p"});
  const auto expect_both_equal = [&] {
    const Json answer = check(server());
    EXPECT_EQ(answer.at("enabled"), true);
    EXPECT_EQ(answer.at("sessions"), 2);
    EXPECT_EQ(answer.at("differences"), Json::array()) << answer.dump(1);
    EXPECT_EQ(answer.at("failed_operations"), 0) << answer.dump();
  };
  expect_both_equal();
  restart();
  expect_both_equal();
  run("a", "echo three$((1+1))", "three2", {.client = "later", .project = "p"});
  expect_both_equal();
  switch_dual_write(server(), false);
  restart();
  EXPECT_EQ(check(server()).at("enabled"), false);
}

TEST_F(ParityOverRestarts, BothRowsOfASessionAreComparedAndADifferenceIsShownUntilItIsGone) {
  start();
  switch_dual_write(server(), true);
  NativeClient client(server(), "s", {.project = "p"});
  const auto tables = [&](int compared, int differing) {
    return until([&] {
      const Json found = check(server()).at("tables");
      return found.at("compared") == compared && found.at("differing") == differing;
    });
  };
  ASSERT_TRUE(tables(1, 0)) << check(server()).dump(1);
  {
    auto store = store::open_store({.sqlite_path = (dir_.path() / "terminal.db").string()});
    ASSERT_TRUE(store);
    auto row = (*store)->session(store::Table::legacy, "s");
    ASSERT_TRUE(row && *row);
    (*row)->snapshot.session.tab_name = "somebody else's";
    store::Batch batch;
    batch.sessions.push_back({.stored = **row, .keep_other = true});
    batch.sessions.back().stored.owners = adapter::all(Engine::legacy);
    ASSERT_TRUE((*store)->write(batch));
  }
  ASSERT_TRUE(tables(1, 1)) << check(server()).dump(1);
  const std::string shown = check(server()).at("differences").dump();
  EXPECT_NE(shown.find("somebody else's"), std::string::npos) << shown;
  EXPECT_NE(shown.find("Terminal 1"), std::string::npos) << shown;
  client.control({{"type", "rename"}, {"name", "its own"}});
  EXPECT_TRUE(tables(1, 0)) << check(server()).dump(1);
}

/// Renames nothing while `deaf`.
class Deaf final : public ForwardingSessions {
 public:
  Deaf(SessionService& inner, const std::atomic<bool>& deaf)
      : ForwardingSessions(inner), deaf_(deaf) {}
  Result<void> rename(const SessionId& id, std::string_view name) override {
    if (deaf_) return {};
    return inner_.rename(id, name);
  }

 private:
  const std::atomic<bool>& deaf_;
};

adapter::EngineFactory with_deaf_legacy(const std::atomic<bool>& deaf) {
  return [&deaf](const Clock& clock, const SessionLimits& a, const StreamLimits& b) {
    adapter::Engines engines = adapter::make_engines(clock, a, b);
    auto sessions = std::make_shared<Deaf>(*engines.legacy.sessions, deaf);
    engines.legacy.sessions = sessions.get();
    engines.owner = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
        engines.owner, sessions);
    return engines;
  };
}

TEST(Parity, ABrokenEngineIsFoundByItselfShownWithBothValuesAndClearedWhenItIsRightAgain) {
  std::atomic<bool> deaf = false;
  TestServer server([](server::Config& config) { config.dual_write.value = true; },
                    with_deaf_legacy(deaf));
  NativeClient client(server, "s");
  const auto old_name = client.attached().at("session").at("tabName").get<std::string>();
  deaf = true;
  client.control({{"type", "rename"}, {"name", "fresh"}});
  // Nobody asks for a check: the service looks by itself.
  ASSERT_TRUE(
      server.eventually("/api/admin/parity", [](const Json& j) { return j.at("differing") == 1; }));
  Json expected{{"id", "s"}, {"field", "tabName"}, {"legacy", old_name}, {"refactored", "fresh"}};
  bool listed = false;
  const Json seen = server.json("/api/admin/parity");
  for (const Json& difference : seen.at("differences")) listed |= difference == expected;
  EXPECT_TRUE(listed) << seen.dump(1);
  const Json health = server.json("/api/health/terminal");
  EXPECT_EQ(health.at("status"), "degraded");
  EXPECT_NE(health.at("reasons").dump().find("parity"), std::string::npos);
  EXPECT_EQ(health.at("dual_write").at("differing"), 1);
  EXPECT_NE(server.get("/metrics").body.find("terminal_parity_differing 1"), std::string::npos);
  EXPECT_EQ(server.json("/api/terminal/status?sessionId=s").at("session").at("tabName"), "fresh")
      << "the owner's answer is the one that counts";

  deaf = false;
  client.control({{"type", "rename"}, {"name", "fresher"}});
  ASSERT_TRUE(server.eventually("/api/terminal/status?sessionId=s", [](const Json& j) {
    return j.at("session").at("tabName") == "fresher";
  }));
  EXPECT_EQ(check(server).at("differences"), Json::array());
  EXPECT_EQ(server.json("/api/health/terminal").at("status"), "healthy");
  EXPECT_EQ(server.json("/api/admin/parity").at("found"), 1);
}

}  // namespace
}  // namespace term::test
