// Nothing that one client sends ends the process, its own session, or anybody else's.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

std::size_t count_errors(const Inbox& in) {
  std::size_t n = 0;
  for (const auto& text : in.texts) n += text.find("\"type\":\"error\"") != std::string::npos;
  return n;
}

class BadInput : public BothEngines {
 protected:
  /// Sends each of them; each is answered by one error that is not fatal.
  void expect_errors(WsClient& client, const std::vector<std::string>& messages) {
    for (const auto& message : messages) {
      const std::size_t before = count_errors(client.inbox());
      client.text(message);
      ASSERT_TRUE(client.wait([&](const Inbox& in) { return count_errors(in) > before; }))
          << message.substr(0, 200);
      const Inbox in = client.inbox();
      EXPECT_FALSE(in.closed) << message.substr(0, 200);
      EXPECT_EQ(in.texts.back().find("\"fatal\":true"), std::string::npos) << in.texts.back();
    }
  }
  /// The shell of `client` is there, in the size that it was made with.
  static void expect_alive(AnyClient& client, const std::string& size) {
    const std::size_t from = client.output().size();
    client.type("stty size; echo alive $((6*7))\n");
    EXPECT_TRUE(client.sees("alive 42", from)) << client.tail();
    EXPECT_NE(client.output().find(size + "\r\n", from), std::string::npos) << client.tail();
  }
};
TERM_WITH_BOTH_ENGINES(BadInput);

std::string deep(std::size_t depth) {
  return "{\"type\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

const std::vector<std::string> kNonsense{
    "",
    "not json",
    "{\"type\":",
    "{\"type\":\"ping\"} {}",
    "null",
    "42",
    "[]",
    "\"input\"",
    "{}",
    R"({"type":42})",
    R"({"type":null})",
    R"({"type":"no such type"})",
    R"({"type":"__proto__"})",
    R"({"type":"resize"})",
    deep(65),
    deep(30'000),
};

const std::vector<std::string> kBadSizes{"0",    "-1",   "1000000000", "1e9",       "1e999",
                                         "1.5",  "NaN",  "\"NaN\"",    "\"80\"",    "null",
                                         "true", "[80]", "{}",         "4294967376"};

std::vector<std::string> bad_resizes() {
  std::vector<std::string> messages;
  for (const auto& value : kBadSizes) {
    messages.push_back(R"({"type":"resize","cols":)" + value + R"(,"rows":40})");
    messages.push_back(R"({"type":"resize","cols":100,"rows":)" + value + "}");
  }
  return messages;
}

TEST_P(BadInput, NonsenseGetsAnErrorThatIsNotFatalInTheNativeDialect) {
  AnyClient client(server(), id(), Speaks::native);
  expect_errors(client.ws(), kNonsense);
  expect_errors(client.ws(), {R"({"type":"focus","focused":"yes"})", R"({"type":"rename"})",
                              R"({"type":"rename","name":7})", R"({"type":"ack"})",
                              R"({"type":"ack","output":-1})", R"({"type":"ack","output":"1"})",
                              R"({"type":"ack","output":0.5})", R"({"type":"ack","output":1e300})",
                              R"({"type":"attach","client":"x","cols":80,"rows":24})"});
  expect_alive(client, "24 80");
}

TEST_P(BadInput, NonsenseGetsAnErrorThatIsNotFatalInTheJsonDialect) {
  AnyClient client(server(), id(), Speaks::json);
  expect_errors(client.ws(), kNonsense);
  expect_errors(client.ws(), {R"({"type":"input"})", R"({"type":"input","data":42})",
                              R"({"type":"input","data":["x"]})"});
  client.ws().binary("{\"type\":\"ping\"}");
  EXPECT_TRUE(client.ws().wait_text("expected a text message"));
  expect_alive(client, "30 80");
}

TEST_P(BadInput, ASizeThatIsNoneChangesNothing) {
  AnyClient native(server(), id("native"), Speaks::native);
  expect_errors(native.ws(), bad_resizes());
  expect_alive(native, "24 80");
  AnyClient json(server(), id("json"), Speaks::json);
  expect_errors(json.ws(), bad_resizes());
  expect_alive(json, "30 80");
}

TEST_P(BadInput, AnAttachOfTheWrongShapeMayBeTriedAgain) {
  WsClient client(server().loop(), server().port(), "/terminal/" + id(),
                  {.subprotocol = "terminal.v1", .headers = {}, .on_message = {}});
  expect_errors(client, kNonsense);
  expect_errors(client, {R"({"type":"attach"})", R"({"type":"attach","client":"c"})",
                         R"({"type":"attach","client":"","cols":80,"rows":24})",
                         R"({"type":"attach","client":"c","cols":0,"rows":24})",
                         R"({"type":"attach","client":"c","cols":80,"rows":24,"role":"root"})",
                         R"({"type":"attach","client":"c","cols":80,"rows":24,"output":-1})",
                         R"({"type":"attach","client":"c","cols":80,"rows":24,"input":1.5})"});
  client.text(R"({"type":"attach","client":"c","cols":80,"rows":24})");
  EXPECT_TRUE(client.wait_text("\"attached\""));
}

TEST_P(BadInput, AnAcknowledgementOfWhatWasNeverSentIsRefused) {
  AnyClient client(server(), id(), Speaks::native);
  expect_errors(client.ws(), {R"({"type":"ack","output":1000000})",
                              R"({"type":"ack","output":9007199254740991})"});
  expect_alive(client, "24 80");
}

TEST_P(BadInput, AControlMessageBeyond64KibibytesIsRefused) {
  const std::string rename =
      R"({"type":"rename","name":")" + std::string(std::size_t{70} * 1024, 'x') + "\"}";
  const std::string resize = R"({"type":"resize","cols":9,"rows":9,"x":")" +
                             std::string(std::size_t{70} * 1024, 'x') + "\"}";
  AnyClient native(server(), id("native"), Speaks::native);
  expect_errors(native.ws(), {rename, resize});
  expect_alive(native, "24 80");
  AnyClient json(server(), id("json"), Speaks::json);
  expect_errors(json.ws(), {resize});
  expect_alive(json, "30 80");
}

TEST_P(BadInput, AMessageBeyondTenMebibytesEndsOnlyItsOwnConnection) {
  AnyClient other(server(), id("other"), Speaks::native);
  for (const Speaks dialect : {Speaks::native, Speaks::raw, Speaks::json}) {
    AnyClient sibling(server(), id(to_string(dialect)), Speaks::native);
    AnyClient client(server(), id(to_string(dialect)), dialect);
    client.type(std::string(std::size_t{11} * 1024 * 1024, 'x'));
    EXPECT_TRUE(client.ws().wait_closed());
    EXPECT_EQ(client.ws().inbox().close_code, 1009) << to_string(dialect);
    expect_alive(sibling, "24 80");
  }
  expect_alive(other, "24 80");
}

/// A masked frame of a client, its payload as given (the mask is zero).
std::string frame(unsigned char first, std::size_t says, const std::string& payload) {
  std::string bytes;
  bytes += static_cast<char>(first);
  bytes += '\xff';  // Masked, with a length of 8 bytes.
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>((static_cast<std::uint64_t>(says) >> shift) & 0xff);
  return bytes + std::string(4, '\0') + payload;
}

TEST_P(BadInput, AClientThatVanishesInTheMiddleOfAFrameDisturbsNobody) {
  const std::vector<std::string> halves{
      "\x82",
      "\x82\xfe",
      frame(0x82, 1000, "half of"),
      frame(0x82, 8'000'000, std::string(100'000, 'x')),
      frame(0x01, 20, R"({"type":"resize","col)").substr(0, 30),  // A first fragment, and no more.
      frame(0x02, 5, "echo ") + frame(0x00, 5, "lost"),
      frame(0x89, 5, "pi"),
      frame(0x88, 2, "\x03"),
  };
  AnyClient other(server(), id(), Speaks::native);
  for (const auto& half : halves) {
    for (const Speaks dialect : {Speaks::native, Speaks::raw, Speaks::json}) {
      AnyClient client(server(), id(), dialect);
      client.ws().raw(half);
      client.ws().cut();
    }
  }
  EXPECT_TRUE(server().eventually("/api/metrics/terminals", [](const Json& json) {
    return json.at("connections").at("open") == 1;
  }));
  expect_alive(other, "24 80");
  EXPECT_EQ(other.output().find("echo lost"), std::string::npos);
}

TEST_P(BadInput, FramesThatBreakTheProtocolEndOnlyTheirOwnConnection) {
  const std::vector<std::string> wrong{
      std::string("\x82\x01x", 3),            // Not masked.
      frame(0xf2, 1, "x"),                    // Reserved bits.
      frame(0x83, 1, "x"),                    // A reserved opcode.
      frame(0x80, 1, "x"),                    // A continuation of nothing.
      frame(0x09, 1, "x"),                    // A ping in fragments.
      frame(0x81, 2, "\xff\xfe"),             // Text that is no UTF-8.
      frame(0x82, std::size_t{1} << 62, ""),  // A length out of this world.
  };
  AnyClient other(server(), id(), Speaks::native);
  for (const auto& bytes : wrong) {
    AnyClient client(server(), id(), Speaks::native);
    client.ws().raw(bytes + std::string(100'000, 'x'));  // Who sends such things goes on.
    EXPECT_TRUE(client.ws().wait_closed());
    const int code = client.ws().inbox().close_code;
    EXPECT_TRUE(code == 1002 || code == 1007 || code == 1009) << code;
  }
  expect_alive(other, "24 80");
}

TEST_P(BadInput, AnUnknownIdIsNotMadeWithCreateFalse) {
  for (const std::string& target :
       {"/terminal/" + id() + "?create=false", "/?create=false&sessionId=" + id()}) {
    WsClient client(server().loop(), server().port(), target);
    EXPECT_TRUE(client.wait_closed());
    EXPECT_EQ(client.inbox().close_code, 4404) << target;
  }
  WsClient native(server().loop(), server().port(), "/terminal/" + id() + "?create=false",
                  {.subprotocol = "terminal.v1", .headers = {}, .on_message = {}});
  native.text(R"({"type":"attach","client":"c","cols":80,"rows":24})");
  EXPECT_TRUE(native.wait_closed());
  EXPECT_EQ(native.inbox().close_code, 4404);
  const Json list = server().json("/api/terminal/list");
  for (const auto& session : list.at("sessions")) EXPECT_NE(session.at("id"), id());
}

}  // namespace
}  // namespace term::test
