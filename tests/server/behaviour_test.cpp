// What a session does, whoever keeps its books: every test runs on every mix of engines over the
// three ports.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "adapter/engines.h"
#include "support/test_server.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

class Behaviour : public testing::TestWithParam<PortMix> {
 protected:
  void SetUp() override { serve_with(server_, GetParam().owners); }

  Json create(const std::string& project) {
    const auto reply =
        http(server_.port(), "POST", "/api/terminal/create", Json{{"projectId", project}}.dump());
    EXPECT_EQ(reply.status, 200U) << reply.body;
    return Json::parse(reply.body, nullptr, false);
  }
  Json call(const std::string& method, const std::string& target, const Json& body = {}) {
    const auto reply =
        http(server_.port(), method, target, body.is_null() ? std::string() : body.dump());
    Json json = Json::parse(reply.body, nullptr, false);
    json["_status"] = reply.status;
    return json;
  }
  std::vector<std::string> listed(const std::string& project) {
    std::vector<std::string> ids;
    const Json list = call("GET", "/api/terminal/list?projectId=" + project);
    for (const auto& s : list.at("sessions")) ids.push_back(s.at("id").get<std::string>());
    return ids;
  }

  TestServer server_{[](server::Config& config) {
    config.max_sessions_per_project = 12;
    config.max_focused_per_project = 2;
  }};
};

TEST_P(Behaviour, AShellAnswersAndTheEnginesAreThoseAskedFor) {
  NativeClient client(server_, "s1", {.project = "p"});
  ASSERT_FALSE(client.attached().is_null());
  const auto& engine = client.attached().at("engine");
  EXPECT_EQ(engine.at("sessions"), to_string(GetParam().owners.sessions));
  EXPECT_EQ(engine.at("streams"), to_string(GetParam().owners.streams));
  EXPECT_EQ(engine.at("telemetry"), to_string(GetParam().owners.telemetry));
  EXPECT_EQ(client.attached().at("tier"), "new");
  client.type("echo $((6*7))\n");
  EXPECT_TRUE(client.sees("\r42\r\n")) << client.output();
}

TEST_P(Behaviour, TheShellIsALoginShellWithTheEnvironmentOfASession) {
  NativeClient client(server_, "env-1", {.project = "proj"});
  client.type(
      "echo $TERM $COLORTERM $TERMINAL_SESSION_ID $TERMINAL_PROJECT_ID \"[$DATABASE_URL]\"\n");
  EXPECT_TRUE(client.sees("xterm-256color truecolor env-1 proj []\r\n")) << client.output();
}

TEST_P(Behaviour, TheWindowSizeIsThatOfTheWriterWhoCameOrTypedLast) {
  NativeClient first(server_, "s1", {.client = "a", .size = {.rows = 50, .cols = 132}});
  first.type("stty size\n");
  EXPECT_TRUE(first.sees("50 132\r\n")) << first.output();
  NativeClient second(server_, "s1", {.client = "b", .size = {.rows = 20, .cols = 60}});
  const auto resized = first.message("resized");
  ASSERT_TRUE(resized);
  EXPECT_EQ(resized->at("cols"), 60);
  EXPECT_EQ(resized->at("client"), "b");
  second.type("stty size\n");
  EXPECT_TRUE(second.sees("20 60\r\n"));
  first.type("stty size; echo by the first\n");
  EXPECT_TRUE(first.sees("by the first\r\n"));
  NativeClient watcher(server_, "s1",
                       {.client = "w", .size = {.rows = 10, .cols = 10}, .role = "viewer"});
  first.type("stty size; echo after the watcher\n");
  EXPECT_TRUE(first.sees("after the watcher\r\n"));
  EXPECT_EQ(first.output().find("10 10\r\n"), std::string::npos);
  watcher.type("echo typed by a watcher\n");
  EXPECT_TRUE(watcher.message("error"));
}

TEST_P(Behaviour, ALateViewerGetsTheScrollbackAndThenWhatComes) {
  NativeClient first(server_, "s1", {.client = "a"});
  first.type("echo be''fore\n");
  ASSERT_TRUE(first.sees("before\r\n"));
  NativeClient late(server_, "s1", {.client = "b"});
  EXPECT_EQ(late.attached().at("tier"), "warm");
  EXPECT_TRUE(late.sees("before\r\n"));
  first.type("echo af''ter\n");
  EXPECT_TRUE(late.sees("after\r\n"));
  ASSERT_TRUE(first.sees("after\r\n"));
  const auto all = first.output().find("after\r\n");
  EXPECT_EQ(late.output().substr(0, all), first.output().substr(0, all));
}

TEST_P(Behaviour, ALostConnectionDetachesAndNeverEndsTheShell) {
  std::string pid;
  {
    NativeClient client(server_, "s1", {.project = "p"});
    client.type("echo pid=$$=\n");
    ASSERT_TRUE(client.sees("\rpid="));
    ASSERT_TRUE(client.ws().wait([&](const Inbox& in) {
      const auto at = in.bytes.rfind("\rpid=");
      return at != std::string::npos && in.bytes.find('=', at + 5) != std::string::npos;
    }));
    const auto output = client.output();
    const auto at = output.rfind("\rpid=") + 5;
    pid = output.substr(at, output.find('=', at) - at);
    client.ws().cut();
  }
  EXPECT_TRUE(server_.eventually("/api/terminal/status?sessionId=s1", [](const Json& json) {
    return json.at("session").at("status") == "inactive";
  }));
  NativeClient again(server_, "s1", {.client = "again"});
  EXPECT_EQ(again.attached().at("session").at("status"), "attached");
  again.type("echo same=$(($$ == " + pid + "))\n");
  EXPECT_TRUE(again.sees("\rsame=1\r\n")) << again.output();
}

TEST_P(Behaviour, ScrollbackDoesNotWaitForTheStatusThatAttachingBrings) {
  {
    NativeClient client(server_, "s1", {.project = "p"});
    client.type("echo one$((1))\n");
    ASSERT_TRUE(client.sees("one1\r\n"));
    client.ws().cut();
  }
  ASSERT_TRUE(server_.eventually("/api/terminal/status?sessionId=s1", [](const Json& json) {
    return json.at("session").at("status") == "inactive";
  }));
  const std::vector<std::string> expected{"attached", "output", "status"};
  std::vector<std::string> order;  // The loop's thread's, until it has all of them.
  const auto note = [&](WsClient&, bool text, const std::string& message) {
    if (order.size() == expected.size()) return;
    order.push_back(text ? Json::parse(message).at("type").get<std::string>() : "output");
  };
  ClientLoop loop;
  WsClient again(loop, server_.port(), "/terminal/s1?projectId=p",
                 {.subprotocol = "terminal.v1", .on_message = note});
  again.text(Json{{"type", "attach"}, {"client", "again"}, {"cols", 80}, {"rows", 24}}.dump());
  ASSERT_TRUE(again.wait_text("\"type\":\"status\""));
  EXPECT_EQ(order, expected);
}

TEST_P(Behaviour, ExitEndsTheSessionEverywhereAndTellsItsCode) {
  NativeClient client(server_, "s1", {.project = "p"});
  NativeClient other(server_, "s1", {.client = "other", .role = "viewer"});
  client.type("exit 7\n");
  for (NativeClient* viewer : {&client, &other}) {
    const auto exit = viewer->message("exit");
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->at("code"), 7);
    ASSERT_TRUE(viewer->ws().wait_closed());
    EXPECT_EQ(viewer->ws().inbox().close_code, 1000);
  }
  EXPECT_TRUE(listed("p").empty());
}

TEST_P(Behaviour, AShellKilledBySignalSaysWhich) {
  NativeClient client(server_, "s1");
  client.type("kill -9 $$\n");
  const auto exit = client.message("exit");
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->at("signal"), "SIGKILL");
}

TEST_P(Behaviour, ClosingThroughTheApiEndsShellRegistryAndViewersAndMayBeRepeated) {
  const Json made = create("p");
  const auto id = made.at("session").at("id").get<std::string>();
  NativeClient client(server_, id, {.project = "p"});
  EXPECT_EQ(call("DELETE", "/api/terminal/close/" + id).at("success"), true);
  EXPECT_TRUE(listed("p").empty());
  ASSERT_TRUE(client.ws().wait_closed());
  EXPECT_EQ(client.ws().inbox().close_code, 4001);
  EXPECT_EQ(call("DELETE", "/api/terminal/close/" + id).at("success"), true);
}

TEST_P(Behaviour, ANativeCloseEndsTheSessionForEveryone) {
  NativeClient client(server_, "s1", {.project = "p"});
  NativeClient other(server_, "s1", {.client = "other"});
  client.control({{"type", "close"}});
  ASSERT_TRUE(client.ws().wait_closed());
  EXPECT_EQ(client.ws().inbox().close_code, 1000);
  ASSERT_TRUE(other.ws().wait_closed());
  EXPECT_EQ(other.ws().inbox().close_code, 4001);
  EXPECT_TRUE(listed("p").empty());
}

TEST_P(Behaviour, SuspendLeavesThePtyAloneAndQueuesWhatIsTypedUntilResume) {
  NativeClient client(server_, "s1", {.project = "p"});
  client.type("stty -echo; while read x; do echo got:$x; done\n");
  ASSERT_EQ(call("POST", "/api/terminal/suspend", {{"projectId", "p"}}).at("suspendedSessionCount"),
            1);
  const auto status = client.message("status");
  ASSERT_TRUE(status);
  client.type("typed while suspended\n");
  EXPECT_TRUE(server_.eventually("/api/metrics/terminals/memory", [](const Json& json) {
    return json.at("per_session").at("s1").at("input_queue") > 0;
  }));
  EXPECT_EQ(call("GET", "/api/terminal/status?sessionId=s1").at("session").at("status"),
            "suspended");
  EXPECT_EQ(client.output().find("got:typed"), std::string::npos);
  EXPECT_EQ(call("POST", "/api/terminal/resume", {{"projectId", "p"}}).at("resumed"), true);
  EXPECT_TRUE(client.sees("got:typed while suspended\r\n")) << client.output();
  EXPECT_EQ(call("POST", "/api/terminal/suspend", {{"projectId", "p"}}).at("suspendedSessionCount"),
            1);
  EXPECT_EQ(call("POST", "/api/terminal/resume", {{"projectId", "p"}}).at("resumed"), true);
}

TEST_P(Behaviour, FocusIsBoundedPerProjectAndTheOldestLosesItAndHearsOfIt) {
  NativeClient a(server_, "a", {.project = "p"});
  NativeClient b(server_, "b", {.project = "p"});
  NativeClient c(server_, "c", {.project = "p"});
  EXPECT_EQ(c.attached().at("session").at("focused"), false);
  const Json answer = call("PUT", "/api/terminal/focus", {{"sessionId", "c"}});
  EXPECT_EQ(answer.at("focusedSessions"), Json({"b", "c"}));
  EXPECT_EQ(answer.at("maxFocused"), 2);
  EXPECT_TRUE(a.ws().wait_text("\"focused\":false"));
  // A hint for the order of service, never a gate.
  a.type("echo still he''re\n");
  EXPECT_TRUE(a.sees("still here\r\n"));
  EXPECT_EQ(call("PUT", "/api/terminal/focus", {{"sessionId", "nobody"}}).at("_status"), 404);
}

TEST_P(Behaviour, ARenamedSessionIsListedUnderItsNewNameAndItsViewersHearIt) {
  NativeClient client(server_, "s1", {.project = "p"});
  EXPECT_EQ(client.attached().at("session").at("tabName"), "Terminal 1");
  EXPECT_EQ(call("PUT", "/api/terminal/rename/s1", {{"name", "büild <1>"}}).at("_status"), 200);
  EXPECT_TRUE(client.ws().wait_text("büild <1>"));
  EXPECT_EQ(call("GET", "/api/terminal/status?sessionId=s1").at("session").at("tabName"),
            "büild <1>");
  EXPECT_EQ(call("PUT", "/api/terminal/rename/s1", {{"name", ""}}).at("_status"), 400);
  client.control({{"type", "rename"}, {"name", "again"}});
  EXPECT_TRUE(client.ws().wait_text("\"tabName\":\"again\""));
}

TEST_P(Behaviour, ALimitRefusesNamesItselfAndEvictsNobody) {
  for (int i = 0; i < 12; ++i) create("p");
  const Json refused = call("POST", "/api/terminal/create", {{"projectId", "p"}});
  EXPECT_EQ(refused.at("_status"), 429);
  EXPECT_EQ(refused.at("code"), "limit_reached");
  EXPECT_NE(refused.at("error").get<std::string>().find("MAX_SESSIONS_PER_PROJECT"),
            std::string::npos);
  EXPECT_EQ(listed("p").size(), 12U);
  NativeClient late(server_, "one-more", {.project = "p"});
  ASSERT_TRUE(late.ws().wait_closed());
  EXPECT_EQ(late.ws().inbox().close_code, 1013);
  call("DELETE", "/api/terminal/close/" + listed("p").front());
  EXPECT_TRUE(server_.eventually("/api/terminal/list?projectId=p",
                                 [](const Json& j) { return j.at("sessions").size() == 11; }));
  create("p");
}

TEST_P(Behaviour, CleaningUpAProjectEndsItsSessionsAndNoOthers) {
  create("p");
  create("p");
  create("q");
  EXPECT_EQ(call("DELETE", "/api/terminal/cleanup?projectId=p").at("closedSessions"), 2);
  EXPECT_TRUE(listed("p").empty());
  EXPECT_EQ(listed("q").size(), 1U);
}

TEST_P(Behaviour, WhatIsTypedAndPrintedIsCounted) {
  const Json before = server_.json("/api/metrics/terminals");
  NativeClient client(server_, "s1", {.project = "p"});
  client.type("echo $((6*7))\n");
  ASSERT_TRUE(client.sees("\r42\r\n"));
  // Counted by turns: the client may have the bytes before they are in the figures.
  const auto seen = client.output().size();
  const auto typed = before.at("bytes").at("input").get<int>() + 14;
  EXPECT_TRUE(server_.eventually("/api/metrics/terminals", [&](const Json& now) {
    return now.at("bytes").at("input") == typed &&
           now.at("bytes").at("output").get<std::size_t>() >= seen && now.at("commands") == 1;
  }));
  const Json after = server_.json("/api/metrics/terminals");
  EXPECT_EQ(after.at("errors").at("rate"), 0);
  EXPECT_EQ(server_.json("/api/metrics/errors").at("rate"), 0);
  const auto logs = call("GET", "/api/terminal/logs?sessionId=s1");
  EXPECT_FALSE(logs.at("logs").empty());
  EXPECT_NE(server_.get("/metrics").body.find("terminal_sessions_total 1"), std::string::npos);
}

TEST_P(Behaviour, InputBeforeTheShellIsReadyIsQueuedAndNothingIsTypedByUs) {
  WsClient::Options options;
  options.subprotocol = "terminal.v1";
  WsClient ws(server_.loop(), server_.port(), "/terminal/early", std::move(options));
  ws.text(R"({"type":"attach","client":"c","input":0,"cols":80,"rows":24,"role":"writer"})");
  ws.binary("echo ear''ly\n");
  EXPECT_TRUE(ws.wait_bytes("early\r\n")) << ws.inbox().bytes;
  EXPECT_EQ(ws.inbox().bytes.find("shell_ready"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(PortMixes, Behaviour, testing::ValuesIn(all_port_mixes()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace term::test
