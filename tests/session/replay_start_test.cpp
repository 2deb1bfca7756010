// Where a replay may start; what it mutes is in replay_test.cpp.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "session/cold.h"
#include "session/mode_ledger.h"
#include "session/replay.h"

namespace term {
namespace {

constexpr std::size_t kRing = std::size_t{64} * 1024;

TEST(SafeReplayStart, OffsetZeroAndTheEndStay) {
  OutputRing ring(kRing);
  EXPECT_EQ(safe_replay_start(ring, 0), 0u);
  ring.append(std::string_view("\x9F\x98[31m"));
  EXPECT_EQ(safe_replay_start(ring, 0), 0u);
  EXPECT_EQ(safe_replay_start(ring, ring.next()), ring.next());
  EXPECT_EQ(safe_replay_start(ring, ring.next() + 100), ring.next());
}

TEST(SafeReplayStart, ALineStartComesFirst) {
  OutputRing ring(kRing);
  ring.append(std::string_view("one\r\ntwo\r\nthree"));
  EXPECT_EQ(safe_replay_start(ring, 1), 5u);
  EXPECT_EQ(safe_replay_start(ring, 5), 5u) << "is one itself";
  EXPECT_EQ(safe_replay_start(ring, 6), 10u);
}

/// A text of whole characters and sequences, and the places between them.
struct Composed {
  std::string text;
  std::set<std::size_t> between;
  std::set<std::size_t> line_starts;

  void add(const std::string& piece) {
    if (piece == "\n") line_starts.insert(text.size() + 1);
    text += piece;
    between.insert(text.size());
  }
};

const std::vector<std::string>& sequences() {
  static const std::vector<std::string> all{
      "\x1B[1;31m",
      "\x1B]0;a title\x07",
      "\x1B]8;;http://h\x1B\\",
      "\x1BPq#0~~\n~~\n\x1B\\",  // Sixel: its line ends are no line starts.
      "\x1B(B",
      "\x1B_a\nb\x1B\\",
      "\xC2\x9B"
      "1m",
  };
  return all;
}

/// `line_every`: a line ends about every so many pieces; 0 = never.
Composed compose(unsigned seed, std::size_t bytes, unsigned line_every) {
  static const std::vector<std::string> characters{
      "a", " ", "7", "[", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  std::mt19937 random(seed);
  Composed composed;
  composed.between.insert(0);
  composed.line_starts.insert(0);
  while (composed.text.size() < bytes) {
    if (line_every != 0 && random() % line_every == 0) {
      composed.add("\n");
    } else if (random() % 3 == 0) {
      composed.add(sequences()[random() % sequences().size()]);
    } else {
      composed.add(characters[random() % characters.size()]);
    }
  }
  return composed;
}

TEST(SafeReplayStart, IsTheNextLineStartWhereverAReplayWasToBegin) {
  for (unsigned seed = 1; seed <= 2; ++seed) {
    const Composed composed = compose(seed, 3000, 20);
    OutputRing ring(kRing);
    ring.append(composed.text);
    for (std::size_t from = 0; from < composed.text.size(); ++from) {
      const auto line = composed.line_starts.lower_bound(from);
      const Offset start = safe_replay_start(ring, from);
      if (line != composed.line_starts.end()) {
        ASSERT_EQ(start, *line) << "seed " << seed << " from " << from;
      }
    }
  }
}

TEST(SafeReplayStart, WithoutLinesIsTheNextPlaceBetweenSequencesAndCharacters) {
  for (unsigned seed = 1; seed <= 2; ++seed) {
    const Composed composed = compose(seed, 2000, 0);
    OutputRing ring(kRing);
    ring.append(composed.text);
    for (std::size_t from = 0; from < composed.text.size(); ++from) {
      ASSERT_EQ(safe_replay_start(ring, from), *composed.between.lower_bound(from))
          << "seed " << seed << " from " << from;
    }
  }
}

TEST(SafeReplayStart, ALineStartFartherThan4KiBIsNotWaitedFor) {
  OutputRing ring(kRing);
  ring.append("x\xC3\xA9" + std::string(5000, 'a') + "\nnext");
  EXPECT_EQ(safe_replay_start(ring, 2), 3u) << "not inside the character";
  EXPECT_EQ(safe_replay_start(ring, 2000), 5004u);
}

TEST(SafeReplayStart, InsideALongStringIsItsEnd) {
  OutputRing ring(kRing);
  ring.append("go\n\x1BPq" + std::string(20'000, '~') + "\n" + std::string(20'000, '~') + "\x1B\\");
  const Offset end = ring.next();
  ring.append(std::string_view("prompt$ "));
  for (const Offset from : {Offset{4}, Offset{100}, Offset{10'000}, Offset{20'006}, end - 1, end}) {
    EXPECT_EQ(safe_replay_start(ring, from), end) << from;
  }
}

TEST(SafeReplayStart, ASequenceCutOffAtTheEndIsAPlaceToStartButItsMiddleIsNot) {
  OutputRing ring(kRing);
  ring.append(std::string_view("ab\x1B[1;3"));
  EXPECT_EQ(safe_replay_start(ring, 2), 2u);
  EXPECT_EQ(safe_replay_start(ring, 3), ring.next());
  EXPECT_EQ(safe_replay_start(ring, 5), ring.next());
}

/// A ring whose begin was overwritten: it holds just `bytes`.
OutputRing evicted(const std::string& bytes) {
  OutputRing ring(kRing);
  ring.append(std::string(3 * kRing, 'x'));
  ring.append(bytes);
  ring.shrink(bytes.size());
  return ring;
}

TEST(SafeReplayStart, ARingThatBeginsInsideSomethingStartsAtItsFirstLine) {
  const std::string line = "\x1B[1;31m\xF0\x9F\x98\x80\x1B]0;title\x07!\x1B[0m";
  for (std::size_t cut = 0; cut < line.size(); ++cut) {
    const OutputRing ring = evicted(line.substr(cut) + "\nnext \x1B[1mline\n");
    EXPECT_EQ(safe_replay_start(ring, 0), ring.first() + line.size() - cut + 1) << cut;
  }
}

TEST(SafeReplayStart, ARingThatBeginsInsideASequenceWithoutLinesStartsBehindIt) {
  const OutputRing csi = evicted("1;31mred");
  EXPECT_EQ(safe_replay_start(csi, 0), csi.first() + 5);
  const OutputRing bracket = evicted("[31mred");
  EXPECT_EQ(safe_replay_start(bracket, 0), bracket.first() + 4);
  const OutputRing character = evicted("\x98\x80smile");
  EXPECT_EQ(safe_replay_start(character, 0), character.first() + 2);
  const OutputRing text = evicted("prompt$ ");
  EXPECT_EQ(safe_replay_start(text, 0), text.first()) << "nothing lost of plain text";
}

TEST(SafeReplayStart, ARingThatBeginsInsideAStringStartsBehindItsTerminator) {
  for (const std::string terminator : {"\x1B\\", "\xC2\x9C"}) {
    const std::string sixel = "~~~\n~~~\n" + std::string(10'000, '~') + "\n" + terminator;
    const OutputRing ring = evicted(sixel + "\x1B[1mprompt$ ");
    EXPECT_EQ(safe_replay_start(ring, 0), ring.first() + sixel.size());
    EXPECT_EQ(safe_replay_start(ring, ring.first() + 5), ring.first() + sixel.size());
  }
}

TEST(SafeReplayStart, ATerminatorIsFoundHoweverFarAndAroundTheEndOfTheMemory) {
  // The ring's bytes begin `before` bytes before the end of its memory.
  const auto start = [](const std::string& bytes, std::size_t before) {
    OutputRing ring(kRing);
    ring.append(std::string(3 * kRing - before, 'x'));
    ring.append(bytes);
    ring.shrink(bytes.size());
    return safe_replay_start(ring, 0) - ring.first();
  };
  for (const std::string terminator : {"\x1B\\", "\xC2\x9C"}) {
    const std::string sixel = "~~~\n" + std::string(50'000, '~') + "\n" + terminator;
    for (std::size_t beyond = 0; beyond <= terminator.size(); ++beyond)
      EXPECT_EQ(start(sixel + "prompt$ ", sixel.size() - beyond), sixel.size()) << beyond;
  }
  EXPECT_EQ(start(std::string(30'000, '1') + "mred", 100), 30'001u) << "a CSI as long as no other";
  const std::string character = "\xC2\xA7";  // No C1 control.
  EXPECT_EQ(start("old\n" + std::string(20'000, 'a') + character + "\x1B\\", 20'005), 20'008u);
}

TEST(SafeReplayStart, WhereTheLedgerKnowsAPlaceOutsideNothingBehindItIsLookedAt) {
  const std::string lines = "half\nline\n" + std::string(10'000, 'a');
  const OutputRing ring = evicted(lines + "\x1B\\prompt$ ");  // It ends nothing.
  EXPECT_EQ(safe_replay_start(ring, 0), ring.next() - 8);
  EXPECT_EQ(safe_replay_start(ring, 0, ring.first() + 7), ring.first() + 5);
  EXPECT_EQ(safe_replay_start(ring, 0, ring.first()), ring.first() + 5);
}

TEST(SafeReplayStart, IsTheSameWithTheLedgerOfAWholeStreamAsWithoutIt) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const std::string text = compose(seed, 6 * kRing, 20).text;
    OutputRing ring(kRing);
    ModeLedger ledger;
    std::mt19937 random(seed);
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view piece = std::string_view(text).substr(at, 1 + random() % 3000);
      at += piece.size();
      if (at > ring.capacity()) ledger.before_overwrite(ring, at - ring.capacity());
      ring.append(piece);
      ASSERT_EQ(safe_replay_start(ring, ring.first(), ledger.known_outside()),
                safe_replay_start(ring, ring.first()))
          << "seed " << seed << " of [" << ring.first() << ", " << ring.next() << ")";
    }
  }
}

TEST(SafeReplayStart, WhatWasSavedOfAColdSessionIsReplayedThoughItsBeginIsUnknown) {
  const std::string note = cold_note(WallTime{}, "/", "/");
  const auto begins_with = [&note](const std::string& saved, const std::string& first) {
    const OutputRing ring = evicted(saved + note);
    const auto skipped = safe_replay_start(ring, 0) - ring.first();
    EXPECT_EQ(skipped, saved.find(first)) << saved;
  };
  begins_with("half a line\r\nold text\r\nprompt$ ", "old");
  begins_with("prompt$ ls", "prompt");
  begins_with("1;31mred$ ", "red");
  begins_with("~~~\x1B\\old", "old");
  begins_with("\x1B[1mprompt$ \x1B[", "\x1B[1m");
}

}  // namespace
}  // namespace term
