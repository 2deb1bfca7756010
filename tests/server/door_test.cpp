// Who is let in: ids, origins, hosts, handshakes, heads and bodies.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "session/unique_fd.h"
#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

class Door : public BothEngines {
 protected:
  std::string localhost() const { return "localhost:" + std::to_string(server().port()); }
  /// An upgrade request; `fields` instead of Host and what a WebSocket needs, where given.
  std::string upgrade(const std::string& target, const std::string& fields) const {
    return "GET " + target + " HTTP/1.1\r\n" + fields + "\r\n";
  }
  static inline const std::string kWebSocket =
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  std::string host() const { return "Host: " + localhost() + "\r\n"; }

  static std::size_t sessions() { return server().service().shards().total(); }
  static std::uint64_t refused() {
    const Json json = server().json("/api/metrics/terminals").at("connections");
    return json.at("user_port").at("refused_origins").get<std::uint64_t>();
  }
  static std::uint64_t opened() {
    const Json json = server().json("/api/metrics/terminals").at("connections");
    return json.at("opened").get<std::uint64_t>();
  }
};
TERM_WITH_BOTH_ENGINES(Door);

TEST_P(Door, AnIdThatIsNoneIsRefusedClearlyAndMakesNoSession) {
  const std::string long_id(129, 'x');
  const std::vector<std::string> bad{
      "a%2Fb",   "a/b",    "..",    "%2e%2e",  "...",      long_id,        "a%00b", "a%20b",
      "a+b",     "%C3%A4", "a%0Ab", "%",       "%zz",      "a%2",          "a\\b",  "a;b",
      "a%252Fb", "../etc", "a/",    "%2F%2Fb", "\xc3\xa4", "-%3Cscript%3E"};
  const std::size_t before = sessions();
  for (const auto& id : bad) {
    std::vector<std::string> targets{"/terminal/" + id, "/project/p/session/" + id,
                                     "/terminal/ok?projectId=" + id};
    targets.push_back("/?sessionId=" + id);
    for (const auto& target : targets) {
      for (const std::string protocol : {"", "terminal.v1"}) {
        if (!protocol.empty() && !target.starts_with("/terminal/")) continue;
        WsClient client(server().loop(), server().port(), target,
                        {.subprotocol = protocol, .headers = {}, .on_message = {}});
        ASSERT_TRUE(client.wait_closed()) << target;
        const Inbox in = client.inbox();
        const bool by_http = in.http_status >= 400 && in.http_status < 500;
        EXPECT_TRUE(by_http || in.close_code == 1008)
            << target << ": HTTP " << in.http_status << ", close " << in.close_code;
        if (!by_http) EXPECT_NE(in.close_reason, "") << target;
      }
    }
  }
  EXPECT_EQ(sessions(), before);
}

TEST_P(Door, AForeignOriginIsRefusedBeforeAnythingHappens) {
  const std::string port = std::to_string(server().port());
  const std::vector<std::string> foreign{
      "http://evil.example",
      "null",
      "",
      "http://localhost",
      "http://localhost:1",
      "https://localhost:" + port,
      "ws://localhost:" + port,
      "http://localhost:" + port + ".evil.example",
      "http://localhost:" + port + "/",
      "http://localhost:" + port + "@evil.example",
      "http://evil.example#localhost:" + port,
      "http://evillocalhost:" + port,
      "http://localhost.evil.example:" + port,
      "HTTP://LOCALHOST:" + port,
      "http://127.1:" + port,
      "file://",
  };
  const auto counted = refused();
  const auto connections = opened();
  const auto made = sessions();
  for (const auto& origin : foreign) {
    for (const std::string& target : {"/terminal/" + id(), "/?sessionId=" + id()}) {
      const std::string answer = tcp_exchange(
          server().port(), upgrade(target, host() + "Origin: " + origin + "\r\n" + kWebSocket));
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 403")) << origin << ": " << answer.substr(0, 200);
      EXPECT_EQ(answer.find(" 101 "), std::string::npos) << origin;
    }
  }
  const std::string own = "Origin: http://" + localhost() + "\r\n";
  const std::string two =
      tcp_exchange(server().port(), upgrade("/terminal/" + id(), host() + own + own + kWebSocket));
  EXPECT_TRUE(two.starts_with("HTTP/1.1 403")) << two;
  const HttpReply rest = http(server().port(), "POST", "/api/terminal/create",
                              R"({"projectId":"p"})", {{"Origin", "http://evil.example"}});
  EXPECT_EQ(rest.status, 403U);
  const HttpReply admin = http(server().operator_port(), "POST", "/api/admin/feature-flags",
                               R"({"terminal_refactor":false})", {{"Origin", "null"}});
  EXPECT_EQ(admin.status, 403U);
  EXPECT_EQ(refused(), counted + 2 * foreign.size() + 2);
  EXPECT_EQ(opened(), connections);
  EXPECT_EQ(sessions(), made);

  WsClient ours(
      server().loop(), server().port(), "/terminal/" + id(),
      {.subprotocol = "", .headers = {{"Origin", "http://" + localhost()}}, .on_message = {}});
  EXPECT_EQ(ours.inbox().http_status, 101U);
}

TEST_P(Door, AForeignHostIsRefusedBeforeAnythingHappens) {
  const std::vector<std::string> foreign{
      "",  // None at all.
      "Host:\r\n",
      "Host: evil.example\r\n",
      "Host: evil.example:" + std::to_string(server().port()) + "\r\n",
      "Host: localhost.evil.example\r\n",
      "Host: localhost:" + std::to_string(server().port()) + "@evil.example\r\n",
      host() + "Host: evil.example\r\n",
      host() + host(),
  };
  const auto counted = refused();
  const auto connections = opened();
  const auto made = sessions();
  for (const auto& fields : foreign) {
    const std::string answer =
        tcp_exchange(server().port(), upgrade("/terminal/" + id(), fields + kWebSocket));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 403")) << fields << ": " << answer.substr(0, 200);
  }
  EXPECT_EQ(refused(), counted + foreign.size());
  EXPECT_EQ(opened(), connections);
  EXPECT_EQ(sessions(), made);
}

TEST_P(Door, AWrongHandshakeIsRefusedAndWhatFollowsItIsNeverAnswered) {
  const std::string next = "GET /api/health/live HTTP/1.1\r\n" + host() + "\r\n";
  const std::string up = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  const std::string version = "Sec-WebSocket-Version: 13\r\n";
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::vector<std::string> wrong{
      up + version,
      up + key,
      up + key + "Sec-WebSocket-Version: 12\r\n",
      kWebSocket + "Content-Length: 3\r\n",
      kWebSocket + "Transfer-Encoding: chunked\r\n",
      kWebSocket + "Sec-WebSocket-Protocol: nobody-knows\r\n",
  };
  const auto made = sessions();
  for (const auto& fields : wrong) {
    const std::string answer =
        tcp_exchange(server().port(), upgrade("/terminal/" + id(), host() + fields) + next + next);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 4")) << fields << ": " << answer.substr(0, 200);
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << answer;
  }
  EXPECT_EQ(sessions(), made);
}

TEST_P(Door, AThousandHalfOpenHandshakesKeepNobodyOut) {
  TestServer crowded([](server::Config& config) {
    config.max_half_open = 64;
    config.handshake_timeout = Millis(1000);
  });
  serve_with(crowded, adapter::all(GetParam()));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(crowded.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<UniqueFd> crowd;
  const std::string half = "GET /terminal/x HTTP/1.1\r\nHost: local";
  for (int i = 0; i < 1000; ++i) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(fd);
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    (void)::send(fd.get(), half.data(), half.size(), MSG_NOSIGNAL);
    crowd.push_back(std::move(fd));
  }
  AnyClient client(crowded, "real", Speaks::native);
  client.type("echo works $((6*7))\n");
  EXPECT_TRUE(client.sees("works 42"));
  EXPECT_TRUE(crowded.eventually("/api/metrics/terminals", [](const Json& json) {
    const Json& port = json.at("connections").at("user_port");
    return port.at("half_open") == 0 &&
           port.at("half_open_dropped").get<int>() + port.at("timeouts").get<int>() == 1000;
  })) << crowded.get("/api/metrics/terminals").body;
  const Json port = crowded.json("/api/metrics/terminals").at("connections").at("user_port");
  EXPECT_GE(port.at("half_open_dropped"), 1);
  client.type("echo still $((6*7))\n");
  EXPECT_TRUE(client.sees("still 42"));
}

TEST_P(Door, HttpSaysWhatIsWrongWithARequest) {
  const auto port = server().operator_port();
  EXPECT_EQ(http(port, "GET", "/no/such/route").status, 404U);
  EXPECT_EQ(http(server().port(), "POST", "/api/admin/feature-flags", "{}").status, 404U);
  const HttpReply method = http(port, "DELETE", "/api/terminal/focus");
  EXPECT_EQ(method.status, 405U);
  EXPECT_EQ(method.headers.at("allow"), "GET, PUT, POST");
  for (const std::string target : {"/api/terminal/list?projectId=%", "/api/terminal/list?%zz=1",
                                   "/api/terminal/close/%2", "/api/terminal/close/a%00b"})
    EXPECT_EQ(http(port, "GET", target).status, 400U) << target;
  const std::string big_head = "GET / HTTP/1.1\r\n" + host() + "X: " + std::string(17 * 1024, 'x');
  const std::string head_answer = tcp_exchange(server().port(), big_head + "\r\n\r\n");
  EXPECT_TRUE(head_answer.starts_with("HTTP/1.1 431")) << head_answer.substr(0, 100);
  std::string many = "GET / HTTP/1.1\r\n" + host();
  for (int i = 0; i < 80; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  EXPECT_TRUE(tcp_exchange(server().port(), many + "\r\n").starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(tcp_exchange(server().port(), "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
  const HttpReply big = http(port, "POST", "/api/terminal/create", std::string(300 * 1024, ' '));
  EXPECT_EQ(big.status, 400U);
  // The answer is not lost, although we do not read all of what they send.
  const HttpReply huge =
      http(port, "POST", "/api/terminal/create", std::string(std::size_t{11} * 1024 * 1024, ' '));
  EXPECT_EQ(huge.status, 413U);
  const std::string huge_head = "GET / HTTP/1.1\r\n" + host() + std::string(1'000'000, 'x');
  EXPECT_TRUE(tcp_exchange(server().port(), huge_head).starts_with("HTTP/1.1 431"));
}

TEST_P(Door, ABodyThatIsNoneOfOursChangesNothing) {
  const Json flags = server().json("/api/admin/feature-flags");
  const auto made = sessions();
  const std::vector<std::string> bodies{
      "not json",
      "[]",
      "42",
      "{\"terminal_refactor\":",
      R"({"terminal_refactor":"false"})",
      R"({"terminal_refactor":0})",
      R"({"terminal_refactor":null})",
      R"({"terminal_refaktor":false})",
      R"({"terminal_refactor":false,"force":"yes"})",
      R"({"services":true})",
      R"({"services":{"sessions":1}})",
      R"({"services":{"memory":false}})",
      R"({"terminal_refactor":false,"project":"a/b"})",
      R"({"terminal_refactor":false,"session":".."})",
      R"({"refactored_percentage":101})",
      R"({"refactored_percentage":-1})",
      R"({"refactored_percentage":1.5})",
      R"({"refactored_percentage":"50"})",
      R"({"terminal_dual_write":"on"})",
      "{}",
      "",
      R"({"reason":"nothing else"})",
      R"({"x":)" + std::string(30'000, '[') + std::string(30'000, ']') + "}"};
  for (const auto& body : bodies) {
    const HttpReply reply =
        http(server().operator_port(), "POST", "/api/admin/feature-flags", body);
    EXPECT_EQ(reply.status, 400U) << body.substr(0, 100) << ": " << reply.body;
  }
  EXPECT_EQ(server().json("/api/admin/feature-flags"), flags);
  for (const std::string body :
       {"not json", "[]", "{}", R"({"projectId":7})", R"({"projectId":"a/b"})",
        R"({"projectId":"p","sessionId":".."})", R"({"projectId":"p","cols":0,"rows":1})",
        R"({"projectId":"p","mode":"root"})"}) {
    const HttpReply reply = http(server().operator_port(), "POST", "/api/terminal/create", body);
    EXPECT_EQ(reply.status, 400U) << body << ": " << reply.body;
  }
  EXPECT_EQ(sessions(), made);
}

}  // namespace
}  // namespace term::test
