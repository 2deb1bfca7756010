// A service goes, the next one goes on with every session: same shell, same bytes, same engine.

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "support/any_client.h"
#include "support/restarting.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

class Recovery : public RestartTest {
 protected:
  Json health() { return server().json("/api/health/terminal"); }
  Json recovered() { return health().at("holder").at("recovered"); }
};

/// What must be the same before and after, whoever looks.
void expect_same(const SessionView& now, const SessionView& before) {
  const SessionRecord& a = now.snapshot.session;
  const SessionRecord& b = before.snapshot.session;
  EXPECT_EQ(now.owners, before.owners) << a.id;
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.project_id, b.project_id) << a.id;
  EXPECT_EQ(a.tab_name, b.tab_name) << a.id;
  EXPECT_EQ(a.focused, b.focused) << a.id;
  EXPECT_EQ(a.created_at, b.created_at) << a.id;
  EXPECT_EQ(a.shell, b.shell) << a.id;
  EXPECT_EQ(a.current_path, b.current_path) << a.id;
  EXPECT_EQ(a.environment, b.environment) << a.id;
  EXPECT_EQ(a.window, b.window) << a.id;
  EXPECT_EQ(a.type, b.type) << a.id;
  EXPECT_EQ(a.metadata, b.metadata) << a.id;
  EXPECT_EQ(a.suspension.has_value(), b.suspension.has_value()) << a.id;
  const StreamRecord& c = now.snapshot.stream;
  const StreamRecord& d = before.snapshot.stream;
  EXPECT_EQ(c.pid, d.pid) << a.id;
  EXPECT_EQ(c.window, d.window) << a.id;
  EXPECT_EQ(c.suspended, d.suspended) << a.id;
  EXPECT_EQ(c.first_offset, d.first_offset) << a.id;
  ASSERT_GE(c.next_offset, d.next_offset) << a.id;
  EXPECT_TRUE(c.data->starts_with(*d.data)) << a.id << ": other bytes";
  for (const auto& [client, offsets] : d.input) {
    if (offsets.written == 0) continue;
    ASSERT_TRUE(c.input.contains(client)) << a.id << " " << client;
    EXPECT_EQ(c.input.at(client).written, offsets.written) << a.id << " " << client;
  }
}

TEST_F(Recovery, EverySessionComesBackOnTheEnginesThatHadItHoweverManyShardsThereAre) {
  start([](server::Config& config) { config.shards = 1; });
  for (const auto& mix : all_port_mixes()) {
    serve_with(server(), mix.owners);
    run("mix-" + mix.name, "echo hello-$((40+2)) '" + mix.name + "'", "hello-42",
        {.client = "typist",
         .project = "p-" + mix.name.substr(0, 1),
         .size = {.rows = 30, .cols = 99}});
  }
  ASSERT_EQ(
      server().post("/api/terminal/focus", {{"sessionId", "mix-LRL"}, {"projectId", "p-L"}}).status,
      200U);
  std::map<std::string, SessionView> before = sessions();
  ASSERT_EQ(before.size(), 8U);
  std::set<std::size_t> shards_used;
  for (const unsigned shards : {2U, 4U, 1U, 3U}) {
    restart([&](server::Config& config) { config.shards = shards; });
    EXPECT_EQ(recovered().at("sessions"), 8);
    EXPECT_TRUE(recovered().at("failed").empty()) << recovered();
    EXPECT_TRUE(recovered().at("disagreements").empty()) << recovered();
    const auto now = sessions();
    ASSERT_EQ(now.size(), 8U);
    for (const auto& [id, one] : now) {
      expect_same(one, before.at(id));
      shards_used.insert(one.shard);
      // Its viewer gets every byte from the first, and the shell is the same one.
      NativeClient viewer(server(), id, {.client = "v" + std::to_string(shards), .output = 0});
      viewer.type("echo pid-is-$$-on-$((" + std::to_string(shards) + "+0))\n");
      EXPECT_TRUE(viewer.sees("pid-is-" + std::to_string(one.snapshot.stream.pid) + "-on-" +
                              std::to_string(shards)));
      EXPECT_TRUE(viewer.output().starts_with(*one.snapshot.stream.data)) << id;
    }
    before = sessions();
  }
  EXPECT_GE(shards_used.size(), 3U);
}

TEST_F(Recovery, ASessionThatWasFloodedWhileNobodyServedItHasEveryByte) {
  start();
  const TempFile go;
  std::string seen;
  {
    NativeClient client(server(), "flood", {.client = "c"});
    client.type("stty raw -echo; echo READ''Y; while ! [ -s " + go.path() +
                " ]; do :; done; seq 1 2500; echo DO''NE\n");
    ASSERT_TRUE(client.sees("READY"));
    seen = client.output();
  }
  stop();
  std::ofstream(go.path()) << "go";  // 12 KB: the pty keeps what nobody reads.
  start();
  NativeClient client(server(), "flood", {.client = "c", .output = seen.size()});
  ASSERT_TRUE(client.sees("DONE"));
  std::string numbers;
  for (int i = 1; i <= 2500; ++i) numbers += std::to_string(i) + "\n";
  const std::string all = seen + client.output();
  const auto at = all.find("READY\n") + 6;
  EXPECT_TRUE(same_bytes(all.substr(at, numbers.size()), numbers));
  EXPECT_FALSE(client.attached().contains("gap"));
}

TEST_F(Recovery, ASuspendedSessionStaysSuspendedAndItsQueuedInputArrivesOnce) {
  start();
  const std::string first = "stty -echo; echo on''e\n";
  const std::string second = "echo twice-$((2*21))\n";
  {
    NativeClient client(server(), "s", {.client = "typist", .project = "p"});
    client.type(first);
    ASSERT_TRUE(client.sees("one"));
    ASSERT_EQ(server().post("/api/terminal/suspend", {{"projectId", "p"}}).status, 200U);
    client.type(second);
    ASSERT_TRUE(until([&] {
      return session("s").snapshot.stream.input["typist"].accepted == first.size() + second.size();
    }));
  }
  restart();
  EXPECT_EQ(session("s").snapshot.session.status, SessionState::suspended);
  // What was accepted and not written the client still has.
  NativeClient client(server(), "s",
                      {.client = "typist", .project = "p", .output = 0, .input = first.size()});
  ASSERT_EQ(client.attached().value("input", Offset{0}), first.size()) << client.attached();
  client.type(second);
  ASSERT_TRUE(until([&] {
    return session("s").snapshot.stream.input["typist"].accepted == first.size() + second.size();
  }));
  EXPECT_EQ(client.output().find("twice-42"), std::string::npos);
  ASSERT_EQ(server().post("/api/terminal/resume", {{"projectId", "p"}}).status, 200U);
  ASSERT_TRUE(client.sees("twice-42"));
  client.type("echo last-$((1+1))\n");
  ASSERT_TRUE(client.sees("last-2"));
  const std::string all = client.output();
  EXPECT_EQ(all.find("twice-42"), all.rfind("twice-42")) << "delivered twice";
}

TEST_F(Recovery, AShellThatEndsInBetweenIsToldWithItsStatus) {
  start();
  const TempFile go;
  run("ends", "echo wait''ing; while ! [ -s " + go.path() + " ]; do :; done; echo la''st; exit 37",
      "waiting");
  const pid_t pid = session("ends").snapshot.stream.pid;
  stop();
  std::ofstream(go.path()) << "go";
  ASSERT_TRUE(until([&] { return !is_alive(pid); }));
  start();
  EXPECT_EQ(recovered().at("ended"), 1) << recovered();
  NativeClient client(server(), "ends", {.client = "late", .output = 0});
  EXPECT_TRUE(client.sees("last"));
  const auto exit = client.message("exit");
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->value("code", -1), 37) << *exit;
}

/// The arena, while no service has it.
class Damage {
 public:
  explicit Damage(const StateDir& dir) : link_(dir.take_over().value()) {
    auto named = link_->fetch().value();
    arena_ = Arena::open(std::move(named.at("arena"))).value();
    for (auto& held : link_->list().value()) slots_[held.id] = held.slot;
  }
  ArenaSlot slot(const std::string& id) { return arena_->slot(slots_.at(id)); }
  HolderLink& link() { return *link_; }

 private:
  std::shared_ptr<HolderLink> link_;
  std::unique_ptr<Arena> arena_;
  std::map<std::string, std::uint32_t> slots_;
};

TEST_F(Recovery, WhereTheRecordsDisagreeTheSessionGoesOnAndHealthSaysWhatWasDone) {
  start();
  for (const char* id : {"sound", "no-books", "torn-books", "strange-books", "other-pid"})
    run(id, "echo I-am-$((1+1))", "I-am-2", {.client = "c", .project = "p"});
  const auto before = sessions();
  stop();
  {
    Damage damage(dir_);
    (void)damage.slot("no-books").books().write("");
    (void)damage.slot("torn-books").books().write(R"({"version":1,"owners":{"sessions":)");
    (void)damage.slot("strange-books").books().write(damage.slot("sound").books().read());
    damage.slot("other-pid").header().pid.store(1);
  }
  start();
  const Json report = recovered();
  EXPECT_EQ(report.at("sessions"), 5) << report;
  EXPECT_TRUE(report.at("failed").empty()) << report;
  EXPECT_EQ(report.at("disagreements").size(), 4U) << report;
  for (const char* id : {"no-books", "torn-books", "strange-books", "other-pid"})
    EXPECT_NE(report.at("disagreements").dump().find(id), std::string::npos) << id << report;
  const auto now = sessions();
  for (const auto& [id, one] : before) {
    ASSERT_TRUE(now.contains(id)) << id;
    EXPECT_EQ(now.at(id).snapshot.stream.pid, one.snapshot.stream.pid) << id;
    if (id == "other-pid") {
      EXPECT_EQ(now.at(id).snapshot.stream.data->find("I-am-2"), std::string::npos);
    } else {
      EXPECT_TRUE(now.at(id).snapshot.stream.data->starts_with(*one.snapshot.stream.data)) << id;
    }
    run(id, "echo still-$$-here", "still-" + std::to_string(one.snapshot.stream.pid) + "-here",
        {.client = "d"});
  }
  // It is put down again as it is now: the next one finds nothing to complain of.
  restart();
  EXPECT_EQ(recovered().at("sessions"), 5);
  EXPECT_TRUE(recovered().at("disagreements").empty()) << recovered();
}

TEST_F(Recovery, ASessionBeyondTheArenaIsReportedAndLeftAlone) {
  start();
  run("sound", "echo I-am-$((1+1))", "I-am-2");
  stop();
  pid_t stranger = 0;
  {
    boost::asio::io_context io;
    const auto link = dir_.take_over().value();
    HolderPtySource source;
    source.use(link);
    link->serve(io.get_executor(), {});
    source.spawn({.command = {.argv = {"/bin/sleep", "1000"}, .env = {}, .directory = "/"},
                  .size = {},
                  .id = "stranger",
                  .slot = 60'000},
                 [&](const Result<Pty>& pty) {
                   stranger = pty.value().pid;
                   link->close();
                 });
    io.run_for(std::chrono::seconds(20));
  }
  ASSERT_GT(stranger, 0);
  start();
  EXPECT_EQ(recovered().at("sessions"), 1);
  ASSERT_EQ(recovered().at("failed").size(), 1U) << recovered();
  EXPECT_EQ(recovered().at("failed").at(0).at("id"), "stranger");
  EXPECT_EQ(health().at("status"), "degraded");
  EXPECT_TRUE(is_alive(stranger));
  run("sound", "echo still-$((1+1))", "still-2", {.client = "d"});
}

TEST_F(Recovery, WhatAProjectRemembersIsMadeOfItsSessions) {
  start();
  const auto create = [&] {
    return Json::parse(server().post("/api/terminal/create", {{"projectId", "p"}}).body, nullptr,
                       false);
  };
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(create().value("sessionId", ""));
  ASSERT_EQ(
      server().post("/api/terminal/focus", {{"sessionId", ids[1]}, {"projectId", "p"}}).status,
      200U);
  const auto focused = server().json("/api/terminal/focus?projectId=p").at("focusedSessions");
  restart();
  EXPECT_EQ(server().json("/api/terminal/focus?projectId=p").at("focusedSessions").size(),
            focused.size());
  EXPECT_EQ(server().json("/api/terminal/list?projectId=p").at("sessions").size(), 3U);
  EXPECT_EQ(create().value("tabName", ""), "Terminal 4");
}

TEST_F(Recovery, FlagsSetThroughTheApiHoldForTheNextService) {
  start();
  ASSERT_TRUE(
      server().flags({{"terminal_refactor", false}, {"reason", "a test"}}).value("success", false));
  const Json before = server().json("/api/admin/feature-flags").at("flags");
  restart();
  const Json now = server().json("/api/admin/feature-flags").at("flags");
  EXPECT_EQ(now, before);
  run("fresh", "echo I-am-$((1+1))", "I-am-2");
  EXPECT_EQ(session("fresh").owners, adapter::all(Engine::legacy));
  restart([](server::Config& config) { config.refactor_enabled.value = true; });
  EXPECT_FALSE(server()
                   .json("/api/admin/feature-flags")
                   .at("flags")
                   .at("terminal_refactor")
                   .at("value")
                   .get<bool>())
      << "the environment is weaker than the API";
}

TEST_F(Recovery, LegacyModeAtTheRestartMovesEverySessionToLegacy) {
  start();
  for (const auto& mix : all_port_mixes()) {
    serve_with(server(), mix.owners);
    run("mix-" + mix.name, "echo I-am-$((1+1))", "I-am-2", {.project = "p"});
  }
  const auto before = sessions();
  restart([](server::Config& config) { config.legacy_mode.value = true; });
  const auto now = sessions();
  ASSERT_EQ(now.size(), before.size());
  for (const auto& [id, one] : now) {
    EXPECT_EQ(one.owners, adapter::all(Engine::legacy)) << id;
    EXPECT_EQ(one.snapshot.stream.pid, before.at(id).snapshot.stream.pid) << id;
    EXPECT_TRUE(one.snapshot.stream.data->starts_with(*before.at(id).snapshot.stream.data));
    run(id, "echo still-$((1+1))", "still-2", {.client = "d"});
  }
  EXPECT_EQ(health().at("status"), "healthy") << health();
}

TEST_F(Recovery, AnotherRingSizeHoldsOnceNoSessionLives) {
  start([](server::Config& config) { config.ring_bytes = 64 * 1024; });
  run("s", "echo I-am-$((1+1))", "I-am-2");
  const auto before = session("s");
  const auto larger = [](server::Config& config) { config.ring_bytes = 256 * 1024; };
  restart(larger);
  EXPECT_EQ(server().service().keeper()->arena()->ring_bytes(), 64 * 1024U);
  expect_same(session("s"), before);
  ASSERT_EQ(http(server().operator_port(), "DELETE", "/api/terminal/close/s").status, 200U);
  // Its slot is given back when its shell has ended, and to the holder first.
  ASSERT_TRUE(until(
      [&] { return server().service().keeper()->arena()->slot(0).header().pid.load() == 0; }));
  restart(larger);
  EXPECT_EQ(server().service().keeper()->arena()->ring_bytes(), 256 * 1024U);
  EXPECT_EQ(recovered().at("sessions"), 0);
  run("s", "echo I-am-$((1+1))", "I-am-2");
}

TEST_F(Recovery, TimeWithoutAServiceRunsOutForNobody) {
  constexpr auto kTtl = std::chrono::hours(1);
  constexpr auto kDown = std::chrono::hours(5);
  start([&](server::Config& config) { config.detached_ttl = kTtl; });
  run("s", "echo I-am-$((1+1))", "I-am-2");
  ASSERT_TRUE(
      until([&] { return session("s").snapshot.session.disconnect.keep_alive_until.has_value(); }));
  stop();
  server::Config config;
  config.ws_port = config.http_port = 0;
  config.state_dir = dir_.path();
  config.holder_program = holder_program();
  config.detached_ttl = kTtl;
  const Clock clock = [real = monotonic_wall_clock(), kDown] { return real() + kDown; };
  server::Service later(config, {.clock = clock});
  ASSERT_TRUE(later.start());
  const auto began = later.started_at();
  const auto now = view(later);
  ASSERT_EQ(now.size(), 1U);
  EXPECT_EQ(now.at("s").snapshot.session.status, SessionState::detached);
  ASSERT_TRUE(now.at("s").snapshot.session.disconnect.keep_alive_until);
  EXPECT_GE(*now.at("s").snapshot.session.disconnect.keep_alive_until, began + kTtl);
  later.stop();
}

TEST_F(Recovery, AStateDirectoryHasOneServiceAtATime) {
  start();
  server::Config config;
  config.ws_port = config.http_port = 0;
  config.state_dir = dir_.path();
  config.holder_program = holder_program();
  server::Service second(config, {});
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().detail.find(dir_.path().string()), std::string::npos)
      << started.error().detail;
  run("s", "echo I-am-$((1+1))", "I-am-2");
}

}  // namespace
}  // namespace term::test
