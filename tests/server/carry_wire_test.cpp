// A connection is carried in the middle of a frame, in either direction, and before it is one.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "carry_support.h"
#include "server/carry_state.h"
#include "session/snapshot_json.h"
#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

constexpr auto kSink = "exec cat > typed";

/// A message in three fragments with pings between them, one right behind it.
std::string fragmented(const std::string& payload) {
  return RawPeer::frame(2, false, payload.substr(0, 5)) + RawPeer::frame(9, true, "one") +
         RawPeer::frame(0, false, payload.substr(5, 4)) + RawPeer::frame(0, false, "") +
         RawPeer::frame(9, true, "two") + RawPeer::frame(0, true, payload.substr(9)) +
         RawPeer::frame(9, true, "three");
}

std::size_t sum_of_accepted(CarryServer& server, std::size_t clients) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < clients; ++i)
    sum += server.input("s", "cut" + std::to_string(i)).accepted;
  return sum;
}

TEST(CarryWire, GoesOnWhereverAFragmentedMessageIsCut) {
  CarryServer a(kSink);
  CarryServer b(kSink);
  a.create("s");
  b.create("s");
  const std::string payload = "<message of 30 bytes, cut up>\n";
  const std::string bytes = fragmented(payload);
  std::size_t hand_overs = 0;
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    RawPeer peer(a.server().port(), "/terminal/s?create=false");
    peer.send(attach_frame("cut" + std::to_string(cut)));
    ASSERT_TRUE(peer.receives(1, "\"attached\""));
    peer.send(bytes.substr(0, cut));
    ASSERT_TRUE(hand_over(a, b, "s")) << cut;
    ++hand_overs;
    peer.send(bytes.substr(cut));
    std::vector<RawPeer::Frame> before;
    ASSERT_TRUE(peer.receives(10, "three", &before)) << "cut at " << cut;
    std::string pongs;
    for (const auto& frame : before)
      if (frame.opcode == 10) pongs += frame.payload + " ";
    EXPECT_EQ(pongs, "one two ") << "cut at " << cut;
    forget(b, "s");
  }
  EXPECT_GT(hand_overs, 70U);
  const std::size_t expected = hand_overs * payload.size();
  const std::size_t in_a = sum_of_accepted(a, hand_overs);
  ASSERT_EQ(in_a % payload.size(), 0U) << "a message is handled here or there";
  ASSERT_TRUE(in_a == 0 || a.file_has("typed", in_a));
  ASSERT_TRUE(b.file_has("typed", expected - in_a));
  std::string right;
  for (std::size_t i = 0; i < hand_overs; ++i) right += payload;
  EXPECT_TRUE(same_bytes(a.file("typed") + b.file("typed"), right));
}

/// Until the process has read `bytes` of a connection whose every message is handled.
std::optional<Parcel> freeze_with(CarryServer& from, const SessionId& id, std::size_t received) {
  for (int i = 0; i < 10000; ++i) {
    auto parcel = freeze(from, id);
    if (!parcel) return std::nullopt;
    const Json state = Json::from_cbor(parcel->state);
    if (state.at("received").get_binary().size() == received) return parcel;
    thaw(from, id);
  }
  return std::nullopt;
}

TEST(CarryWire, CarriesThePartOfAMessageThatWasReadAlready) {
  CarryServer a(kSink);
  CarryServer b(kSink);
  a.create("s");
  b.create("s");
  const std::string message = RawPeer::frame(2, true, std::string(200'000, 'm'));
  for (const std::size_t cut : {1U, 2U, 6U, 14U, 15U, 1500U, 1537U, 65536U, 150'000U}) {
    RawPeer peer(a.server().port(), "/terminal/s?create=false");
    peer.send(attach_frame("part" + std::to_string(cut)));
    ASSERT_TRUE(peer.receives(1, "\"attached\""));
    peer.send(message.substr(0, cut));
    auto parcel = freeze_with(a, "s", cut);
    ASSERT_TRUE(parcel) << cut;
    ASSERT_TRUE(adopt(b, std::move(*parcel)));
    forget(a, "s");
    thaw(b, "s");
    peer.send(message.substr(cut));
    EXPECT_TRUE(peer.receives(1, "{\"input\":200000,")) << cut;
    forget(b, "s");
  }
  EXPECT_EQ(b.file("typed"), std::string(9 * 200'000, 'm'));
}

// The control of the two above: the test sees it when the received bytes are lost.
TEST(CarryWire, WouldNoticeIfReceivedBytesWereDropped) {
  CarryServer a(kSink);
  CarryServer b(kSink);
  a.create("s");
  b.create("s");
  RawPeer peer(a.server().port(), "/terminal/s?create=false");
  peer.send(attach_frame("c"));
  ASSERT_TRUE(peer.receives(1, "\"attached\""));
  const std::string message = RawPeer::frame(2, true, std::string(1000, 'm'));
  peer.send(message.substr(0, 100));
  auto parcel = freeze_with(a, "s", 100);
  ASSERT_TRUE(parcel);
  Json state = Json::from_cbor(parcel->state);
  state["received"] = Json::binary({});
  parcel->state.clear();
  Json::to_cbor(state, parcel->state);
  ASSERT_TRUE(adopt(b, std::move(*parcel)));
  forget(a, "s");
  thaw(b, "s");
  peer.send(message.substr(100));
  std::vector<RawPeer::Frame> before;
  EXPECT_TRUE(peer.receives(8, "\x03\xea", &before)) << "closed with 1002: not a frame";
  EXPECT_EQ(b.file("typed"), "");
}

constexpr std::size_t kFlood = 6'888'896;  ///< Bytes of `seq 1 1000000`: more than a socket takes.
std::string flood() { return std::string(kWait) + "seq 1 1000000; exec cat"; }

/// Reads binary frames until `size` bytes have come, or the stream breaks.
std::string read_output(RawPeer& peer, std::size_t size) {
  std::string output;
  while (output.size() < size) {
    auto frame = peer.receive();
    if (!frame) break;
    if (frame->opcode == 2 || frame->opcode == 0) output += frame->payload;
  }
  return output;
}

/// A client that has read nothing of a flood, frozen with a frame half on the wire.
struct Stuck {
  CarryServer a{flood()};
  CarryServer b{flood()};
  std::string expected;
  std::unique_ptr<RawPeer> peer;
  std::optional<Parcel> parcel;
  Stuck() {
    a.create("s");
    b.create("s");
    b.go();
    EXPECT_TRUE(b.printed("s", kFlood));
    expected = b.output("s");
    peer = std::make_unique<RawPeer>(a.server().port(), "/terminal/s?create=false");
    peer->send(attach_frame("stuck"));
    EXPECT_TRUE(peer->receives(1, "\"attached\""));
    // It acknowledges what it has not read, so that the socket alone holds the flood back.
    a.go();
    for (int i = 0; i < 100000; ++i) {
      parcel = freeze(a, "s");
      const Json state = Json::from_cbor(parcel->state);
      if (!state.at("unsent").get_binary().empty()) break;
      const auto sent = state.at("viewer").at("sent").get<Offset>();
      thaw(a, "s");
      peer->send(RawPeer::frame(1, true, Json{{"type", "ack"}, {"output", sent}}.dump()));
    }
  }
};

TEST(CarryWire, FinishesAFrameThatIsHalfOnTheWire) {
  Stuck it;
  ASSERT_TRUE(it.parcel);
  ASSERT_TRUE(adopt(it.b, std::move(*it.parcel)));
  forget(it.a, "s");
  thaw(it.b, "s");
  std::string output;
  std::size_t acked = 0;
  while (output.size() < it.expected.size()) {
    auto frame = it.peer->receive();
    ASSERT_TRUE(frame) << output.size();
    if (frame->opcode == 2) output += frame->payload;
    if (output.size() - acked < 100'000) continue;
    acked = output.size();
    it.peer->send(RawPeer::frame(1, true, Json{{"type", "ack"}, {"output", acked}}.dump()));
  }
  EXPECT_TRUE(same_bytes(output, it.expected));
}

// The control of the one above.
TEST(CarryWire, WouldNoticeIfUnsentBytesWereDropped) {
  Stuck it;
  ASSERT_TRUE(it.parcel);
  Json state = Json::from_cbor(it.parcel->state);
  const auto sent = state.at("viewer").at("sent").get<std::size_t>();
  ASSERT_GT(state.at("unsent").get_binary().size(), 0U);
  state["unsent"] = Json::binary({});
  it.parcel->state.clear();
  Json::to_cbor(state, it.parcel->state);
  ASSERT_TRUE(adopt(it.b, std::move(*it.parcel)));
  forget(it.a, "s");
  thaw(it.b, "s");
  const std::string output = read_output(*it.peer, sent);
  EXPECT_NE(output, it.expected.substr(0, output.size()));
}

TEST(CarryWire, IsQuietSoonWhateverAClientDoesThatNeverReads) {
  Stuck it;
  ASSERT_TRUE(it.parcel);
  thaw(it.a, "s");
  std::string pings;
  for (int i = 0; i < 6000; ++i) pings += RawPeer::frame(9, true, std::string(100, 'p'));
  std::thread pinger([&] { it.peer->send(pings); });
  std::size_t unsent = 0;
  for (int i = 0; i < 2000 && unsent < 200'000; ++i) {
    it.parcel = freeze(it.a, "s");
    ASSERT_TRUE(it.parcel);
    EXPECT_LT(it.parcel->turns, 5000U);
    unsent = Json::from_cbor(it.parcel->state).at("unsent").get_binary().size();
    if (unsent < 200'000) thaw(it.a, "s");
  }
  EXPECT_GE(unsent, 200'000U) << "pongs wait behind the frame";
  ASSERT_TRUE(adopt(it.b, std::move(*it.parcel)));
  forget(it.a, "s");
  thaw(it.b, "s");
  std::string output;
  std::size_t pongs = 0;
  const auto sent =
      Json::from_cbor(freeze(it.b, "s")->state).at("viewer").at("sent").get<std::size_t>();
  thaw(it.b, "s");
  while (output.size() < sent || pongs < 6000) {
    auto frame = it.peer->receive();
    ASSERT_TRUE(frame);
    if (frame->opcode == 2) output += frame->payload;
    if (frame->opcode == 10) ++pongs;
  }
  EXPECT_EQ(pongs, 6000U);
  EXPECT_TRUE(same_bytes(output, it.expected.substr(0, output.size())));
  pinger.join();
}

/// A client's socket and ours, without a server between them.
std::pair<std::unique_ptr<RawPeer>, UniqueFd> connected() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  auto peer = std::make_unique<RawPeer>(ntohs(address.sin_port), "");
  return {std::move(peer), UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC))};
}

TEST(CarryWire, AcceptsInTheNewProcessWhatTheOldOneHadNot) {
  CarryServer a("exec cat");
  CarryServer b("exec cat");
  auto [peer, ours] = connected();
  const std::string early = attach_frame("early");
  server::CarriedState state;
  state.headers = {
      {"host", "localhost"},           {"connection", "Upgrade"},
      {"upgrade", "websocket"},        {"authorization", "Bearer a-secret-of-the-client"},
      {"sec-websocket-version", "13"}, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  state.dialect = "native";
  state.session = "s";
  state.received = early.substr(0, 10);
  ASSERT_TRUE(adopt(a, {.fd = std::move(ours), .session = "s", .state = to_cbor(state)}));
  auto parcel = freeze(a, "s");  // Nobody has thawed it: on it goes.
  ASSERT_TRUE(parcel);
  EXPECT_EQ(Json::from_cbor(parcel->state).at("stage"), "upgrade");
  EXPECT_EQ(parcel->state.find(base64_encode("Bearer a-secret-of-the-client")), std::string::npos);
  ASSERT_TRUE(adopt(b, std::move(*parcel)));
  forget(a, "s");
  thaw(b, "s");
  peer->send(early.substr(10));
  EXPECT_TRUE(peer->reads("HTTP/1.1 101 "));
  EXPECT_TRUE(peer->reads("terminal.v1\r\n"));
  EXPECT_TRUE(peer->reads("\"type\":\"attached\""));
}

TEST(CarryState, IsReadBackAsItWasWritten) {
  server::CarriedState state;
  state.stage = server::CarriedState::Stage::attached;
  state.headers = {{"host", "a\xff"}};
  state.extensions = "permessage-deflate";
  state.dialect = "native";
  state.session = "s";
  state.path = "/a\xfe";
  state.size = WindowSize{.rows = 3, .cols = 4};
  state.create = false;
  state.token = "t";
  state.attach_within = Millis(7);
  state.received = std::string("\0\xff", 2);
  state.unsent = "unsent";
  state.frames = {{.text = false, .payload = "\x80"}};
  state.viewer.client = "c";
  state.viewer.role = ViewerRole::viewer;
  state.viewer.sent = 9;
  state.viewer.acked = 8;
  state.viewer.window = 7;
  state.viewer.acks = state.viewer.exempt = true;
  state.viewer.wanted = WindowSize{.rows = 5, .cols = 6};
  state.news.resized = WindowSize{.rows = 7, .cols = 8};
  state.news.close_code = 4001;
  state.news.notices = {{.kind = "limit", .message = "m", .eta = "e"}};
  state.input_rest = "rest";
  state.input_next = 10;
  state.quiet_checks = 2;
  const auto text = server::to_cbor(state);
  const auto read = server::carried_state_from_cbor(text);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(server::to_cbor(*read), text);
  EXPECT_EQ(read->viewer, state.viewer);
  EXPECT_EQ(read->received, state.received);
}

TEST(CarryState, ReadsTheStateOfAnotherVersion) {
  const auto read = [](const char* text) {
    auto json = Json::parse(text);
    if (json.contains("unsent")) json["unsent"] = "text";
    std::string bytes;
    Json::to_cbor(json, bytes);
    return server::carried_state_from_cbor(bytes);
  };
  const auto older = read(R"({"version":1,"stage":"attached","dialect":"raw","session":"s"})");
  ASSERT_TRUE(older) << older.error().detail;
  EXPECT_TRUE(older->create);
  EXPECT_TRUE(
      read(R"({"version":2,"stage":"waiting","dialect":"raw","session":"s","colour":{"x":[1]}})"));
  for (const char* bad : {"[]", "{}", R"({"version":1})", R"({"version":1,"stage":"gone"})",
                          R"({"version":1,"stage":"waiting","unsent":"*"})",
                          R"({"version":1,"stage":"waiting","viewer":{"sent":1,"acked":2}})"}) {
    const auto refused = read(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Errc::bad_snapshot);
  }
  EXPECT_FALSE(server::carried_state_from_cbor(""));
}

}  // namespace
}  // namespace term::test
