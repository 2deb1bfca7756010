// What a keystroke costs on the wire.

#include <gtest/gtest.h>

#include "carry_support.h"

namespace term::test {
namespace {

TEST(Packets, AnEchoBringsItsAcknowledgementAlong) {
  constexpr unsigned kKeys = 50;
  CarryServer place("exec cat");
  place.create("s");
  RawPeer peer(place.server().port(), "/terminal/s?create=false");
  peer.send(attach_frame("c"));
  ASSERT_TRUE(peer.receives(1, "\"status\""));
  const unsigned before = peer.segments();
  for (unsigned key = 1; key <= kKeys; ++key) {
    peer.send(RawPeer::frame(2, true, "x"));
    bool echoed = false;
    bool acknowledged = false;
    while (!echoed || !acknowledged) {
      const auto frame = peer.receive();
      ASSERT_TRUE(frame) << "of key " << key;
      echoed |= frame->opcode == 2;
      acknowledged |= frame->opcode == 1 && frame->payload.find("\"input\":" + std::to_string(key) +
                                                                ",") != std::string::npos;
    }
  }
  // An echo that takes long is acknowledged before; not all of them do.
  EXPECT_LT(peer.segments() - before, 2 * kKeys);
}

}  // namespace
}  // namespace term::test
