// The judge is judged: what is left out, doubled or damaged on purpose must be found and counted.

#include "support/numbered.h"

#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "chaos/schedule.h"

namespace term::test {
namespace {

class Numbered : public testing::TestWithParam<Flavour> {
 protected:
  std::string bytes(std::uint64_t from, std::size_t n) const { return stream_.bytes(from, n); }
  /// In pieces, as a connection would bring it.
  void feed(const std::string& all) {
    for (std::size_t at = 0, n = 1; at < all.size(); at += n, n = n % 97 + 13)
      check_.feed(std::string_view(all).substr(at, n));
  }
  NumberedStream stream_{GetParam(), 0x1234567890abcdef};
  StreamCheck check_{stream_};
};

TEST_P(Numbered, AnyPieceIsThatPieceOfTheWhole) {
  const std::string whole = bytes(0, 5000);
  for (std::size_t from : {0U, 1U, 7U, 31U, 32U, 33U, 999U, 4000U})
    EXPECT_EQ(bytes(from, 500), whole.substr(from, 500)) << from;
}

TEST_P(Numbered, TheWholeStreamIsExact) {
  feed(bytes(0, 100'000));
  EXPECT_TRUE(check_.exact());
  EXPECT_EQ(check_.checked, 100'000U);
  EXPECT_EQ(check_.at(), 100'000U);
}

TEST_P(Numbered, WhatIsLeftOutIsLost) {
  for (const std::size_t lost : {1U, 31U, 32U, 3700U, 1'000'000U}) {
    StreamCheck check(stream_);
    check.feed(bytes(0, 10'001));
    check.feed(bytes(10'001 + lost, 20'000));
    check.finish();
    EXPECT_EQ(check.lost, lost);
    EXPECT_EQ(check.repeated + check.wrong, 0U) << lost;
    EXPECT_EQ(check.at(), 30'001 + lost);
  }
}

TEST_P(Numbered, WhatComesTwiceIsRepeated) {
  for (const std::size_t twice : {1U, 32U, 65U, 9'000U}) {
    StreamCheck check(stream_);
    check.feed(bytes(0, 10'001));
    check.feed(bytes(10'001 - twice, 20'000));
    check.finish();
    EXPECT_EQ(check.repeated, twice);
    EXPECT_EQ(check.lost + check.wrong, 0U) << twice;
  }
}

TEST_P(Numbered, ADamagedByteIsFound) {
  std::string all = bytes(0, 50'000);
  all[12'345] = static_cast<char>(all[12'345] ^ 0x20);
  feed(all);
  check_.finish();
  EXPECT_EQ(check_.first_wrong, 12'345U);
  EXPECT_GT(check_.wrong, 0U);
  EXPECT_LT(check_.wrong, 200U);
  EXPECT_EQ(check_.at(), 50'000U);
}

TEST_P(Numbered, WhatWasAnnouncedAsGoneIsNotLost) {
  feed(bytes(0, 1000));
  check_.skip(234);
  feed(bytes(1234, 1000));
  EXPECT_TRUE(check_.exact());
}

TEST_P(Numbered, TwoSessionsAreNeverTakenForEachOther) {
  check_.feed(NumberedStream(GetParam(), 99).bytes(0, 1000));
  check_.finish();
  EXPECT_GT(check_.wrong, 900U);
}

INSTANTIATE_TEST_SUITE_P(Flavours, Numbered,
                         testing::Values(Flavour::text, Flavour::binary, Flavour::heavy,
                                         Flavour::input));

TEST(NumberedBinary, HoldsEveryByteValue) {
  const std::string all = NumberedStream(Flavour::binary, 1).bytes(0, 64 * 1024);
  EXPECT_EQ(std::set<char>(all.begin(), all.end()).size(), 256U);
}

TEST(Endings, AreReadAsTheyWereWritten) {
  const auto read = read_ending(ending_record({.code = 199, .signal = SIGTERM, .delay_ms = 599}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->code, 199);
  EXPECT_EQ(read->signal, SIGTERM);
  EXPECT_EQ(read->delay_ms, 599);
  const std::string ordinary = NumberedStream(Flavour::input, 5).bytes(0, kRecordBytes);
  EXPECT_FALSE(read_ending(ordinary));
}

TEST(Schedule, IsAFunctionOfItsSeed) {
  const std::vector<chaos::Schedule::Kind> kinds{{"cut", 3}, {"kill", 1}};
  chaos::Schedule one(7, kinds, std::chrono::milliseconds(100));
  chaos::Schedule same(7, kinds, std::chrono::milliseconds(100));
  chaos::Schedule other(8, kinds, std::chrono::milliseconds(100));
  std::size_t different = 0;
  for (int i = 0; i < 100; ++i) {
    const auto step = one.next();
    const auto again = same.next();
    EXPECT_EQ(step.fault, again.fault);
    EXPECT_EQ(step.after, again.after);
    EXPECT_EQ(step.a, again.a);
    different += other.next().a != step.a ? 1U : 0U;
  }
  EXPECT_EQ(different, 100U);
}

}  // namespace
}  // namespace term::test
