#include "store/writer.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <set>
#include <thread>

#include "store/database_url.h"
#include "store/databases.h"
#include "store/pending.h"

namespace term::test {
namespace {

using namespace store;
using namespace std::chrono_literals;

bool until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

Writer::Setup setup_of(const Location& place) {
  return {.open = [place] { return open_store(place); }, .clock = monotonic_wall_clock()};
}

/// Its answer on the writer's thread, brought here.
template <class T>
Result<T> ask(Writer& writer, std::function<Result<T>(Store&)> question) {
  std::promise<Result<T>> promise;
  auto answer = promise.get_future();
  writer.ask([&](Result<Store*> store) {
    promise.set_value(store ? question(**store) : Result<T>(store.error()));
  });
  return answer.get();
}

std::string tab_of(Writer& writer, const SessionId& id) {
  const auto read = ask<std::optional<StoredSession>>(
      writer, [&](Store& store) { return store.session(Table::refactored, id); });
  if (!read) return "error: " + read.error().detail;
  return *read ? (*read)->snapshot.session.tab_name : "none";
}

class WriterTest : public OnBoth {};
INSTANTIATE_TEST_SUITE_P(Both, WriterTest, testing::Values("sqlite", "postgresql"),
                         [](const auto& info) { return info.param; });

TEST_P(WriterTest, TheNewestStateOfASessionIsWritten) {
  Writer writer(setup_of(place_));
  for (int i = 0; i < 1000; ++i) writer.put(session_of("s", "tab " + std::to_string(i)), false);
  writer.put(session_of("gone"), false);
  writer.ended("gone");
  ASSERT_TRUE(writer.flush(30s));
  EXPECT_EQ(tab_of(writer, "s"), "tab 999");
  EXPECT_EQ(tab_of(writer, "gone"), "none");
  const auto status = writer.status();
  EXPECT_TRUE(status.available);
  EXPECT_EQ(status.store, GetParam());
  EXPECT_EQ(status.waiting_sessions, 0U);
  EXPECT_GT(status.superseded, 0U);
}

TEST_P(WriterTest, AQuestionSeesEverythingThatWasPutBeforeIt) {
  Writer writer(setup_of(place_));
  for (int i = 0; i < 20; ++i) {
    writer.put(session_of("s", std::to_string(i)), false);
    EXPECT_EQ(tab_of(writer, "s"), std::to_string(i));
  }
}

TEST_P(WriterTest, AStateDoesNotWaitForScrollbackThatIsBeingPacked) {
  std::promise<void> gate;
  auto setup = setup_of(place_);
  setup.pack = [open = gate.get_future().share()](std::string_view bytes, Offset next) {
    open.wait();
    return pack(bytes, next);
  };
  Writer writer(setup);
  const auto rows = [this] { return run("SELECT id FROM terminal_sessions_v2").size(); };
  ASSERT_TRUE(until([&] { return writer.status().available; })) << writer.status().reason;
  writer.put(with_data(session_of("s", "older"), "abc", 3), false);
  writer.put(session_of("s", "newer"), false);
  EXPECT_TRUE(until([&] { return rows() == 1; }));
  // Its scrollback alone.
  EXPECT_TRUE(until([&] { return writer.status().waiting_bytes == 3; }));
  EXPECT_EQ(writer.status().waiting_sessions, 1U);
  gate.set_value();
  ASSERT_TRUE(writer.flush(30s));
  const auto read = ask<std::optional<StoredSession>>(
      writer, [&](Store& store) { return store.session(Table::refactored, "s"); });
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->snapshot.session.tab_name, "newer");
  EXPECT_EQ((*read)->snapshot.stream.data, "abc");
  EXPECT_EQ(writer.status().waiting_bytes, 0U);
}

TEST_P(WriterTest, StopWritesWhatWaits) {
  {
    Writer writer(setup_of(place_));
    for (int i = 0; i < 700; ++i) writer.put(session_of("s" + std::to_string(i)), false);
    writer.stop(30s);
    EXPECT_EQ(writer.status().lost, 0U);
  }
  EXPECT_EQ(run("SELECT id FROM terminal_sessions_v2").size(), 700U);
}

TEST(PendingTest, AnOlderScrollbackIsKeptBesideANewerState) {
  Pending pending;
  pending.put(Batch::Session{with_data(session_of("s", "older"), "abc", 3)});
  pending.put(Batch::Session{session_of("s", "newer")});
  Batch batch = pending.take(500, 1 << 20);
  ASSERT_EQ(batch.sessions.size(), 2U);
  EXPECT_EQ(batch.sessions[0].stored.snapshot.stream.data, "abc");
  EXPECT_EQ(batch.sessions[1].stored.snapshot.session.tab_name, "newer");
  EXPECT_TRUE(pending.empty());
  EXPECT_EQ(pending.bytes(), 0U);
  // It could not be written; meanwhile there was more.
  pending.ended("t");
  pending.put(Batch::Session{session_of("s", "newest")});
  Pending again = Pending::of(std::move(batch));
  again.add(std::move(pending));
  batch = again.take(500, 1 << 20);
  ASSERT_EQ(batch.sessions.size(), 2U);
  EXPECT_EQ(batch.sessions[0].stored.snapshot.stream.data, "abc");
  EXPECT_EQ(batch.sessions[1].stored.snapshot.session.tab_name, "newest");
  EXPECT_EQ(batch.ended, std::vector<SessionId>{"t"});
}

TEST(PendingTest, TheEndOfASessionOutlivesAFailureAndTheIdMayComeBack) {
  Pending pending;
  pending.put(Batch::Session{with_data(session_of("s", "older"), "abc", 3)});
  Pending failed = Pending::of(pending.take(1, 1));
  pending.ended("s");
  pending.put(Batch::Session{session_of("s", "another")});
  failed.add(std::move(pending));
  const Batch batch = failed.take(10, 1 << 20);
  EXPECT_EQ(batch.ended, std::vector<SessionId>{"s"});
  ASSERT_EQ(batch.sessions.size(), 1U);
  EXPECT_EQ(batch.sessions[0].stored.snapshot.session.tab_name, "another");
}

TEST(PendingTest, RowsBeyondTheBoundAreCounted) {
  Pending pending;
  for (std::size_t i = 0; i < Pending::kMaxRows + 5; ++i)
    pending.command({.session = "s", .sequence = i});
  EXPECT_EQ(pending.rows(), Pending::kMaxRows);
  EXPECT_EQ(pending.take_counts().dropped, 5U);
  EXPECT_EQ(pending.take(1, 1).commands.at(0).sequence, 5U) << "the oldest went";
}

TEST(DatabaseUrl, ShowsNoPassword) {
  for (const std::string url :
       {"postgresql://me:pa%20ss@host/db", "postgres://me:pa ss@host:1/db?x=y",
        "postgresql:///db?user=me&password=pa%20ss&z=1", "host=h password='pa ss' user=me",
        "host=h password=pa\\ ss"}) {
    const auto shown =
        without_secrets("could not: \"" + url + "\"\nand pa ss\n", passwords_of(url));
    EXPECT_EQ(shown.find("pa ss"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("pa%20ss"), std::string::npos) << shown;
    EXPECT_EQ(shown.find('\n'), std::string::npos);
  }
  EXPECT_EQ(with_connect_timeout("postgresql://h/d", 3), "postgresql://h/d?connect_timeout=3");
  EXPECT_EQ(with_connect_timeout("postgresql://h/d?a=b", 3),
            "postgresql://h/d?a=b&connect_timeout=3");
  EXPECT_EQ(with_connect_timeout("host=h", 3), "host=h connect_timeout=3");
}

/// A cluster of its own: these stop it.
class Outage : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<Postgres>(); }
  static void TearDownTestSuite() { server_.reset(); }
  Outage() : database_(server_->create_database()), place_{server_->url(database_), {}} {}

  /// Puts must not wait: so many in so little time could not.
  static void load(Writer& writer, int round) {
    for (int i = 0; i < 50; ++i)
      writer.put(session_of("s" + std::to_string(i), "round " + std::to_string(round)), false);
    writer.audit({.who = "operator", .action = "round", .detail = std::to_string(round)});
  }
  std::size_t rows_of(int round) {
    return server_
        ->run(database_, "SELECT id FROM terminal_sessions_v2 WHERE state->>'tabName' = 'round " +
                             std::to_string(round) + "'")
        .size();
  }
  std::size_t audit_rows() {
    return server_->run(database_, "SELECT 1 FROM terminal_audit").size();
  }

  static std::unique_ptr<Postgres> server_;
  std::string database_;
  Location place_;
};
std::unique_ptr<Postgres> Outage::server_;

TEST_F(Outage, AKilledServerCostsNothingOnceItIsBack) {
  Writer writer(setup_of(place_));
  load(writer, 0);
  ASSERT_TRUE(writer.flush(30s));
  server_->kill();
  load(writer, 1);
  ASSERT_TRUE(until([&] { return !writer.status().available; }));
  EXPECT_NE(writer.status().reason, "");
  EXPECT_TRUE(writer.status().unavailable_since);
  load(writer, 2);
  EXPECT_GT(writer.status().waiting_sessions, 0U);
  const auto refused = ask<int>(writer, [](Store& store) { return store.version(); });
  EXPECT_FALSE(refused) << "who asks is told, and does not wait";
  server_->start();
  ASSERT_TRUE(writer.flush(60s));
  EXPECT_EQ(rows_of(2), 50U);
  EXPECT_EQ(audit_rows(), 3U);
  EXPECT_TRUE(writer.status().available);
  EXPECT_GT(writer.status().failed_batches, 0U);
}

TEST_F(Outage, AServerThatIsNotThereYetIsWaitedFor) {
  server_->stop();
  Writer writer(setup_of(place_));
  load(writer, 1);
  ASSERT_TRUE(until([&] { return writer.status().reason.find("postgresql") == 0; }));
  server_->start();
  ASSERT_TRUE(writer.flush(60s));
  EXPECT_EQ(rows_of(1), 50U);
}

TEST_F(Outage, AFrozenServerHoldsNobodyUp) {
  Writer writer(setup_of(place_));
  load(writer, 0);
  ASSERT_TRUE(writer.flush(30s));
  server_->freeze();
  load(writer, 1);
  EXPECT_FALSE(writer.flush(200ms));
  load(writer, 2);
  server_->thaw();
  ASSERT_TRUE(writer.flush(60s));
  EXPECT_EQ(rows_of(2), 50U);
  EXPECT_EQ(audit_rows(), 3U);
}

TEST_F(Outage, StopDoesNotWaitForAFrozenServer) {
  Writer writer(setup_of(place_));
  load(writer, 0);
  ASSERT_TRUE(writer.flush(30s));
  server_->freeze();
  load(writer, 1);
  writer.stop(100ms);  // The server's own limits are 20 s and more; the test would time out.
  EXPECT_EQ(writer.status().lost, 51U) << "counted";
  server_->thaw();
}

TEST_F(Outage, AWrongPasswordIsNamedAndNeverShown) {
  const std::string wrong = "hunter2hunter2";
  Writer writer(setup_of({server_->url_with_password(database_, wrong), {}}));
  load(writer, 1);
  ASSERT_TRUE(until([&] { return writer.status().reason.find("password") != std::string::npos; }));
  EXPECT_EQ(writer.status().reason.find(wrong), std::string::npos) << writer.status().reason;
  server_->run("postgres", "ALTER ROLE asked PASSWORD '" + wrong + "'");
  ASSERT_TRUE(writer.flush(60s));
  EXPECT_EQ(rows_of(1), 50U);
  server_->run("postgres", "ALTER ROLE asked PASSWORD 'right'");
}

TEST_F(Outage, AFullDatabaseKeepsEverythingWaiting) {
  Writer writer(setup_of(place_));
  load(writer, 0);
  ASSERT_TRUE(writer.flush(30s));
  server_->run(database_,
               "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
               "disk_full USING MESSAGE = 'No space left on device'; END $$");
  server_->run(database_,
               "CREATE TRIGGER full_disk BEFORE INSERT ON terminal_sessions_v2 FOR EACH STATEMENT "
               "EXECUTE FUNCTION full_disk()");
  load(writer, 1);
  ASSERT_TRUE(
      until([&] { return writer.status().reason.find("No space left") != std::string::npos; }));
  EXPECT_EQ(rows_of(0), 50U) << "all of a batch or nothing";
  EXPECT_EQ(audit_rows(), 1U);
  server_->run(database_, "DROP TRIGGER full_disk ON terminal_sessions_v2");
  ASSERT_TRUE(writer.flush(60s));
  EXPECT_EQ(rows_of(1), 50U);
  EXPECT_EQ(audit_rows(), 2U);
}

TEST_F(Outage, ASlowServerIsAskedSeldomAndGetsTheNewest) {
  Writer writer(setup_of(place_));
  load(writer, 0);
  ASSERT_TRUE(writer.flush(30s));
  server_->run(database_,
               "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
               "pg_sleep(1); RETURN NULL; END $$");
  server_->run(database_,
               "CREATE TRIGGER slow AFTER INSERT ON terminal_sessions_v2 FOR EACH STATEMENT "
               "EXECUTE FUNCTION slow()");
  int round = 1;
  for (const auto before = writer.status().batches; writer.status().batches < before + 2; ++round)
    for (int i = 0; i < 50; ++i)
      writer.put(session_of("s" + std::to_string(i), "round " + std::to_string(round)), false);
  --round;
  ASSERT_TRUE(writer.flush(60s));
  EXPECT_EQ(rows_of(round), 50U);
  EXPECT_GT(writer.status().superseded, 0U);
}

TEST(SqliteKill, WhatWasConfirmedSurvivesKillAndTheFileIsSound) {
  std::string path = (std::filesystem::temp_directory_path() / "term-db-XXXXXX").string();
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  const Location place{{}, std::filesystem::path(path) / "terminal.db"};
  for (int kill_after = 1; kill_after <= 4; ++kill_after) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = open_store(place);
      for (int n = 1; store; ++n) {
        Batch batch;
        for (int i = 0; i < 20; ++i)
          batch.sessions.push_back(
              {with_data(session_of("s" + std::to_string(i), std::to_string(n)),
                         std::string(10'000, static_cast<char>(n)), 10'000),
               true});
        if (!(*store)->write(batch)) break;
        if (::write(ends[1], &n, sizeof n) != sizeof n) break;
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    int confirmed = 0;
    for (int n = 0; n < 5 * kill_after && ::read(ends[0], &confirmed, sizeof confirmed) > 0;) ++n;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(ends[0], &confirmed, sizeof confirmed) > 0) {
    }
    ::close(ends[0]);
    ASSERT_GT(confirmed, 0);
    auto store = open_store(place);
    ASSERT_TRUE(store) << store.error().detail;
    std::set<std::string> tabs;
    for (const Table table : {Table::legacy, Table::refactored}) {
      const auto page = (*store)->sessions(table, "", 100, true);
      ASSERT_TRUE(page);
      EXPECT_EQ(page->size(), 20U);
      for (const auto& one : *page) tabs.insert(one.snapshot.session.tab_name);
    }
    EXPECT_EQ(tabs.size(), 1U) << "all of a batch or nothing";
    EXPECT_GE(std::stoi(*tabs.begin()), confirmed);
    Batch end;
    for (int i = 0; i < 20; ++i) end.ended.push_back("s" + std::to_string(i));
    ASSERT_TRUE((*store)->write(end));
  }
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace term::test
