#include "session/mode_ledger.h"

#include <gtest/gtest.h>

#include <random>

namespace term {
namespace {

/// A ring that is filled as the pump fills it, with a ledger, and all that was ever printed.
struct Printed {
  explicit Printed(std::size_t capacity) : ring(capacity) {}

  void print(std::string_view bytes) {
    all += bytes;
    const Offset after = ring.next() + bytes.size();
    if (after > ring.capacity()) ledger.before_overwrite(ring, after - ring.capacity());
    ring.append(bytes);
  }
  /// From the very begin.
  TerminalModes modes_at(Offset at) const {
    TerminalModes modes;
    scan_modes(modes, std::string_view(all).substr(0, at));
    return modes;
  }

  OutputRing ring;
  ModeLedger ledger;
  std::string all;
};

TEST(ModeLedger, KnowsTheModesFromTheBeginUntilTheRingLaps) {
  Printed printed(64 * 1024);
  printed.print("\x1B[?2004hfirst\x1B[4h");
  EXPECT_EQ(printed.ledger.known_from(), 0u);
  EXPECT_EQ(printed.ledger.at(printed.ring, 0), TerminalModes{});
  EXPECT_FALSE(printed.ledger.at(printed.ring, 10).has(Mode::insert));
  EXPECT_TRUE(printed.ledger.at(printed.ring, 17).has(Mode::insert));
}

TEST(ModeLedger, WhatWasSetLongAgoIsStillKnown) {
  Printed printed(4096);
  printed.print("\x1B[?1049h\x1B[?2004h\x1B[3;7r");
  for (int line = 0; line < 2000; ++line) printed.print("some output\r\n");
  ASSERT_GT(printed.ring.first(), 0u);
  const TerminalModes modes = printed.ledger.at(printed.ring, printed.ring.next());
  EXPECT_EQ(modes.alternate, 1);
  EXPECT_TRUE(modes.has(Mode::bracketed_paste));
  EXPECT_EQ(modes.top, 3);
}

std::string any_output(std::mt19937& random) {
  static const std::vector<std::string> pieces{"text\r\n",
                                               "\x1B[?1049h",
                                               "\x1B[?1049l",
                                               "\x1B[1;31m",
                                               "\x1B[m",
                                               "\x1B]0;title [4h\x07",
                                               "\x1B[?25l",
                                               "\x1B[?25h",
                                               "\x0E",
                                               "\x0F",
                                               "\xE4\xB8\x96",
                                               "\x1BP$q\x1B\\",
                                               "\x1B(0",
                                               "\x1B"
                                               "7",
                                               "\x1B"
                                               "8"};
  std::string bytes;
  for (auto left = random() % 400; left > 0; --left) bytes += pieces[random() % pieces.size()];
  return bytes;
}

TEST(ModeLedger, AgreesWithAScanFromTheBeginAtEveryKnownOffset) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    std::mt19937 random(seed);
    Printed printed(16 * 1024);
    for (int turn = 0; turn < 25; ++turn) {
      printed.print(any_output(random));
      ASSERT_GE(printed.ledger.known_from(), printed.ring.first());
      ASSERT_LE(printed.ledger.known_from(), printed.ring.next());
      ASSERT_LE(printed.ledger.known_from(), printed.ring.first() + 4096 + 64);
      for (int probe = 0; probe < 3; ++probe) {
        const Offset known = printed.ledger.known_from();
        const Offset at = known + random() % (printed.ring.next() - known + 1);
        TerminalModes here = printed.ledger.at(printed.ring, at);
        TerminalModes truth = printed.modes_at(at);
        here.inside = truth.inside = TerminalModes::ground;  // Told by where each scan stopped.
        ASSERT_EQ(here, truth) << "seed " << seed << " at " << at;
      }
    }
  }
}

TEST(ModeLedger, ASequenceLongerThanTheRingIsGivenUp) {
  Printed printed(4096);
  printed.print("\x1B[4h\x1B[");
  for (int i = 0; i < 100; ++i) printed.print(std::string(500, '1'));
  EXPECT_GE(printed.ledger.known_from(), printed.ring.first());
  EXPECT_TRUE(printed.ledger.at(printed.ring, printed.ring.next()).has(Mode::insert));
}

TEST(ModeLedger, AStringLongerThanTheRingIsStillOne) {
  Printed printed(4096);
  printed.print("\x1BPq");
  for (int i = 0; i < 100; ++i) printed.print(std::string(100, '~') + "\x0E");
  printed.print("\x1B\\\x1B[4h");
  EXPECT_EQ(printed.ledger.at(printed.ring, printed.ring.next()).now.shifted, 0);
  EXPECT_TRUE(printed.ledger.at(printed.ring, printed.ring.next()).has(Mode::insert));
}

TEST(ModeLedger, ToldTooLateItGoesOnWithWhatItKnew) {
  OutputRing ring(4096);
  ModeLedger ledger;
  ring.append(std::string_view("\x1B[4h"));
  ledger.before_overwrite(ring, 4);
  ring.append(std::string(10'000, 'x'));
  ledger.before_overwrite(ring, ring.first() + 1);
  EXPECT_GE(ledger.known_from(), ring.first());
  EXPECT_TRUE(ledger.at(ring, ring.next()).has(Mode::insert));
}

}  // namespace
}  // namespace term
