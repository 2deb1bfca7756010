// Flips under live sessions, over real sockets: the promise of the product.

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <set>

#include "support/test_server.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

/// A stream that a reader can check byte by byte, going on while the flips come.
std::string producer(const std::string& name) {
  return std::string(TERM_PRINTER) + " " + name + " 10000\n";
}

/// Exactly the lines 1..n between START and END, whatever the shell printed around them.
testing::AssertionResult exact(const std::string& output, const std::string& name) {
  const auto start = output.rfind("START\n");
  const auto end = output.rfind("END:");
  if (start == std::string::npos || end == std::string::npos)
    return testing::AssertionFailure() << name << ": no START or END in " << output.substr(0, 300);
  const unsigned long last = std::stoul(output.substr(end + 4));
  std::string expected;
  for (unsigned long i = 1; i <= last; ++i) expected += name + ":" + std::to_string(i) + "\n";
  const std::string got = output.substr(start + 6, end - start - 6);
  if (got == expected) return testing::AssertionSuccess();
  std::size_t at = 0;
  while (at < got.size() && at < expected.size() && got[at] == expected[at]) ++at;
  return testing::AssertionFailure()
         << name << ": differs at byte " << at << ": got \"" << got.substr(at, 60)
         << "\", expected \"" << expected.substr(at, 60) << "\"";
}

/// n sessions, each printing, each with a native viewer (two for every fifth).
class Fleet {
 public:
  Fleet(TestServer& server, int n) : server_(server) {
    for (int i = 0; i < n; ++i) {
      const std::string id = "flip-" + std::to_string(i);
      clients_.push_back(std::make_unique<NativeClient>(
          server, id,
          NativeClient::Options{.client = "c", .project = "p" + std::to_string(i % 3)}));
      clients_.back()->type(producer("s" + std::to_string(i)));
    }
    for (int i = 0; i < n; i += 5) {
      watchers_.push_back(
          std::make_unique<NativeClient>(server, "flip-" + std::to_string(i),
                                         NativeClient::Options{.client = "w", .role = "viewer"}));
    }
    for (auto& client : clients_) EXPECT_TRUE(client->sees(":2\n"));
  }

  std::map<std::string, int> pids() {
    std::map<std::string, int> pids;
    for (std::size_t i = 0; i < server_.service().shards().size(); ++i) {
      auto& shard = server_.service().shards().at(i);
      std::promise<std::map<std::string, int>> promise;
      auto future = promise.get_future();
      boost::asio::post(shard.io, [&] {
        std::map<std::string, int> own;
        for (const auto& session : shard.sessions->live()) own[session->id()] = session->pid();
        promise.set_value(own);
      });
      pids.merge(future.get());
    }
    return pids;
  }

  void stop_and_check() {
    for (auto& client : clients_) client->type("\x03");
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      const std::string name = "s" + std::to_string(i);
      ASSERT_TRUE(clients_[i]->sees("END:")) << name << ": " << tail(clients_[i]->output());
      EXPECT_TRUE(exact(clients_[i]->output(), name));
      EXPECT_FALSE(clients_[i]->ws().inbox().closed) << name << " had to reconnect";
    }
    for (std::size_t i = 0; i < watchers_.size(); ++i) {
      ASSERT_TRUE(watchers_[i]->sees("END:"));
      EXPECT_TRUE(exact(watchers_[i]->output(), "s" + std::to_string(i * 5)));
      EXPECT_FALSE(watchers_[i]->ws().inbox().closed);
    }
  }

  NativeClient& at(std::size_t i) { return *clients_.at(i); }

 private:
  static std::string tail(const std::string& text) {
    return text.size() < 300 ? text : text.substr(text.size() - 300);
  }
  TestServer& server_;
  std::vector<std::unique_ptr<NativeClient>> clients_;
  std::vector<std::unique_ptr<NativeClient>> watchers_;
};

void expect_clean(const Json& answer, int sessions, int moved) {
  ASSERT_TRUE(answer.contains("flip")) << answer.dump();
  const Json& flip = answer.at("flip");
  EXPECT_EQ(flip.at("sessions"), sessions);
  EXPECT_EQ(flip.at("sessions_after"), sessions);
  EXPECT_EQ(flip.at("moved"), moved);
  EXPECT_EQ(flip.at("lost"), 0);
  EXPECT_EQ(flip.at("failed"), Json::array());
  EXPECT_EQ(flip.at("good"), true);
  EXPECT_EQ(flip.at("offsets_sha256").at("before"), flip.at("offsets_sha256").at("after"));
}

TEST(Flip, FortyPrintingSessionsGoBackAndForthTwentyTimesWithoutLosingAByte) {
  TestServer server;
  Fleet fleet(server, 40);
  const auto before = fleet.pids();
  ASSERT_EQ(before.size(), 40U);
  for (int i = 0; i < 20; ++i) {
    expect_clean(server.flags({{"terminal_refactor", false}, {"force", true}}), 40, 40);
    expect_clean(server.flags({{"terminal_refactor", true}, {"force", true}}), 40, 40);
  }
  EXPECT_EQ(fleet.pids(), before);
  EXPECT_EQ(server.json("/api/metrics/terminals/sessions").at("lost"), 0);
  fleet.stop_and_check();
}

class OnePort : public testing::TestWithParam<const char*> {};

TEST_P(OnePort, MovesAloneBackAndForthTwentyTimesWithoutLosingAByte) {
  TestServer server;
  Fleet fleet(server, 40);
  const auto before = fleet.pids();
  for (int i = 0; i < 20; ++i) {
    expect_clean(server.flags({{"services", {{GetParam(), false}}}, {"force", true}}), 40, 40);
    expect_clean(server.flags({{"services", {{GetParam(), true}}}, {"force", true}}), 40, 40);
  }
  EXPECT_EQ(fleet.pids(), before);
  fleet.stop_and_check();
  const auto notice = fleet.at(0).message("notice");
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->at("engine").at(GetParam()), "legacy");
}

INSTANTIATE_TEST_SUITE_P(Flip, OnePort, testing::Values("sessions", "streams", "telemetry"),
                         [](const auto& param) { return std::string(param.param); });

/// Imports of sessions whose ids are in `sick` fail at one port of one engine.

class FailingStreams final : public StreamService {
 public:
  FailingStreams(StreamService& inner, const std::set<SessionId>& sick)
      : inner_(inner), sick_(sick) {}
  Result<void> import_session(const SessionId& id, const StreamRecord& record) override {
    if (sick_.contains(id)) return Error{Errc::bad_snapshot, "injected fault for " + id};
    return inner_.import_session(id, record);
  }
  Result<void> may_start() const override { return inner_.may_start(); }
  void start_result(bool started) override { inner_.start_result(started); }
  Result<void> create(const SessionId& id, WindowSize window, Offset next) override {
    return inner_.create(id, window, next);
  }
  Result<void> opened(const SessionId& id, pid_t pid) override { return inner_.opened(id, pid); }
  Result<void> exited(const SessionId& id, const ExitStatus& s) override {
    return inner_.exited(id, s);
  }
  Result<void> close(const SessionId& id) override { return inner_.close(id); }
  std::size_t read_budget(const SessionId& id, bool contended) override {
    return inner_.read_budget(id, contended);
  }
  void output(const SessionId& id, Offset first, std::span<const char> bytes,
              Offset ring_first) override {
    inner_.output(id, first, bytes, ring_first);
  }
  Result<void> attach(const SessionId& id, const ViewerState& viewer) override {
    return inner_.attach(id, viewer);
  }
  void detach(const SessionId& id, ViewerId viewer) override { inner_.detach(id, viewer); }
  Delivery next_delivery(const SessionId& id, ViewerId viewer, std::size_t max) override {
    return inner_.next_delivery(id, viewer, max);
  }
  void sent(const SessionId& id, ViewerId viewer, Offset upto) override {
    inner_.sent(id, viewer, upto);
  }
  Result<void> acked(const SessionId& id, ViewerId viewer, Offset upto) override {
    return inner_.acked(id, viewer, upto);
  }
  void set_exempt(const SessionId& id, ViewerId viewer, bool exempt) override {
    inner_.set_exempt(id, viewer, exempt);
  }
  Result<InputVerdict> input(const SessionId& id, ViewerId viewer, Offset first, std::size_t n,
                             std::size_t room) override {
    return inner_.input(id, viewer, first, n, room);
  }
  bool may_write(const SessionId& id) const override { return inner_.may_write(id); }
  void input_written(const SessionId& id, const std::string& client, Offset upto) override {
    inner_.input_written(id, client, upto);
  }
  InputOffsets input_offsets(const SessionId& id, const std::string& client) const override {
    return inner_.input_offsets(id, client);
  }
  Result<void> set_suspended(const SessionId& id, bool suspended) override {
    return inner_.set_suspended(id, suspended);
  }
  Result<std::optional<WindowSize>> resize(const SessionId& id, ViewerId viewer,
                                           WindowSize size) override {
    return inner_.resize(id, viewer, size);
  }
  Result<std::optional<WindowSize>> resize(const SessionId& id, WindowSize size) override {
    return inner_.resize(id, size);
  }
  Result<StreamRecord> export_session(const SessionId& id) const override {
    return inner_.export_session(id);
  }
  Result<void> release(const SessionId& id) override { return inner_.release(id); }
  std::vector<ModuleHealth> health() const override { return inner_.health(); }

 private:
  StreamService& inner_;
  const std::set<SessionId>& sick_;
};

TEST(Flip, ASessionWhoseImportFailsStaysWhereItWasWorkingAndIsReported) {
  const std::set<SessionId> sick{"flip-3"};
  TestServer server({}, [&](const Clock& clock, const SessionLimits& a, const StreamLimits& b) {
    adapter::Engines engines = adapter::make_engines(clock, a, b);
    auto failing = std::make_shared<FailingStreams>(*engines.legacy.streams, sick);
    engines.legacy.streams = failing.get();
    engines.owner = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
        engines.owner, failing);
    return engines;
  });
  Fleet fleet(server, 8);
  const auto before = fleet.pids();
  const Json answer = server.flags({{"terminal_refactor", false}, {"force", true}});
  const Json& flip = answer.at("flip");
  EXPECT_EQ(flip.at("sessions"), 8);
  EXPECT_EQ(flip.at("moved"), 7);
  EXPECT_EQ(flip.at("lost"), 0);
  EXPECT_EQ(flip.at("good"), false);
  ASSERT_EQ(flip.at("failed").size(), 1U);
  EXPECT_EQ(flip.at("failed").at(0).at("id"), "flip-3");
  EXPECT_NE(flip.at("failed").at(0).at("error").get<std::string>().find("injected"),
            std::string::npos);
  const Json health = server.json("/api/health/terminal");
  EXPECT_EQ(health.at("sessions").at("by_engine").at("refactored"), 1);
  EXPECT_EQ(health.at("sessions").at("by_engine").at("legacy"), 7);
  EXPECT_EQ(fleet.pids(), before);
  fleet.stop_and_check();
  fleet.at(3).type("echo still $((6*7))\n");
  EXPECT_TRUE(fleet.at(3).sees("still 42"));
  const Json journal = server.json("/api/admin/flips/" + flip.at("id").get<std::string>());
  EXPECT_EQ(journal.at("failed"), flip.at("failed"));
}

TEST(Flip, WithoutForceNewSessionsGoToLegacyAndOldOnesStay) {
  TestServer server;
  NativeClient old_one(server, "old");
  const Json answer = server.flags({{"terminal_refactor", false}});
  EXPECT_EQ(answer.at("flip").at("moved"), 0);
  NativeClient new_one(server, "new");
  EXPECT_EQ(new_one.attached().at("engine").at("streams"), "legacy");
  NativeClient again(server, "old", {.client = "other"});
  EXPECT_EQ(again.attached().at("engine").at("streams"), "refactored");
}

TEST(Flip, OneProjectOrOneSessionCanBeMovedAlone) {
  TestServer server;
  NativeClient a(server, "a", {.project = "red"});
  NativeClient b(server, "b", {.project = "blue"});
  Json answer = server.flags({{"terminal_refactor", false}, {"project", "red"}, {"force", true}});
  EXPECT_EQ(answer.at("flip").at("moved"), 1);
  answer = server.flags({{"terminal_refactor", false}, {"session", "b"}, {"force", true}});
  EXPECT_EQ(answer.at("flip").at("moved"), 1);
  answer = server.flags({{"terminal_refactor", true}, {"force", true}});
  EXPECT_EQ(answer.at("flip").at("moved"), 2);
}

TEST(Flip, LegacyModeOfTheEnvironmentCannotBeOverriddenAndTheAnswerNamesIt) {
  TestServer server([](server::Config& config) { config.legacy_mode.value = true; });
  const HttpReply reply =
      server.post("/api/admin/feature-flags", {{"terminal_refactor", true}, {"force", true}});
  EXPECT_EQ(reply.status, 409U);
  EXPECT_NE(reply.body.find("TERMINAL_LEGACY_MODE"), std::string::npos);
  NativeClient client(server, "x");
  EXPECT_EQ(client.attached().at("engine").at("sessions"), "legacy");
}

TEST(Flip, ADryRunChangesNothing) {
  TestServer server;
  NativeClient client(server, "x");
  const Json answer =
      server.flags({{"terminal_refactor", false}, {"force", true}, {"dry_run", true}});
  EXPECT_EQ(answer.at("flip").at("sessions"), 1);
  EXPECT_EQ(answer.at("flip").at("moved"), 0);
  EXPECT_EQ(server.json("/api/admin/feature-flags").at("newSessions").at("sessions"), "refactored");
  EXPECT_EQ(server.json("/api/admin/flips").at("flips"), Json::array());
}

}  // namespace
}  // namespace term::test
