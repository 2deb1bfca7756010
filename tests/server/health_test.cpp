// Health names the seven and the three, and says so when one of them is not well.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "adapter/engines.h"
#include "support/test_server.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

constexpr const char* kSeven[] = {"memory",    "orchestrator", "lifecycle",  "metrics",
                                  "analytics", "logging",      "memory_pool"};
constexpr const char* kThree[] = {"SessionManager", "StreamManager", "MetricsCollector"};

TEST(Health, ListsTheSevenAndTheThreeEachWithItsOwnCheck) {
  TestServer server;
  const Json health = server.json("/api/health/terminal");
  EXPECT_EQ(health.at("status"), "healthy") << health.dump();
  EXPECT_EQ(health.at("legacy").size(), 7U);
  for (const char* module : kSeven) {
    EXPECT_EQ(health.at("legacy").at(module).at("healthy"), true) << module;
    EXPECT_NE(health.at("legacy").at(module).at("detail"), "") << module;
  }
  EXPECT_EQ(health.at("refactored").size(), 3U);
  for (const char* module : kThree)
    EXPECT_EQ(health.at("refactored").at(module).at("healthy"), true) << module;
  EXPECT_EQ(server.get("/api/health/live").status, 200U);
  EXPECT_EQ(server.get("/api/health/ready").status, 200U);
}

/// A source of ptys that has none.
class NoPtys final : public PtySource {
 public:
  void spawn(PtyRequest, Started done) override { done(Error{Errc::os_error, "no pty: injected"}); }
  void on_end(const Pty&, const boost::asio::any_io_executor&, Ended) override {}
  void signal(const Pty&, int) override {}
  void release(Pty) override {}
};

class Breaker : public testing::TestWithParam<Engine> {};

TEST_P(Breaker, FailedStartsOpenItAndHealthNamesTheModuleAnd503) {
  server::Config config;
  config.ws_port = config.http_port = 0;
  config.shards = 1;
  if (GetParam() == Engine::legacy) config.legacy_mode.value = true;
  server::Service service(std::move(config), {.source = std::make_unique<NoPtys>()});
  ASSERT_TRUE(service.start());
  for (int i = 0; i < 5; ++i) {
    const auto reply =
        http(service.ws_port(), "POST", "/api/terminal/create", R"({"projectId": "p"})");
    EXPECT_EQ(reply.status, 503U) << reply.body;
    EXPECT_NE(reply.body.find("injected"), std::string::npos) << reply.body;
  }
  const auto refused =
      http(service.ws_port(), "POST", "/api/terminal/create", R"({"projectId": "p"})");
  EXPECT_EQ(refused.status, 503U);
  EXPECT_NE(refused.body.find("breaker_open"), std::string::npos) << refused.body;
  EXPECT_TRUE(refused.headers.contains("retry-after"));

  const auto health = http(service.http_port(), "GET", "/api/health/terminal");
  EXPECT_EQ(health.status, 503U);
  const Json json = Json::parse(health.body, nullptr, false);
  EXPECT_EQ(json.at("status"), "unhealthy");
  const char* engine = GetParam() == Engine::legacy ? "legacy" : "refactored";
  const char* module = GetParam() == Engine::legacy ? "orchestrator" : "StreamManager";
  EXPECT_EQ(json.at(engine).at(module).at("healthy"), false);
  EXPECT_NE(json.at("reasons").dump().find(module), std::string::npos);
  const Json sessions = Json::parse(
      http(service.http_port(), "GET", "/api/metrics/terminals/sessions").body, nullptr, false);
  EXPECT_EQ(sessions.at("failed"), 5);
  EXPECT_EQ(sessions.at("ended"), 0);
  EXPECT_EQ(sessions.at("total"), 0);
}

INSTANTIATE_TEST_SUITE_P(Health, Breaker, testing::Values(Engine::legacy, Engine::refactored),
                         [](const auto& param) { return std::string(to_string(param.param)); });

TEST(Health, OfAShardAtItsLimitIsDegradedAndNotUnhealthy) {
  TestServer server([](server::Config& config) {
    config.max_sessions = 1;
    config.shards = 1;
  });
  NativeClient client(server, "s1");
  const auto reply = server.get("/api/health/terminal");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_NE(reply.body.find("\"degraded\""), std::string::npos);
  EXPECT_NE(reply.body.find("MAX_TERMINAL_SESSIONS"), std::string::npos);
}

TEST(Service, ASignalToLegacyModeMovesTheSessionsThatRunAndTheJournalSaysSo) {
  TestServer server;
  NativeClient client(server, "s1");
  server::Config config = server.service().config();
  config.legacy_mode.value = true;
  server.service().reload(config);
  EXPECT_TRUE(server.eventually("/api/admin/flips", [](const Json& json) {
    return json.at("flips").size() == 1 && json.at("flips").at(0).at("good") == true;
  }));
  const Json flips = server.json("/api/admin/flips");
  EXPECT_EQ(flips.at("flips").at(0).at("who"), "SIGHUP");
  EXPECT_EQ(flips.at("flips").at(0).at("moved"), 1);
  client.type("echo $((6*7))\n");
  EXPECT_TRUE(client.sees("42\r\n"));
}

TEST(Service, AViewerMayWatchAndDoNothingElse) {
  TestServer server;
  NativeClient writer(server, "s1", {.client = "a", .project = "p"});
  NativeClient watcher(server, "s1", {.client = "b", .project = "p", .role = "viewer"});
  std::size_t n = 0;
  for (const Json& message : {Json{{"type", "rename"}, {"name", "mine"}}, Json{{"type", "suspend"}},
                              Json{{"type", "focus"}, {"focused", false}}, Json{{"type", "close"}},
                              Json{{"type", "resize"}, {"cols", 10}, {"rows", 10}}}) {
    watcher.control(message);
    const auto error = watcher.message("error", n++);
    ASSERT_TRUE(error) << message.dump();
    EXPECT_EQ(error->at("code"), "not_permitted");
    EXPECT_EQ(error->at("fatal"), false);
  }
  writer.type("echo $((6*7))\n");
  EXPECT_TRUE(writer.sees("42\r\n"));
  EXPECT_TRUE(watcher.sees("42\r\n"));
}

TEST(Service, TheWorkingDirectoryFollowsTheShell) {
  TestServer server;
  NativeClient client(server, "s1");
  client.type("cd /usr\n");
  EXPECT_TRUE(server.eventually("/api/terminal/status?sessionId=s1", [](const Json& json) {
    return json.at("session").at("currentPath") == "/usr";
  }));
}

TEST(Service, StopsWithSessionsAndViewersTellsThemAndLeavesNoShell) {
  auto server = std::make_unique<TestServer>();
  ClientLoop loop;
  WsClient::Options options;
  options.subprotocol = "terminal.v1";
  WsClient ws(loop, server->port(), "/terminal/s1", std::move(options));
  ws.text(R"({"type":"attach","client":"c","input":0,"cols":80,"rows":24,"role":"writer"})");
  ASSERT_TRUE(ws.wait_text("attached"));
  ws.binary("echo pid=$$.\n");
  ASSERT_TRUE(ws.wait_bytes("\rpid="));
  server.reset();
  ASSERT_TRUE(ws.wait_closed());
  EXPECT_EQ(ws.inbox().close_code, 1001);
  EXPECT_TRUE(ws.wait_text("restarting"));
}

}  // namespace
}  // namespace term::test
