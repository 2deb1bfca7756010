#include "store/store.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

#include "store/connection.h"
#include "store/databases.h"
#include "store/generated.h"
#include "store/migrations.h"
#include "store/transfer.h"

namespace term::test {
namespace {

using namespace store;

class StoreTest : public OnBoth {};
INSTANTIATE_TEST_SUITE_P(Both, StoreTest, testing::Values("sqlite", "postgresql"),
                         [](const auto& info) { return info.param; });

/// What a row gives back: at most kMaxScrollback, and that is no question here.
void expect_same(const StoredSession& got, const StoredSession& expected) {
  EXPECT_EQ(got.owners, expected.owners);
  EXPECT_EQ(got.snapshot.session, expected.snapshot.session);
  EXPECT_EQ(got.snapshot.stream, expected.snapshot.stream);
  EXPECT_EQ(got.snapshot.telemetry, expected.snapshot.telemetry);
}

TEST_P(StoreTest, AnySessionGoesToTheOtherTableAndBackUnchanged) {
  ::setenv("RC_PARAMS", "max_success=20", /*overwrite=*/0);  // NOLINT: some ten fsyncs each
  auto store = open();
  int n = 0;
  const bool held = rc::check("v2 -> v1 -> v2 and v1 -> v2 -> v1", [&] {
    StoredSession stored = some_session("s" + std::to_string(++n));
    const Table table = coin() ? Table::legacy : Table::refactored;
    const Engine own = table == Table::legacy ? Engine::legacy : Engine::refactored;
    stored.owners = {own, own, own};
    Batch batch;
    batch.sessions.push_back({stored, false});
    RC_ASSERT(store->write(batch).has_value());
    const auto there = transfer(*store, table, false);
    RC_ASSERT(there.has_value());
    batch = {};
    // The original goes; only the copy knows now.
    const auto copy = store->session(other_of(table), stored.snapshot.session.id);
    RC_ASSERT((copy && *copy) == true);
    StoredSession expected = stored;
    const Engine other = own == Engine::legacy ? Engine::refactored : Engine::legacy;
    expected.owners = {other, other, other};
    RC_ASSERT((**copy == expected) == true);
    run("DELETE FROM " + name_of(table));
    RC_ASSERT(transfer(*store, other_of(table), false).has_value());
    const auto back = store->session(table, stored.snapshot.session.id);
    RC_ASSERT((back && *back) == true);
    RC_ASSERT((**back == stored) == true);
    const auto again = transfer(*store, other_of(table), false);
    RC_ASSERT((again && again->written == 0U) == true);
    run("DELETE FROM " + name_of(other_of(table)));
  });
  EXPECT_TRUE(held);
}

TEST_P(StoreTest, ARowThatLegacyWroteIsReadAndKeepsWhatItHas) {
  auto store = open();
  run("INSERT INTO terminal_sessions (id, project_id, user_id, type, tab_name, active, output, "
      "current_path, pid, metadata, created_at, updated_at) VALUES ('old', 'p', NULL, 'claude', "
      "'Terminal 1', '1', '[{\"type\":\"output\",\"content\":\"one\\n\"},{\"type\":\"output\","
      "\"content\":\"two\"}]', '/home/me', 77, '{\"theme\":\"dark\"}', '2024-08-13T10:00:00.000Z', "
      "'2024-08-13T10:05:00.250Z')");
  const auto read = store->session(Table::legacy, "old");
  ASSERT_TRUE(read && *read);
  const SessionSnapshot& snapshot = (*read)->snapshot;
  EXPECT_EQ((*read)->owners, (Owners{Engine::legacy, Engine::legacy, Engine::legacy}));
  EXPECT_EQ(snapshot.session.mode, "claude");
  EXPECT_EQ(snapshot.session.user_id, std::nullopt);
  EXPECT_EQ(snapshot.session.status, SessionState::detached);
  EXPECT_EQ(snapshot.session.current_path, "/home/me");
  EXPECT_EQ(snapshot.stream.data, "one\ntwo");
  EXPECT_EQ(snapshot.stream.pid, 77);
  ASSERT_TRUE(migrate_to_refactored(*store, false));
  EXPECT_EQ(run("SELECT user_id FROM terminal_sessions_v2"), (Rows{{"system"}}));
  run("DELETE FROM terminal_sessions");
  ASSERT_TRUE(migrate_to_legacy(*store, false));
  EXPECT_EQ(run("SELECT user_id, type, tab_name, current_path, pid FROM terminal_sessions"),
            (Rows{{std::nullopt, "claude", "Terminal 1", "/home/me", "77"}}));
  const auto back = store->session(Table::legacy, "old");
  ASSERT_TRUE(back && *back);
  EXPECT_EQ((*back)->snapshot, snapshot);
}

TEST_P(StoreTest, ARowIsInItsEnginesTableOrInBoth) {
  auto store = open();
  StoredSession stored = with_data(session_of("s"), "output", 106);
  const auto where = [&] {
    return std::pair(run("SELECT id FROM terminal_sessions").size(),
                     run("SELECT id FROM terminal_sessions_v2").size());
  };
  put(*store, stored);
  EXPECT_EQ(where(), std::pair(0UL, 1UL));
  StoredSession flipped = stored;
  flipped.owners.sessions = Engine::legacy;
  flipped.snapshot.stream.data.reset();
  put(*store, flipped);
  EXPECT_EQ(where(), std::pair(1UL, 0UL));
  flipped.snapshot.stream = stored.snapshot.stream;
  expect_same(**store->session(Table::legacy, "s"), flipped);  // The scrollback moved along.
  flipped.snapshot.stream.data.reset();
  put(*store, flipped, /*both=*/true);
  EXPECT_EQ(where(), std::pair(1UL, 1UL));
  EXPECT_EQ((**store->session(Table::refactored, "s")).snapshot.stream.data, "output");
  Batch end;
  end.ended = {"s"};
  ASSERT_TRUE(store->write(end));
  EXPECT_EQ(where(), std::pair(0UL, 0UL));
}

TEST_P(StoreTest, AStateWithoutDataKeepsTheScrollbackAndABatchMayHaveBoth) {
  auto store = open();
  Batch batch;
  StoredSession newer = session_of("s", "newer");
  newer.snapshot.stream.next_offset = 500;
  batch.sessions.push_back({newer, false});
  batch.sessions.push_back({with_data(session_of("s", "older"), "abc", 103), false});
  ASSERT_TRUE(store->write(batch));
  const auto full = store->session(Table::refactored, "s");
  ASSERT_TRUE(full && *full);
  EXPECT_EQ((*full)->snapshot.session.tab_name, "newer");
  EXPECT_EQ((*full)->snapshot.stream.data, "abc");
  EXPECT_EQ((*full)->snapshot.stream.first_offset, 100U);
  EXPECT_EQ((*full)->snapshot.stream.next_offset, 103U);
  const auto page = store->sessions(Table::refactored, "", 10, false);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->at(0).snapshot.stream.next_offset, 500U);
  EXPECT_EQ(page->at(0).snapshot.stream.data, std::nullopt);
}

TEST_P(StoreTest, AnEndedIdThatComesBackHasNothingOfTheOldOne) {
  auto store = open();
  put(*store, with_data(session_of("s"), "secret", 6));
  Batch batch;
  batch.ended = {"s"};
  batch.sessions.push_back({session_of("s", "fresh"), false});
  ASSERT_TRUE(store->write(batch));
  const auto read = store->session(Table::refactored, "s");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->snapshot.session.tab_name, "fresh");
  EXPECT_EQ((*read)->snapshot.stream.data, std::nullopt);
}

TEST_P(StoreTest, ManySessionsArePagedInOrderOfTheirIds) {
  auto store = open();
  Batch batch;
  std::vector<SessionId> ids;
  for (int i = 0; i < 250; ++i) ids.push_back((i % 2 ? "s_" : "S-") + std::to_string(i));
  for (const auto& id : ids) batch.sessions.push_back({session_of(id), false});
  ASSERT_TRUE(store->write(batch));
  std::ranges::sort(ids);
  std::vector<SessionId> read;
  for (;;) {
    const auto page = store->sessions(Table::refactored, read.empty() ? "" : read.back(), 37, true);
    ASSERT_TRUE(page);
    if (page->empty()) break;
    for (const auto& one : *page) read.push_back(one.snapshot.session.id);
  }
  EXPECT_EQ(read, ids);
}

TEST_P(StoreTest, NoMoreThanTheNewest256KiBOfOutputAreKept) {
  auto store = open();
  std::string data(kMaxScrollback + 1000, 'x');
  for (std::size_t i = 0; i < data.size(); i += 7) data[i] = static_cast<char>(i * 31);
  put(*store, with_data(session_of("s"), data, 5'000'000));
  const auto read = store->session(Table::refactored, "s");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->snapshot.stream.data, data.substr(1000));
  EXPECT_EQ((*read)->snapshot.stream.first_offset, 5'000'000 - kMaxScrollback);
}

TEST_P(StoreTest, AnUnreadableRowHidesNoOther) {
  auto store = open();
  put(*store, session_of("a"));
  put(*store, session_of("b"));
  put(*store, session_of("c"));
  run("UPDATE terminal_sessions_v2 SET state = '{\"id\": \"b\", \"cols\": -1}' WHERE id = 'b'");
  const auto page = store->sessions(Table::refactored, "", 2, true);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->size(), 2U);
  EXPECT_EQ(page->at(1).snapshot.session.id, "c");
  EXPECT_FALSE(store->session(Table::refactored, "b"));
}

TEST_P(StoreTest, JournalAndSettingsComeBackAsTheyWere) {
  auto store = open();
  Batch batch;
  const std::string nul = "{\"reason\":\"a \\u0000 b é\",\"n\": 1e20}";
  batch.settings = {{"flags", "{}"}, {"flags", nul}, {"odd", std::string("no json \0", 9)}};
  batch.flips = {{"flip_1", WallTime{Millis{1000}}, "{\"a\":1}"},
                 {"flip_2", WallTime{Millis{2000}}, nul}};
  AuditRow audit{.at = WallTime{Millis{1'700'000'000'123}}, .who = "operator", .from = "::1"};
  audit.action = "POST /x";
  audit.detail = "d";
  audit.result = "200";
  audit.key = "k1";
  batch.audit = {audit};
  batch.projects = {
      {.id = "p", .sessions = {"s"}, .focused = {"s"}, .layout = "{\"x\":1}", .name_counter = 7}};
  ASSERT_TRUE(store->write(batch));
  ASSERT_TRUE(store->write(batch)) << "again: nobody said whether it was written";
  EXPECT_EQ(*store->setting("flags"), nul);
  EXPECT_EQ(*store->setting("none"), std::nullopt);
  const auto flips = store->flips(10);
  ASSERT_TRUE(flips);
  EXPECT_EQ(*flips, (std::vector{batch.flips[1], batch.flips[0]}));
  auto rows = store->audit(10);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1U) << "once";
  EXPECT_GT(rows->at(0).sequence, 0U);
  rows->at(0).sequence = 0;
  audit.key.clear();
  EXPECT_EQ(rows->at(0), audit);
  EXPECT_EQ(*store->projects(), batch.projects);
  Batch end;
  end.ended_projects = {"p"};
  ASSERT_TRUE(store->write(end));
  EXPECT_TRUE(store->projects()->empty());
}

TEST_P(StoreTest, CommandsAreFoundBySessionProjectUserAndTime) {
  auto store = open();
  Batch batch;
  for (std::uint64_t i = 0; i < 10; ++i)
    batch.commands.push_back({.session = i % 2 ? "odd" : "even",
                              .project = "p",
                              .user = i < 5 ? "ann" : "bob",
                              .sequence = i,
                              .at = WallTime{Millis{1000 * i}},
                              .command = "ls",
                              .category = "files",
                              .duration = Millis{3},
                              .failed = i == 7});
  ASSERT_TRUE(store->write(batch));
  const auto sequences = [&](const CommandQuery& query) {
    std::vector<std::uint64_t> all;
    for (const auto& row : *store->commands(query)) all.push_back(row.sequence);
    return all;
  };
  using All = std::vector<std::uint64_t>;
  EXPECT_EQ(*store->commands({}), batch.commands);
  EXPECT_EQ(sequences({.session = "odd"}), (All{1, 3, 5, 7, 9}));
  EXPECT_EQ(sequences({.user = "ann", .limit = 2}), (All{3, 4}));
  EXPECT_EQ(
      sequences({.project = "p", .since = WallTime{Millis{2000}}, .until = WallTime{Millis{4000}}}),
      (All{2, 3}));
}

TEST_P(StoreTest, MigrationsGoForwardBackAndForward) {
  auto store = open(/*migrate=*/false);
  EXPECT_EQ(*store->version(), 0);
  for (int target = 0; target <= newest_migration(); ++target) {
    ASSERT_TRUE(store->migrate(newest_migration()));
    put(*store, session_of("s"));
    ASSERT_TRUE(store->migrate(target));
    EXPECT_EQ(*store->version(), target);
  }
  ASSERT_TRUE(store->migrate(newest_migration()));
  put(*store, session_of("s"));
  EXPECT_FALSE(store->migrate(99));
  EXPECT_FALSE(store->migrate(-1));
  EXPECT_EQ(store->migrate(99).error().code, Errc::bad_argument);
}

TEST(Migrations, AreTheSameNumbersForBothDatabases) {
  std::set<std::tuple<int, std::string_view, std::string_view>> sqlite, postgres;
  for (const auto& file : migration_files())
    (file.database == "sqlite" ? sqlite : postgres)
        .insert({file.number, file.name, file.direction});
  EXPECT_EQ(sqlite, postgres);
  EXPECT_EQ(sqlite.size(), 2U * static_cast<std::size_t>(newest_migration()));
}

TEST(RollbackSql, LeavesV2ReadableAndADatabaseForLegacyTwice) {
  auto& server = Postgres::shared();
  const std::string database = server.create_database();
  const Location place{.database_url = server.url(database), .sqlite_path = {}};
  const std::filesystem::path script =
      std::filesystem::path(TERM_MIGRATIONS) / "rollback-terminal-v2.sql";
  {
    auto store = open_store(place);
    ASSERT_TRUE(store) << store.error().detail;
    Batch batch;
    batch.sessions.push_back({with_data(session_of("s"), "abc", 3), false});
    ASSERT_TRUE((*store)->write(batch));
  }
  server.run(database, "DROP TABLE terminal_sessions");
  for (int i = 0; i < 2; ++i) {
    const auto [status, said] = server.psql(database, script);
    EXPECT_EQ(status, 0) << said;
  }
  auto store = open_store(place, /*migrate=*/false);
  ASSERT_TRUE(store) << store.error().detail;
  EXPECT_EQ(*(*store)->version(), 3);
  const auto moved = migrate_to_legacy(**store, false);
  ASSERT_TRUE(moved) << moved.error().detail;
  EXPECT_EQ(moved->written, 1U);
  EXPECT_EQ((**(*store)->session(Table::legacy, "s")).snapshot.stream.data, "abc");
  EXPECT_EQ((**(*store)->session(Table::refactored, "s")).snapshot.stream.data, "abc");
  ASSERT_TRUE((*store)->migrate(newest_migration()));
  EXPECT_EQ(*(*store)->version(), newest_migration());
  const std::string empty = server.create_database();
  const auto [status, said] = server.psql(empty, script);
  EXPECT_EQ(status, 0) << said;
}

TEST(Sqlite, IsReadableForItsOwnerAlone) {
  std::string path = (std::filesystem::temp_directory_path() / "term-db-XXXXXX").string();
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  const auto file = std::filesystem::path(path) / "terminal.db";
  auto store = open_store({.database_url = {}, .sqlite_path = file});
  ASSERT_TRUE(store) << store.error().detail;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat seen{};
    ASSERT_EQ(::stat((file.string() + suffix).c_str(), &seen), 0) << suffix;
    EXPECT_EQ(seen.st_mode & 0777U, 0600U) << suffix;
  }
  std::filesystem::remove_all(path);
}

TEST(Sqlite, PlacesAreCountedHoweverOftenAndInWhateverOrderTheyStand) {
  std::string path = (std::filesystem::temp_directory_path() / "term-db-XXXXXX").string();
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  auto connection = open_sqlite(path + "/terminal.db");
  ASSERT_TRUE(connection) << connection.error().detail;
  const auto rows =
      (*connection)
          ->query("SELECT $2, $1, $3, $2", {std::string("a"), std::string("b"), std::string("c")});
  ASSERT_TRUE(rows) << rows.error().detail;
  EXPECT_EQ(rows->at(0), (Row{"b", "a", "c", "b"}));
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace term::test
