// The service and its store: what is kept, who is kept waiting (nobody).

#include "store/store.h"

#include <nlohmann/json.hpp>

#include "support/postgres.h"
#include "support/restarting.h"

namespace term::test {
namespace {

using Json = nlohmann::json;
using store::Table;

class Storing : public RestartTest {
 protected:
  std::unique_ptr<store::Store> open() const {
    auto opened = store::open_store(
        {.database_url = {}, .sqlite_path = (dir_.path() / "terminal.db").string()});
    if (!opened) throw std::runtime_error(opened.error().detail);
    return std::move(*opened);
  }
  std::optional<store::StoredSession> row(const SessionId& id, Table table = Table::refactored) {
    auto found = open()->session(table, id);
    return found ? *found : std::nullopt;
  }
  bool flushed() { return server().service().persistence()->writer().flush(Millis(30'000)); }
  Json health() { return server().json("/api/health/terminal"); }
  Json store_health() { return health().at("store"); }
};

TEST_F(Storing, ASessionHasARowWhileItLivesAndItsOutputSurvivesTheStop) {
  start();
  run("s", "echo I-am-$((1+1))", "I-am-2", {.project = "p"});
  ASSERT_TRUE(until([&] { return flushed() && row("s"); }));
  EXPECT_EQ(store_health().at("status"), "ok");
  EXPECT_EQ(store_health().at("store"), "sqlite");
  const auto before = session("s");
  stop();
  auto stored = row("s");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->owners, before.owners);
  EXPECT_NE(stored->snapshot.stream.data->find("I-am-2"), std::string::npos);
  EXPECT_EQ(stored->snapshot.stream.next_offset, before.snapshot.stream.next_offset);
  start();
  EXPECT_EQ(sessions().size(), 1U);
  ASSERT_EQ(http(server().operator_port(), "DELETE", "/api/terminal/close/s").status, 200U);
  EXPECT_TRUE(until([&] { return flushed() && !row("s"); }));
}

TEST_F(Storing, ARowMovesWithItsSessionAndDualWriteKeepsBoth) {
  start();
  run("s", "echo I-am-$((1+1))", "I-am-2");
  ASSERT_TRUE(until([&] { return flushed() && row("s"); }));
  ASSERT_TRUE(
      server().flags({{"terminal_refactor", false}, {"force", true}}).value("success", false));
  EXPECT_TRUE(
      until([&] { return flushed() && row("s", Table::legacy) && !row("s", Table::refactored); }));
  ASSERT_TRUE(server().flags({{"terminal_dual_write", true}}).value("success", false));
  EXPECT_TRUE(
      until([&] { return flushed() && row("s", Table::legacy) && row("s", Table::refactored); }));
}

TEST_F(Storing, FlagsAndJournalSurviveTheHolderToo) {
  start();
  ASSERT_TRUE(server()
                  .flags({{"terminal_refactor", false}, {"force", true}, {"reason", "a test"}})
                  .value("success", false));
  const Json flags = server().json("/api/admin/feature-flags").at("flags");
  const Json flips = server().json("/api/admin/flips").at("flips");
  ASSERT_EQ(flips.size(), 1U);
  stop();
  dir_.end_holder();
  start();
  EXPECT_EQ(server().json("/api/admin/feature-flags").at("flags"), flags);
  EXPECT_EQ(server().json("/api/admin/flips").at("flips"), flips);
}

TEST_F(Storing, FlagsAdmissionAndJournalComeOnceADatabaseIsThereThatWasDownAtTheStart) {
  Postgres database;
  const std::string url = database.url(database.create_database());
  const auto there = [&](server::Config& config) { config.database_url = url; };
  start(there);
  ASSERT_TRUE(
      server().flags({{"terminal_refactor", false}, {"force", true}}).value("success", false));
  ASSERT_EQ(server().post("/api/admin/maintenance/enable", {{"message", "new disks"}}).status,
            200U);
  const Json admission = server().json("/api/admin/maintenance");
  ASSERT_TRUE(flushed());
  stop();
  dir_.end_holder();
  database.stop();
  start(there);
  EXPECT_EQ(health().at("status"), "degraded");
  EXPECT_EQ(server().json("/api/admin/flips").at("flips").size(), 0U);
  EXPECT_EQ(health().at("admission").at("maintenance"), false);
  database.start();
  EXPECT_TRUE(
      server().eventually("/api/admin/maintenance", [&](const Json& j) { return j == admission; }));
  EXPECT_TRUE(server().eventually("/api/admin/flips",
                                  [](const Json& j) { return j.at("flips").size() == 1; }));
  EXPECT_TRUE(server().eventually("/api/health/terminal", [](const Json& j) {
    return j.at("engine").at("streams") == "legacy";
  }));
}

TEST_F(Storing, AdmissionThatWasSetWhileTheDatabaseWasDownHolds) {
  Postgres database;
  const std::string name = database.create_database();
  const auto there = [&](server::Config& config) { config.database_url = database.url(name); };
  start(there);
  ASSERT_EQ(server().post("/api/admin/maintenance/enable", {{"message", "old"}}).status, 200U);
  ASSERT_TRUE(
      server().flags({{"terminal_refactor", false}, {"force", true}}).value("success", false));
  ASSERT_TRUE(flushed());
  stop();
  dir_.end_holder();
  database.stop();
  start(there);
  ASSERT_EQ(server().post("/api/admin/traffic", {{"percentage", 25}}).status, 200U);
  database.start();
  // The flags were not touched meanwhile, so they are the store's; both are there again.
  EXPECT_TRUE(server().eventually("/api/health/terminal", [](const Json& j) {
    return j.at("engine").at("streams") == "legacy" && j.at("admission").at("percentage") == 25;
  }));
  EXPECT_EQ(health().at("admission").at("maintenance"), false);
  const auto stored = [&] {
    return database.run(name, "SELECT value::text FROM terminal_flags").at(0).at(0);
  };
  EXPECT_TRUE(until([&] {
    return flushed() && stored().find("\"percentage\":25") != std::string::npos &&
           stored().find("\"refactor\":false") != std::string::npos;
  })) << stored();
}

TEST_F(Storing, WhatADownDatabaseDidNotTakeBeforeAPlannedStopIsInItAfterTheNextStart) {
  Postgres database;
  const std::string name = database.create_database();
  const auto there = [&](server::Config& config) { config.database_url = database.url(name); };
  start(there);
  run("s", "echo I-am-$((1+1))", "I-am-2");
  ASSERT_TRUE(flushed());
  database.stop();
  ASSERT_TRUE(
      server()
          .flags({{"terminal_refactor", false}, {"force", true}, {"reason", "while it is down"}})
          .value("success", false));
  run("s", "echo still-$((1+1))", "still-2", {.client = "later"});
  stop();
  database.start();
  // The rows of the session that is gone meanwhile, too: nobody else has them.
  dir_.end_holder();
  start(there);
  ASSERT_TRUE(until([&] { return flushed(); }));
  const auto actions = [&] {
    std::string all;
    const Json audit = server().json("/api/admin/audit?limit=100");
    for (const auto& row : audit.at("audit")) all += row.at("action").get<std::string>() + " ";
    return all;
  };
  EXPECT_NE(actions().find("POST /api/admin/feature-flags"), std::string::npos) << actions();
  EXPECT_NE(actions().find("stop "), std::string::npos) << actions();
  const Json flips = server().json("/api/admin/flips").at("flips");
  ASSERT_EQ(flips.size(), 1U);
  EXPECT_EQ(flips[0].at("reason"), "while it is down");
  EXPECT_EQ(health().at("engine").at("streams"), "legacy");
  NativeClient client(server(), "s");
  EXPECT_EQ(client.attached().at("tier"), "cold");
  EXPECT_TRUE(client.sees("still-2")) << client.output();
  EXPECT_FALSE(
      database.run(name, "SELECT 1 FROM terminal_commands WHERE session_id = 's'").empty());
}

TEST_F(Storing, AProjectKeepsItsNamesAndLayoutWithoutTheHolder) {
  start();
  const auto create = [&] {
    return Json::parse(server().post("/api/terminal/create", {{"projectId", "p"}}).body, nullptr,
                       false);
  };
  for (int i = 1; i <= 3; ++i)
    EXPECT_EQ(create().value("tabName", ""), "Terminal " + std::to_string(i));
  stop();
  dir_.end_holder();
  start();
  EXPECT_EQ(create().value("tabName", ""), "Terminal 4");
}

TEST_F(Storing, EveryCallThatChangesSomethingIsAudited) {
  start();
  ASSERT_TRUE(
      server().flags({{"terminal_refactor", true}, {"reason", "why not"}}).value("success", false));
  EXPECT_EQ(server().post("/api/admin/feature-flags", {{"nonsense", 1}}).status, 400U);
  const Json audit = server().json("/api/admin/audit?limit=2").at("audit");
  ASSERT_EQ(audit.size(), 2U) << audit;
  EXPECT_EQ(audit[0].at("result"), "400");
  EXPECT_EQ(audit[1].at("result"), "200");
  EXPECT_EQ(audit[1].at("action"), "POST /api/admin/feature-flags");
  EXPECT_EQ(audit[1].at("who"), "operator");
  EXPECT_NE(audit[1].at("detail").get<std::string>().find("why not"), std::string::npos);
  EXPECT_EQ(server().get("/api/admin/audit?limit=x").status, 400U);
}

TEST_F(Storing, AFrozenDatabaseStopsNoKeystrokeAndNoStart) {
  Postgres server_of_its_own;
  const std::string database = server_of_its_own.create_database();
  const auto with_postgres = [&](server::Config& config) {
    config.database_url = server_of_its_own.url(database);
  };
  start(with_postgres);
  run("s", "echo I-am-$((1+1))", "I-am-2");
  ASSERT_TRUE(flushed());
  server_of_its_own.freeze();
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    run("s", "echo round-" + n + "-$((1+1))", "round-" + n + "-2", {.client = "c" + n});
  }
  stop();
  start(with_postgres);
  EXPECT_EQ(health().at("status"), "degraded");
  EXPECT_EQ(store_health().at("status"), "unavailable");
  run("s", "echo still-$((1+1))", "still-2", {.client = "later"});
  server_of_its_own.thaw();
  ASSERT_TRUE(until([&] { return store_health().at("status") == "ok"; }));
  ASSERT_TRUE(flushed());
  EXPECT_EQ(server_of_its_own.run(database, "SELECT id FROM terminal_sessions_v2").size(), 1U);
}

}  // namespace
}  // namespace term::test
