// The JSON dialect of the old clients, message by message (reference/origin.md 1.2 to 1.12).

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

/// Knows the messages by their types.
class OldClient {
 public:
  OldClient(TestServer& server, const std::string& target)
      : ws_(std::make_unique<WsClient>(server.loop(), server.port(), target)) {}

  WsClient& ws() { return *ws_; }
  void send(const Json& message) { ws_->text(message.dump()); }
  void type(const std::string& keys) { send({{"type", "input"}, {"data", keys}}); }

  /// All messages so far; those after the first `from`.
  std::vector<Json> messages(std::size_t from = 0) const {
    std::vector<Json> all;
    const Inbox in = ws_->inbox();
    for (std::size_t i = from; i < in.texts.size(); ++i)
      all.push_back(Json::parse(in.texts[i], nullptr, false));
    return all;
  }
  /// The first of this type after `from` messages; null when the connection ends without.
  Json next(const std::string& type, std::size_t from = 0) const {
    Json found;
    ws_->wait([&](const Inbox& in) {
      for (std::size_t i = from; i < in.texts.size(); ++i) {
        const Json json = Json::parse(in.texts[i], nullptr, false);
        if (json.value("type", "") != type) continue;
        found = json;
        return true;
      }
      return in.closed;
    });
    return found;
  }
  /// The data of all `stream` messages after `from`.
  std::string streamed(std::size_t from = 0) const { return streamed(ws_->inbox(), from); }
  bool sees(const std::string& part, std::size_t from = 0) const {
    return until(from, [&](const std::string& all) { return all.find(part) != std::string::npos; });
  }
  /// What the pattern's first group matched once it does.
  std::string match(const std::string& pattern) const {
    std::string found;
    until(0, [&](const std::string& all) {
      std::smatch match;
      if (!std::regex_search(all, match, std::regex(pattern))) return false;
      found = match[1];
      return true;
    });
    return found;
  }
  std::size_t count() const { return ws_->inbox().texts.size(); }

 private:
  static std::string streamed(const Inbox& in, std::size_t from) {
    std::string all;
    for (std::size_t i = from; i < in.texts.size(); ++i) {
      const Json json = Json::parse(in.texts[i], nullptr, false);
      if (json.value("type", "") == "stream") all += json.at("data").get<std::string>();
    }
    return all;
  }
  bool until(std::size_t from, const std::function<bool(const std::string&)>& done) const {
    bool found = false;
    ws_->wait([&](const Inbox& in) {
      found = done(streamed(in, from));
      return found || in.closed;
    });
    return found;
  }
  std::unique_ptr<WsClient> ws_;
};

class LegacyDialect : public BothEngines {
 protected:
  std::string target(const std::string& session, const std::string& more = "") const {
    return "/?sessionId=" + session + more;
  }
};
TERM_WITH_BOTH_ENGINES(LegacyDialect);

TEST_P(LegacyDialect, ANewSessionSaysFocusThenConnectedThenStreams) {
  OldClient client(server(), target(id(), "&projectId=" + id("p") + "&path=/tmp"));
  client.type("echo first $((6*7))\n");  // Before `connected`: must not be lost.
  ASSERT_TRUE(client.sees("first 42"));
  const auto all = client.messages();
  ASSERT_GE(all.size(), 3U);
  EXPECT_EQ(all[0], (Json{{"type", "focusUpdate"}, {"focused", true}, {"allFocused", {id()}}}));
  EXPECT_EQ(all[1], (Json{{"type", "connected"}, {"sessionId", id()}, {"workingDir", "/tmp"}}));
  for (std::size_t i = 2; i < all.size(); ++i) EXPECT_EQ(all[i].at("type"), "stream");
}

TEST_P(LegacyDialect, AReattachSaysBufferedThenReconnectedThenTheSameAsHistory) {
  {
    OldClient first(server(), target(id()));
    first.type("echo before $((6*7))\n");
    ASSERT_TRUE(first.sees("before 42"));
    first.ws().cut();
  }
  OldClient again(server(), target(id()));
  ASSERT_EQ(again.next("history").at("type"), "history");
  const auto all = again.messages();
  ASSERT_GE(all.size(), 3U);
  EXPECT_EQ(all[0].at("type"), "buffered");
  EXPECT_EQ(all[0].at("sessionId"), id());
  EXPECT_EQ(all[1].at("type"), "reconnected");
  EXPECT_EQ(all[1].at("sessionId"), id());
  EXPECT_TRUE(all[1].at("workingDir").is_string());
  EXPECT_EQ(all[2].at("type"), "history");
  EXPECT_EQ(all[2].at("data"), all[0].at("data"));
  EXPECT_NE(all[2].at("data").get<std::string>().find("before 42"), std::string::npos);
  again.type("echo after $((6*7))\n");
  EXPECT_TRUE(again.sees("after 42"));
  EXPECT_EQ(again.streamed().find("before 42"), std::string::npos) << "replayed twice";
}

TEST_P(LegacyDialect, AReplayBeginsAtASafePlaceAndAsksTheTerminalNothing) {
  TestServer small([](server::Config& config) { config.ring_bytes = 64 * 1024; });
  serve_with(small, adapter::all(GetParam()));
  const std::string coloured = "\x1b[38;5;123m\xe2\x82\xac";
  const TempFile file([&] {
    std::string all;
    for (int i = 0; i < 20'000; ++i) all += coloured;
    return all + "\x1b[c\x1b[6nasked";
  }());
  OldClient first(small, target("safe"));
  first.type(marked("cat " + file.path()));
  ASSERT_TRUE(first.sees("\x1b[c\x1b[6nasked")) << "live output is not touched";
  ASSERT_TRUE(first.sees("DONE"));
  OldClient again(small, target("safe"));
  const std::string data = again.next("history").value("data", "");
  const auto end = data.find("asked");
  ASSERT_NE(end, std::string::npos) << data.substr(0, 300);
  EXPECT_EQ(data.find("\x1b[c"), std::string::npos);
  EXPECT_EQ(data.find("\x1b[6n"), std::string::npos);
  std::string body = data.substr(0, end);
  EXPECT_GT(body.size(), 32U * 1024);
  // Ahead of it, the colour in force where it begins.
  const std::string preamble = "\x1b[0m\x1b[38;5;123m";
  ASSERT_TRUE(body.starts_with(preamble)) << body.substr(0, 40);
  body.erase(0, preamble.size());
  if (body.starts_with("\xe2\x82\xac")) body.erase(0, 3);
  std::string expected;
  while (expected.size() < body.size()) expected += coloured;
  EXPECT_TRUE(same_bytes(body, expected));
}

TEST_P(LegacyDialect, CtrlSendsTheControlCharacterAndIgnoresTheRest) {
  const TempFile file;
  OldClient client(server(), target(id()));
  client.type(marked("head -c 12 >" + file.path()));
  ASSERT_TRUE(client.sees("READY"));
  for (const char* key : {"c", "d", "q", "z", "l", "\\", "", "a", "e", "k", "cc", "u", "w", "C"})
    client.send({{"type", "ctrl"}, {"key", key}});
  client.send({{"type", "ctrl"}});
  client.type(".");
  ASSERT_TRUE(client.sees("DONE"));
  EXPECT_EQ(file.read(), "\x03\x04\x1a\x0c\x1c\x01\x05\x0b\x15\x17\x03.");
}

TEST_P(LegacyDialect, PingGetsPongAndResizeResizes) {
  OldClient client(server(), target(id()));
  client.send({{"type", "ping"}, {"timestamp", 1}});
  EXPECT_EQ(client.next("pong"), (Json{{"type", "pong"}}));
  client.type("stty size\n");
  EXPECT_TRUE(client.sees("30 80\r\n"));
  client.send({{"type", "resize"}, {"cols", 101}, {"rows", 41}});
  client.type("stty size\n");
  EXPECT_TRUE(client.sees("41 101\r\n"));
}

TEST_P(LegacyDialect, FocusIsAHintThatTheClientHearsOfAndOutputGoesOn) {
  const std::string project = "&projectId=" + id("p");
  OldClient one(server(), target(id("one"), project));
  ASSERT_EQ(one.next("connected").at("type"), "connected");
  OldClient two(server(), target(id("two"), project));
  ASSERT_EQ(two.next("connected").at("type"), "connected");
  EXPECT_EQ(two.messages()[0].at("allFocused"), (Json{id("one"), id("two")}));

  std::size_t from = two.count();
  two.send({{"type", "blur"}});
  Json update = two.next("focusUpdate", from);
  EXPECT_EQ(update.at("focused"), false);
  EXPECT_EQ(update.at("allFocused"), Json{id("one")});
  from = two.count();
  two.type("echo unseen $((6*7))\n");
  EXPECT_TRUE(two.sees("unseen 42", from));
  EXPECT_EQ(two.next("stream", from).value("unfocused", false), true);

  from = two.count();
  two.send({{"type", "focus"}});
  update = two.next("focusUpdate", from);
  EXPECT_EQ(update.at("focused"), true);
  EXPECT_EQ(update.at("allFocused"), (Json{id("one"), id("two")}));
  two.send({{"type", "focus_change"}, {"mode", "background"}});
  two.send({{"type", "ping"}});
  EXPECT_EQ(two.next("pong").at("type"), "pong");
  EXPECT_EQ(two.next("focusUpdate", from + 1).is_null(), false);
  for (const Json& message : two.messages()) EXPECT_NE(message.at("type"), "buffered");
}

TEST_P(LegacyDialect, ASuspendedProjectQueuesWhatIsTypedAndPrintsOn) {
  const std::string project = "&projectId=" + id("p");
  OldClient shell(server(), target(id("shell"), project));
  OldClient clock(server(), target(id("clock"), project));
  shell.type("echo pid-$$-before\n");
  const std::string pid = shell.match("pid-(\\d+)-before");
  ASSERT_NE(pid, "");
  clock.type(std::string(TERM_PRINTER) + " tick 5000\n");
  ASSERT_TRUE(clock.sees("tick:1\n"));

  shell.send({{"type", "suspend"}});
  const Json suspended = shell.next("suspended");
  EXPECT_EQ(suspended.at("sessionId"), id("shell"));
  EXPECT_EQ(suspended.at("message"), "2 session(s) suspended");
  const std::size_t quiet = shell.count();
  shell.type("echo one-$((6*7))\n");
  shell.type("echo two-$((6*7))\n");
  shell.type("echo pid-$$-after\n");
  shell.send({{"type", "ping"}});
  ASSERT_EQ(shell.next("pong").at("type"), "pong");
  const std::size_t ticks = clock.count();
  ASSERT_FALSE(clock.next("stream", ticks + 5).is_null()) << "output stopped";
  EXPECT_EQ(shell.streamed(quiet).find("one-"), std::string::npos) << "input was not held back";

  shell.send({{"type", "resume"}});
  const Json resumed = shell.next("resumed");
  EXPECT_EQ(resumed.at("sessionId"), id("shell"));
  EXPECT_EQ(shell.match("pid-(\\d+)-after"), pid) << "another shell";
  const std::string out = shell.streamed(quiet);
  const auto one = out.find("one-42");
  const auto two = out.find("two-42");
  ASSERT_NE(one, std::string::npos);
  ASSERT_NE(two, std::string::npos);
  EXPECT_LT(one, two);
  clock.type("\x03");
  EXPECT_TRUE(clock.sees("END:"));
}

TEST_P(LegacyDialect, AnExitIsToldWithItsCodeBeforeTheClose) {
  OldClient client(server(), target(id()));
  client.type("exit 7\n");
  EXPECT_EQ(client.next("exit"), (Json{{"type", "exit"}, {"code", 7}}));
  ASSERT_TRUE(client.ws().wait_closed());
  EXPECT_EQ(client.ws().inbox().close_code, 1000);
  EXPECT_EQ(client.messages().back().at("type"), "exit");
}

TEST_P(LegacyDialect, APlainClose1000KeepsTheSession) {
  {
    OldClient client(server(), target(id()));
    client.type("kept=$((6*7)); echo ok$kept\n");
    ASSERT_TRUE(client.sees("ok42"));
    client.ws().close(1000, "Component unmounting");
    ASSERT_TRUE(client.ws().wait_closed());
  }
  OldClient again(server(), target(id()));
  EXPECT_FALSE(again.next("reconnected").is_null());
  again.type("echo still-$kept\n");
  EXPECT_TRUE(again.sees("still-42"));
}

TEST_P(LegacyDialect, AClose1000ByTheUserEndsTheSession) {
  OldClient other(server(), target(id()));
  ASSERT_FALSE(other.next("connected").is_null());
  OldClient client(server(), target(id()));
  ASSERT_FALSE(client.next("reconnected").is_null());
  client.ws().close(1000, "Session closed by user");
  ASSERT_TRUE(other.ws().wait_closed());
  EXPECT_EQ(other.ws().inbox().close_code, 4001);
  EXPECT_TRUE(server().eventually("/api/terminal/status?sessionId=" + id(),
                                  [](const Json& json) { return !json.value("success", true); }));
  OldClient fresh(server(), target(id()));
  EXPECT_FALSE(fresh.next("connected").is_null()) << "not a new one";
}

TEST_P(LegacyDialect, EveryFormOfTheUrlNamesTheSameSession) {
  const std::string project = id("p");
  OldClient first(server(), "/project/" + project + "/session/" + id());
  EXPECT_EQ(first.next("connected").value("sessionId", ""), id());
  for (const std::string& form : {"/?sessionId=" + id() + "&projectId=" + project,
                                  "/?projectId=" + project + "&sessionId=" + id() + "_" + project,
                                  "/project/" + project + "/session/" + id() + "_" + project}) {
    OldClient again(server(), form);
    EXPECT_EQ(again.next("reconnected").value("sessionId", ""), id()) << form;
  }
  const Json status = server().json("/api/terminal/status?sessionId=" + id());
  EXPECT_EQ(status.at("session").at("projectId"), project);
}

TEST_P(LegacyDialect, WithoutAnIdOneIsMade) {
  const std::regex form(R"(session_\d{13,}_[a-z0-9]{8})");
  std::string ids[2];
  for (std::string& made : ids) {
    OldClient client(server(), &made == ids ? "/" : "/?sessionId=&projectId=");
    made = client.next("connected").value("sessionId", "");
    EXPECT_TRUE(std::regex_match(made, form)) << made;
  }
  EXPECT_NE(ids[0], ids[1]);
}

TEST_P(LegacyDialect, TwoSocketsOnOneSessionBothWorkAndNeitherTakesTheOtherAway) {
  auto older = std::make_unique<OldClient>(server(), target(id()));
  ASSERT_FALSE(older->next("connected").is_null());
  OldClient newer(server(), target(id()));
  ASSERT_FALSE(newer.next("reconnected").is_null());
  older->type("echo from-older-$((6*7))\n");
  EXPECT_TRUE(older->sees("from-older-42"));
  EXPECT_TRUE(newer.sees("from-older-42"));
  newer.type("echo from-newer-$((6*7))\n");
  EXPECT_TRUE(older->sees("from-newer-42"));
  EXPECT_TRUE(newer.sees("from-newer-42"));
  older->ws().close(1000);
  ASSERT_TRUE(older->ws().wait_closed());
  older.reset();
  newer.type("echo alone-$((6*7))\n");
  EXPECT_TRUE(newer.sees("alone-42"));
  const Json status = server().json("/api/terminal/status?sessionId=" + id());
  EXPECT_EQ(status.at("session").at("status"), "active");
}

}  // namespace
}  // namespace term::test
