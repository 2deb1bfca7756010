// With tokens set, nobody gets in without one: neither on the WebSocket nor over HTTP.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

const std::string kUser = "user-token-0123456789";
const std::string kAdmin = "admin-token-9876543210";

std::map<std::string, std::string> bearing(const std::string& token) {
  return {{"Authorization", "Bearer " + token}};
}

class Access : public testing::TestWithParam<Engine> {
 protected:
  static void SetUpTestSuite() {
    shared() = std::make_unique<TestServer>([](server::Config& config) {
      config.token = kUser;
      config.admin_token = kAdmin;
    });
  }
  static void TearDownTestSuite() { shared().reset(); }
  static TestServer& server() { return *shared(); }
  void SetUp() override {
    const HttpReply reply =
        http(server().operator_port(), "POST", "/api/admin/feature-flags",
             Json{{"terminal_refactor", GetParam() == Engine::refactored}}.dump(), bearing(kAdmin));
    ASSERT_EQ(reply.status, 200U) << reply.body;
  }
  static std::size_t sessions() { return server().service().shards().total(); }

  struct Outcome {
    bool in = false;
    int code = 0;
    std::string subprotocol;
  };
  /// Attaches; in, or closed with which code.
  Outcome attach(const std::string& target, const std::string& protocols,
                 const std::string& attach_token,
                 const std::map<std::string, std::string>& headers = {}) {
    WsClient client(server().loop(), server().port(), target,
                    {.subprotocol = protocols, .headers = headers, .on_message = {}});
    if (!protocols.empty()) {
      Json attach{{"type", "attach"}, {"client", "c"}, {"cols", 80}, {"rows", 24}};
      if (!attach_token.empty()) attach["token"] = attach_token;
      client.text(attach.dump());
    } else {
      client.text(R"({"type":"input","data":"echo a$((6*7))b\n"})");
      client.binary("echo a$((6*7))b\n");
    }
    Outcome outcome;
    client.wait([&](const Inbox& in) {
      for (const auto& text : in.texts)
        outcome.in = outcome.in || text.find("\"attached\"") != std::string::npos ||
                     text.find("connected\"") != std::string::npos;
      outcome.in = outcome.in || !in.bytes.empty();
      return outcome.in || in.closed;
    });
    outcome.code = client.inbox().close_code;
    outcome.subprotocol = client.inbox().subprotocol;
    return outcome;
  }

 private:
  static std::unique_ptr<TestServer>& shared() {
    static std::unique_ptr<TestServer> server;
    return server;
  }
};
TERM_WITH_BOTH_ENGINES(Access);

TEST_P(Access, AWebSocketWithoutTheTokenIsClosedWith1008AndMakesNothing) {
  const auto before = sessions();
  const std::string wrong = std::string(kUser.size(), 'x');
  for (const std::string target : {"/terminal/w", "/?sessionId=w", "/", "/project/p/session/w"}) {
    const std::string native = target == "/terminal/w" ? "terminal.v1" : "";
    EXPECT_EQ(attach(target, native, "").code, 1008) << target;
    EXPECT_EQ(attach(target, "", "").code, 1008) << target;
    EXPECT_EQ(attach(target, "", "", bearing(wrong)).code, 1008) << target;
    EXPECT_EQ(attach(target, "", "", bearing(kUser + "x")).code, 1008) << target;
    EXPECT_EQ(attach(target, "", "", {{"Authorization", "Basic " + kUser}}).code, 1008) << target;
  }
  EXPECT_EQ(attach("/terminal/w", "terminal.v1", wrong).code, 1008);
  EXPECT_EQ(attach("/terminal/w", "terminal.v1", kUser.substr(1)).code, 1008);
  EXPECT_EQ(attach("/terminal/w", "terminal.v1, terminal.token." + wrong, "").code, 1008);
  EXPECT_EQ(attach("/terminal/w?token=" + kUser, "", "").code, 1008) << "URLs end up in logs";
  EXPECT_EQ(sessions(), before);
}

TEST_P(Access, TheTokenIsTakenFromTheAttachMessageASubprotocolOrAHeader) {
  const std::string id = "in-" + std::string(to_string(GetParam()));
  EXPECT_TRUE(attach("/terminal/" + id, "terminal.v1", kUser).in);
  const Outcome offered = attach("/terminal/" + id, "terminal.v1, terminal.token." + kUser, "");
  EXPECT_TRUE(offered.in);
  EXPECT_EQ(offered.subprotocol, "terminal.v1") << "never one that carries a token";
  EXPECT_TRUE(attach("/terminal/" + id, "terminal.token." + kUser + ", terminal.v1", "").in);
  EXPECT_TRUE(attach("/terminal/" + id, "terminal.v1", "", bearing(kUser)).in);
  EXPECT_TRUE(attach("/terminal/" + id, "", "", bearing(kUser)).in);
  EXPECT_TRUE(attach("/?sessionId=" + id, "", "", bearing(kUser)).in);
}

TEST_P(Access, TheUserApiNeedsATokenOnBothPorts) {
  const std::string body = R"({"projectId":"p"})";
  const auto before = sessions();
  for (const auto port : {server().port(), server().operator_port()}) {
    EXPECT_EQ(http(port, "GET", "/api/terminal/list").status, 401U);
    EXPECT_EQ(http(port, "GET", "/api/terminal/list", "", bearing("wrong")).status, 401U);
    EXPECT_EQ(http(port, "GET", "/api/terminal/list", "", bearing("")).status, 401U);
    EXPECT_EQ(http(port, "POST", "/api/terminal/create", body).status, 401U);
    EXPECT_EQ(http(port, "POST", "/terminals?cols=80&rows=24").status, 401U);
    EXPECT_EQ(http(port, "GET", "/api/terminal/list", "", bearing(kUser)).status, 200U);
    EXPECT_EQ(http(port, "GET", "/api/terminal/list", "", bearing(kAdmin)).status, 200U);
  }
  EXPECT_EQ(sessions(), before);
  const HttpReply asked = http(server().port(), "GET", "/api/terminal/list");
  EXPECT_EQ(asked.headers.at("www-authenticate"), "Bearer");
  EXPECT_EQ(Json::parse(asked.body).at("code"), "unauthorized");
  EXPECT_EQ(http(server().port(), "POST", "/api/terminal/create", body, bearing(kUser)).status,
            200U);
}

TEST_P(Access, AdminCallsNeedTheAdminsToken) {
  const auto port = server().operator_port();
  for (const std::string target : {"/api/admin/feature-flags", "/api/admin/flips",
                                   "/api/metrics/terminals", "/metrics", "/api/health/terminal"}) {
    EXPECT_EQ(http(port, "GET", target).status, 401U) << target;
    EXPECT_EQ(http(port, "GET", target, "", bearing(kUser)).status, 401U) << target;
    EXPECT_EQ(http(port, "GET", target, "", bearing(kAdmin)).status, 200U) << target;
  }
  const std::string flip = R"({"terminal_refactor":false,"force":true})";
  EXPECT_EQ(http(port, "POST", "/api/admin/feature-flags", flip, bearing(kUser)).status, 401U);
  // No such routes on the user port, whatever the token.
  EXPECT_EQ(http(server().port(), "POST", "/api/admin/feature-flags", flip, bearing(kAdmin)).status,
            404U);
}

TEST_P(Access, AnOrchestratorMayAskWhetherWeLiveWithoutAToken) {
  EXPECT_EQ(http(server().operator_port(), "GET", "/api/health/live").status, 200U);
  EXPECT_EQ(http(server().operator_port(), "GET", "/api/health/ready").status, 200U);
}

}  // namespace
}  // namespace term::test
