// permessage-deflate across a hand-over: neither end's window may refer to what the other process
// saw.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "carry_support.h"
#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

void compressing(server::Config& config) { config.ws_compression = true; }

/// A native client that offers compression, acknowledges and keeps all it gets.
std::unique_ptr<WsClient> deflating(CarryServer& server) {
  WsClient::Options options;
  options.subprotocol = "terminal.v1";
  options.deflate = true;
  options.on_message = [parsed = std::size_t{0}, acked = std::size_t{0}](
                           WsClient& client, bool text, const std::string& payload) mutable {
    if (text) return;
    parsed += payload.size();
    if (parsed - acked < 64 * 1024) return;
    acked = parsed;
    client.text(Json{{"type", "ack"}, {"output", parsed}}.dump());
  };
  auto client = std::make_unique<WsClient>(server.server().loop(), server.server().port(),
                                           "/terminal/s?create=false", std::move(options));
  client->text(R"({"type":"attach","client":"typist","input":0,"cols":80,"rows":24})");
  EXPECT_TRUE(client->wait_text("\"attached\""));
  return client;
}

TEST(CarryDeflate, FloodAndTypingGoOnBothWays) {
  const std::string script = std::string("(") + kWait + "seq 1 300000) & exec cat > typed";
  CarryServer a(script, compressing);
  CarryServer b(script, compressing);
  a.create("s");
  b.create("s");
  b.go();
  ASSERT_TRUE(b.printed("s", 1'988'895));
  auto client = deflating(a);
  a.go();
  std::string all;
  int line = 0;
  const auto type = [&](int lines) {
    for (const int end = line + lines; line < end; ++line) {
      const std::string text = "a line of " + std::string(200, 'x') + std::to_string(line) + ";";
      all += text;
      client->binary(text);
    }
  };
  type(300);
  ASSERT_TRUE(client->wait([](const Inbox& in) { return in.bytes.size() > 50'000; }));
  auto parcel = freeze(a, "s");
  ASSERT_TRUE(parcel);
  const auto agreed = Json::from_cbor(parcel->state).at("extensions").get<std::string>();
  EXPECT_TRUE(agreed.starts_with("permessage-deflate; client_no_context_takeover")) << agreed;
  const auto accepted = a.input("s", "typist").accepted;
  ASSERT_TRUE(adopt(b, std::move(*parcel)));
  forget(a, "s");
  thaw(b, "s");
  type(300);
  ASSERT_TRUE(b.file_has("typed", all.size() - accepted));
  ASSERT_TRUE(a.printed("s", 1'988'895));
  for (int hop = 0; hop < 10; ++hop) {
    ASSERT_TRUE(hop % 2 == 0 ? hand_over(b, a, "s") : hand_over(a, b, "s")) << hop;
    const auto seen = client->inbox().bytes.size();
    ASSERT_TRUE(client->wait([&](const Inbox& in) {
      return in.bytes.size() >= std::min<std::size_t>(1'988'895, seen + 50'000);
    }));
  }
  type(100);
  ASSERT_TRUE(b.file_has("typed", all.size() - accepted));
  ASSERT_TRUE(client->wait([](const Inbox& in) { return in.bytes.size() >= 1'988'895; }));
  EXPECT_TRUE(same_bytes(client->inbox().bytes, b.output("s")));
  ASSERT_TRUE(accepted == 0 || a.file_has("typed", accepted));
  EXPECT_TRUE(same_bytes(a.file("typed") + b.file("typed"), all));
  EXPECT_FALSE(client->inbox().closed);
}

TEST(CarryDeflate, StaysAsAgreedWhateverTheNewProcessPrefers) {
  CarryServer on("exec cat", compressing);
  CarryServer off("exec cat");
  on.create("s");
  off.create("s");
  auto client = deflating(on);
  ASSERT_TRUE(hand_over(on, off, "s"));
  const std::string text(5000, 'z');
  client->binary(text);
  EXPECT_TRUE(client->wait_bytes(text));
  EXPECT_FALSE(client->inbox().closed);
}

TEST(CarryDeflate, IsNotAgreedUnlessConfigured) {
  CarryServer off("exec cat");
  CarryServer on("exec cat", compressing);
  off.create("s");
  on.create("s");
  auto client = deflating(off);
  auto parcel = freeze(off, "s");
  ASSERT_TRUE(parcel);
  EXPECT_EQ(Json::from_cbor(parcel->state).at("extensions"), "");
  ASSERT_TRUE(adopt(on, std::move(*parcel)));
  forget(off, "s");
  thaw(on, "s");
  const std::string text(5000, 'z');
  client->binary(text);
  EXPECT_TRUE(client->wait_bytes(text));
}

}  // namespace
}  // namespace term::test
