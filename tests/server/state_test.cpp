// Export and restore of a running service, and cold sessions, with real shells and a real store.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "session/snapshot_json.h"
#include "store/document.h"
#include "support/any_client.h"
#include "support/restarting.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

/// A service with a store of its own, without a holder: its shells end with it.
class Place {
 public:
  TestServer& start() {
    server_.reset();
    server_ = std::make_unique<TestServer>([this](server::Config& config) {
      config.state_dir = dir_.path();
      config.holder = server::HolderUse::none;
    });
    return *server_;
  }
  TestServer& server() { return *server_; }
  HttpReply restore(const std::string& document, const std::string& query = "") {
    return http(server_->operator_port(), "POST", "/api/admin/state" + query, document);
  }
  Json restored(const std::string& document, const std::string& query = "") {
    const auto reply = restore(document, query);
    EXPECT_EQ(reply.status, 200U) << reply.body;
    return Json::parse(reply.body, nullptr, false);
  }
  std::string exported(const std::string& query = "") {
    const auto reply = server_->get("/api/admin/state" + query);
    EXPECT_EQ(reply.status, 200U) << reply.body.substr(0, 500);
    return reply.body;
  }
  std::size_t cold() { return health("cold"); }
  std::size_t live() { return health("total"); }

 private:
  std::size_t health(const char* name) {
    return server_->json("/api/health/terminal").at("sessions").at(name).get<std::size_t>();
  }
  StateDir dir_;
  std::unique_ptr<TestServer> server_;
};

/// `{restored, adopted, skipped, failed}` of a report.
std::vector<std::size_t> numbers(const Json& report) {
  return {report.at("restored").get<std::size_t>(), report.at("adopted").get<std::size_t>(),
          report.at("skipped").get<std::size_t>(), report.at("failed").size()};
}
using Numbers = std::vector<std::size_t>;

std::map<std::string, Json> sessions_of(const std::string& document) {
  std::map<std::string, Json> sessions;
  const Json json = Json::parse(document, nullptr, false);
  for (const auto& session : json.at("sessions"))
    sessions[session.at("id").get<std::string>()] = session;
  return sessions;
}

SessionSnapshot saved(const SessionId& id, const std::string& output) {
  SessionSnapshot snapshot;
  SessionRecord& record = snapshot.session;
  record.id = id;
  record.project_id = "saved-project";
  record.tab_name = "a name";
  record.status = record.lifecycle.state = SessionState::detached;
  record.shell = "/bin/false";  // Nobody's choice but a file's.
  record.args = {"-c", "touch /tmp/never"};
  record.current_path = "/usr/share";
  record.environment = {{"MY_ADDITION", "kept"}, {"LD_PRELOAD", "/tmp/evil.so"}};
  record.window = {.rows = 33, .cols = 111};
  snapshot.stream.window = record.window;
  snapshot.stream.data = output;
  snapshot.stream.first_offset = 0;
  snapshot.stream.next_offset = output.size();
  return snapshot;
}

std::string document(const std::vector<SessionSnapshot>& sessions,
                     const std::vector<ProjectRecord>& projects = {}) {
  store::DocumentWriter writer({.reason = "test"});
  std::string text = writer.begin();
  for (const auto& project : projects) text += writer.project(project);
  for (const auto& session : sessions) text += writer.session(session);
  return text + writer.end();
}

TEST(State, WhatIsExportedComesBackByteForByteOnAFreshInstance) {
  constexpr int kSessions = 60;
  Place from;
  from.start();
  serve_with(from.server(), adapter::all(Engine::legacy));
  std::vector<std::unique_ptr<NativeClient>> clients;
  for (int i = 0; i < kSessions; ++i) {
    if (i == kSessions / 2) serve_with(from.server(), adapter::all(Engine::refactored));
    const std::string n = std::to_string(i);
    clients.push_back(std::make_unique<NativeClient>(
        from.server(), "s" + n, NativeClient::Options{.client = "c" + n, .project = "p"}));
    clients.back()->type("seq 1 " + std::to_string(100 * i) + "; echo done-$((1+1))\n");
  }
  for (auto& client : clients) ASSERT_TRUE(client->sees("done-2"));
  const std::string text = from.exported("?reason=test%20run");
  const auto before = sessions_of(text);
  ASSERT_EQ(before.size(), static_cast<std::size_t>(kSessions));
  EXPECT_EQ(Json::parse(text).at("reason"), "test run");
  EXPECT_EQ(Json::parse(text).at("connections").size(), static_cast<std::size_t>(kSessions));

  // Where they live they are not touched.
  EXPECT_EQ(numbers(from.restored(text)), (Numbers{0, kSessions, 0, 0}));
  EXPECT_EQ(from.live(), static_cast<std::size_t>(kSessions));

  Place to;
  to.start();
  EXPECT_EQ(numbers(to.restored(text)), (Numbers{kSessions, 0, 0, 0}));
  EXPECT_EQ(to.cold(), static_cast<std::size_t>(kSessions));
  EXPECT_EQ(to.live(), 0U);
  EXPECT_EQ(sessions_of(to.exported()), before);
  EXPECT_EQ(numbers(to.restored(text)), (Numbers{0, 0, kSessions, 0}));
  EXPECT_EQ(sessions_of(to.exported()), before);
  to.start();  // It was stored before it was reported.
  EXPECT_TRUE(until([&] { return to.cold() == kSessions; }));
  EXPECT_EQ(sessions_of(to.exported()), before);
  EXPECT_EQ(numbers(to.restored(text, "?engine=legacy")).at(3), 0U);
  EXPECT_EQ(sessions_of(to.exported()), before);
}

TEST(State, AnExportTakesInWhatItIsAskedFor) {
  Place place;
  place.start();
  EXPECT_EQ(place.restored(document({saved("cold-one", "x")}), "?each=true").at("sessions").at(0),
            (Json{{"id", "cold-one"}, {"result", "restored"}}));
  NativeClient live(place.server(), "live-one", {.project = "p"});
  const auto ids = [&](const std::string& query) {
    std::string all;
    for (const auto& [id, session] : sessions_of(place.exported(query))) all += id + " ";
    return all;
  };
  EXPECT_EQ(ids(""), "cold-one live-one ");
  EXPECT_EQ(ids("?live=true"), "live-one ");
  EXPECT_EQ(ids("?project=saved-project"), "cold-one ");
  EXPECT_EQ(ids("?project=p"), "live-one ");
  EXPECT_EQ(ids("?session=cold-one"), "cold-one ");
  EXPECT_EQ(place.server().get("/api/admin/state?session=nobody").status, 404U);
  EXPECT_EQ(place.server().get("/api/admin/state?sesion=x").status, 400U);
  EXPECT_EQ(place.restore("{\"sessions\":[]}", "?engine=new").status, 400U);
}

TEST(State, ADamagedDocumentChangesNothing) {
  Place place;
  place.start();
  const std::string text = document({saved("a", "output"), saved("b", "output")});
  std::string damaged = text;
  damaged[text.find("a name")] = 'A';
  for (const std::string& bad :
       {text.substr(0, text.size() - 40), damaged, std::string("nonsense"),
        std::string("{\"sessions\":[{\"id\":\"x\"},{\"id\":\"x\"}]}"), std::string()}) {
    const auto reply = place.restore(bad);
    EXPECT_EQ(reply.status, 400U) << reply.body;
    EXPECT_EQ(Json::parse(reply.body).at("code"), "bad_snapshot");
  }
  EXPECT_EQ(place.cold(), 0U);
  EXPECT_TRUE(sessions_of(place.exported()).empty());
}

TEST(State, AStreamOfNonsenseIsRefusedLongBeforeItsEnd) {
  Place place;
  place.start();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(place.server().operator_port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::string bytes = "POST /api/admin/state HTTP/1.1\r\nHost: localhost:" +
                      std::to_string(place.server().operator_port()) +
                      "\r\nContent-Length: 10000000000\r\n\r\n{\"sessions\":[{\"id\":\"";
  std::size_t sent = 0;
  char answer[64] = {};
  for (; sent < 50'000'000; bytes.assign(1 << 20, 'x')) {
    const auto n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 || ::recv(fd.get(), answer, sizeof answer - 1, MSG_PEEK | MSG_DONTWAIT) > 0) break;
    sent += static_cast<std::size_t>(n);
  }
  // A session may be large; nothing else about it was wrong so far.
  EXPECT_GT(sent, 1'000'000U);
  ASSERT_EQ(place.restore("{\"sessions\":[{\"id\":\"a\"}]}").status, 409U) << "one at a time";
  ::shutdown(fd.get(), SHUT_WR);
  ASSERT_GT(::recv(fd.get(), answer, sizeof answer - 1, 0), 0);
  EXPECT_TRUE(std::string(answer).starts_with("HTTP/1.1 ")) << answer;
  EXPECT_FALSE(std::string(answer).starts_with("HTTP/1.1 200")) << answer;
}

TEST(State, ALiveSessionBehindTheFileIsNamedAndNotTouched) {
  Place place;
  place.start();
  NativeClient client(place.server(), "mine");
  client.type("echo still-$((1+1))\n");
  ASSERT_TRUE(client.sees("still-2"));
  const Json report = place.restored(document({saved("mine", std::string(200'000, 'x'))}));
  EXPECT_EQ(numbers(report), (Numbers{0, 0, 0, 1}));
  EXPECT_EQ(report.at("failed").at(0).at("id"), "mine");
  EXPECT_FALSE(report.at("success").get<bool>());
  client.type("echo again-$((1+1))\n");
  EXPECT_TRUE(client.sees("again-2"));
}

TEST(State, ARestoredProjectIsThereAtOnceAndOneThatIsHereKeepsWhatIsNewer) {
  Place place;
  place.start();
  const auto name_of_next = [&](const std::string& project) {
    const auto reply = place.server().post("/api/terminal/create", {{"projectId", project}});
    return Json::parse(reply.body, nullptr, false).value("tabName", "");
  };
  for (int i = 0; i < 2; ++i) (void)name_of_next("here");
  const std::string text =
      document({}, {{.id = "saved", .layout = R"({"split":2})", .name_counter = 7},
                    {.id = "here", .name_counter = 1}});
  ASSERT_EQ(place.restore(text).status, 200U);
  EXPECT_EQ(name_of_next("saved"), "Terminal 8");
  EXPECT_EQ(name_of_next("here"), "Terminal 3");
  const auto resumed = place.server().post("/api/terminal/resume", {{"projectId", "saved"}});
  EXPECT_EQ(Json::parse(resumed.body, nullptr, false).at("uiState"), (Json{{"split", 2}}));
  ASSERT_EQ(place.restore(text).status, 200U);
  EXPECT_EQ(name_of_next("saved"), "Terminal 9");
}

class Cold : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    place_.start();
    serve_with(server(), adapter::all(GetParam()));
  }
  TestServer& server() { return place_.server(); }
  Place place_;
};
TERM_WITH_BOTH_ENGINES(Cold);

TEST_P(Cold, OpeningItShowsItsOutputSaysSoAndStartsAShellWhereItWas) {
  place_.restored(document({saved("c", "what was printed before\r\n")}));
  ASSERT_EQ(place_.cold(), 1U);
  NativeClient viewer(server(), "c", {.client = "watching", .role = "viewer"});
  const Json attached = viewer.attached();
  ASSERT_TRUE(attached.is_object());
  EXPECT_EQ(attached.at("tier"), "cold");
  EXPECT_EQ(attached.at("output"), 0);
  EXPECT_EQ(attached.at("engine").at("streams"), std::string(term::to_string(GetParam())));
  EXPECT_EQ(attached.at("session").at("cols"), 111);
  EXPECT_EQ(attached.at("session").at("rows"), 33);
  EXPECT_EQ(attached.at("session").at("tabName"), "a name");
  EXPECT_EQ(attached.at("session").at("projectId"), "saved-project");
  EXPECT_TRUE(viewer.sees("what was printed before"));
  EXPECT_TRUE(viewer.sees("a new shell in /usr/share]"));

  NativeClient writer(server(), "c", {.client = "typing", .size = {.rows = 20, .cols = 70}});
  EXPECT_EQ(writer.attached().at("tier"), "cold");
  writer.type("echo works-$((6*7)) at-$PWD env-$MY_ADDITION- preload-$LD_PRELOAD- $(stty size)\n");
  EXPECT_TRUE(writer.sees("works-42 at-/usr/share env-kept- preload-- 20 70")) << writer.output();
  EXPECT_EQ(place_.cold(), 0U);
  EXPECT_EQ(place_.live(), 1U);
  EXPECT_NE(writer.attached().at("session").at("shell"), "/bin/false");

  // What was counted before is counted on.
  const Json exported = sessions_of(place_.exported("?session=c")).at("c");
  EXPECT_EQ(exported.at("output").at("firstOffset"), 0);
  const auto bytes = base64_decode(exported.at("output").at("data").get<std::string>());
  ASSERT_TRUE(bytes);
  EXPECT_TRUE(bytes->starts_with("what was printed before\r\n"));
  const NativeClient back(server(), "c", {.client = "typing"});
  EXPECT_EQ(back.attached().at("tier"), "warm");
}

TEST_P(Cold, EveryDialectShowsIt) {
  int n = 0;
  for (const Speaks dialect : {Speaks::native, Speaks::raw, Speaks::json}) {
    const std::string id = "c" + std::to_string(n++);
    place_.restored(document({saved(id, "from before\r\n")}));
    AnyClient client(server(), id, dialect);
    if (dialect == Speaks::json) {  // Its replay is a message of its own.
      const auto history = client.ws().wait_text("\"history\"");
      ASSERT_TRUE(history.has_value());
      EXPECT_NE(history->find("from before"), std::string::npos) << *history;
      EXPECT_NE(history->find("session restored"), std::string::npos) << *history;
    } else {
      EXPECT_TRUE(client.sees("from before")) << to_string(dialect);
      EXPECT_TRUE(client.sees("session restored")) << to_string(dialect);
    }
    client.type("echo works-$((6*7))\n");
    EXPECT_TRUE(client.sees("works-42")) << to_string(dialect);
  }
}

TEST_P(Cold, OutputWhoseBeginWasNotSavedIsShownFromItsFirstWholeLine) {
  auto snapshot = saved("c", "f a line\r\nold text\r\nprompt$ ");
  snapshot.stream.first_offset += 1000;
  snapshot.stream.next_offset += 1000;
  place_.restored(document({snapshot}));
  NativeClient client(server(), "c");
  EXPECT_EQ(client.attached().at("output"), 1010);
  EXPECT_TRUE(client.sees("session restored"));
  EXPECT_TRUE(client.output().starts_with("old text\r\nprompt$ ")) << client.output();
}

TEST_P(Cold, AClientThatSawMoreThanWasSavedBeginsAnew) {
  place_.restored(document({saved("c", "saved output\r\n")}));
  NativeClient client(server(), "c", {.client = "old", .output = 500'000, .input = 77});
  EXPECT_EQ(client.attached().at("tier"), "cold");
  EXPECT_EQ(client.attached().at("output"), 0);
  EXPECT_TRUE(client.message("gap"));
  client.type("echo works-$((6*7))\n");
  EXPECT_TRUE(client.sees("works-42")) << client.output();
}

TEST_P(Cold, WithoutItsDirectoryItSaysWhereTheShellIs) {
  auto snapshot = saved("c", "x");
  snapshot.session.current_path = "/no/such/\x1b[31mplace";
  place_.restored(document({snapshot}));
  NativeClient client(server(), "c");
  EXPECT_TRUE(client.sees("since /no/such/?[31mplace is not there]")) << client.output();
}

TEST_P(Cold, OneThatIsOnlyWantedIfItExistsExists) {
  place_.restored(document({saved("c", "x"), saved("d", "y")}));
  const NativeClient client(server(), "c", {.query = "&create=false"});
  EXPECT_EQ(client.attached().value("tier", ""), "cold");
  EXPECT_EQ(http(server().operator_port(), "DELETE", "/api/terminal/close/d").status, 200U);
  EXPECT_EQ(place_.cold(), 0U);
  const NativeClient gone(server(), "d", {.query = "&create=false"});
  EXPECT_TRUE(gone.attached().is_null());
  EXPECT_EQ(sessions_of(place_.exported()).count("d"), 0U);
}

TEST_P(Cold, TwoAtOnceGetOneShell) {
  place_.restored(document({saved("c", "x")}));
  std::vector<std::unique_ptr<AnyClient>> clients;
  for (int i = 0; i < 8; ++i)
    clients.push_back(std::make_unique<AnyClient>(server(), "c", Speaks::raw));
  for (auto& client : clients) EXPECT_TRUE(client->sees("session restored"));
  clients[0]->type("echo only-$((1+1))\n");
  for (auto& client : clients) EXPECT_TRUE(client->sees("only-2"));
  EXPECT_EQ(place_.live(), 1U);
}

class ColdWithHolder : public RestartTest {};

TEST_F(ColdWithHolder, OnceItHasAShellItLivesOnOverARestart) {
  start();
  const std::string output(150'000, 'o');
  const auto reply = http(server().operator_port(), "POST", "/api/admin/state",
                          document({saved("c", output + "\r\nthe end\r\n")}));
  ASSERT_EQ(reply.status, 200U) << reply.body;
  run("c", "echo mine-$$-$((1+1))", "-2", {.client = "me"});
  const SessionView before = session("c");
  ASSERT_TRUE(before.snapshot.stream.data->starts_with(output + "\r\nthe end\r\n"));
  EXPECT_EQ(before.snapshot.stream.first_offset, 0U);
  restart();
  const SessionView after = session("c");
  EXPECT_EQ(after.snapshot.stream.pid, before.snapshot.stream.pid);
  EXPECT_EQ(after.snapshot.stream.first_offset, 0U);
  EXPECT_TRUE(after.snapshot.stream.data->starts_with(*before.snapshot.stream.data));
  NativeClient client(server(), "c", {.client = "me"});
  EXPECT_EQ(client.attached().at("tier"), "live");
  EXPECT_EQ(client.attached().at("output"), 0);
  EXPECT_EQ(server().json("/api/health/terminal").at("sessions").at("cold"), 0);
}

}  // namespace
}  // namespace term::test
