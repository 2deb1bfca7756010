// A peer that has gone without a word: its connection ends, its session does not.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "carry_support.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

constexpr unsigned kPing = 9;
constexpr unsigned kPong = 10;

constexpr auto kTarget = "/terminal/s?create=false";

bool is_detached(CarryServer& place) {
  return place.server().eventually("/api/terminal/status?sessionId=s", [](const Json& json) {
    return json.dump().find("detached") != std::string::npos;
  });
}

TEST(Liveness, WhoAnswersNoPingIsDroppedAndItsShellGoesOn) {
  CarryServer place("exec cat", [](server::Config& config) { config.ping_interval = Millis(20); });
  place.create("s");
  RawPeer peer(place.server().port(), kTarget);
  peer.send(attach_frame("c"));
  std::size_t pings = 0;
  while (auto frame = peer.receive()) pings += frame->opcode == kPing ? 1 : 0;
  EXPECT_GE(pings, 1U) << "it was asked first";
  EXPECT_TRUE(is_detached(place));

  // It would be dropped as well; what it types arrives before.
  RawPeer again(place.server().port(), kTarget);
  again.send(attach_frame("d") + RawPeer::frame(2, true, "typed"));
  EXPECT_TRUE(until([&] { return place.output("s") == "typed"; }));
}

TEST(Liveness, WhoAnswersPingsStays) {
  // Three of these without an answer would end it.
  CarryServer place("exec cat", [](server::Config& config) { config.ping_interval = Millis(700); });
  place.create("s");
  RawPeer peer(place.server().port(), kTarget);
  peer.send(attach_frame("c"));
  for (int pings = 0; pings < 3;) {
    const auto frame = peer.receive();
    ASSERT_TRUE(frame.has_value()) << "dropped after " << pings << " answers";
    if (frame->opcode != kPing) continue;
    ++pings;
    peer.send(RawPeer::frame(kPong, true, frame->payload));
  }
  peer.send(RawPeer::frame(2, true, "typed"));
  EXPECT_TRUE(peer.receives(2, "typed"));
}

}  // namespace
}  // namespace term::test
