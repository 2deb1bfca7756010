#include "session/block_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace term {
namespace {

TEST(Word, FindsTheFirstOfEightBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(8, '\0');
    // Close to each other: a byte beside a wanted one must not be taken for it.
    for (char& c : bytes) c = static_cast<char>(0x0C + random() % 5);
    if (round % 2 == 0) bytes[random() % 8] = static_cast<char>(random());
    for (const unsigned wanted : {0x0EU, 0x0DU, 0x00U, 0xC2U, 0xFFU}) {
      const auto found = Word(bytes.data()).find(static_cast<unsigned char>(wanted));
      const auto place = bytes.find(static_cast<char>(wanted));
      ASSERT_EQ(found != 0, place != std::string::npos) << round;
      if (found != 0) ASSERT_EQ(Word::place(found), place) << round;
    }
    const auto found = Word(bytes.data()).find(0x0E, 0xFE);
    const auto place = bytes.find_first_of("\x0E\x0F");
    ASSERT_EQ(found != 0, place != std::string::npos) << round;
    if (found != 0) ASSERT_EQ(Word::place(found), place) << round;
  }
}

TEST(SkipBlocks, StopsBeforeTheBlockOfAHit) {
  std::string bytes(300, 'a');
  const auto is_b = [](char c) { return c == 'b'; };
  EXPECT_EQ(skip_blocks(bytes, 3, is_b), 3U + 4 * 64) << "less than a block is left";
  bytes[3 + 64 + 63] = 'b';
  EXPECT_EQ(skip_blocks(bytes, 3, is_b), 3U + 64);
  EXPECT_EQ(skip_blocks(bytes, 250, is_b), 250U);
}

}  // namespace
}  // namespace term
