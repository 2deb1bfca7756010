#include "store/scrollback.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "store/store.h"

namespace term::test {
namespace {

using namespace store;

TEST(ScrollbackTest, OutputOfAnySizeComesBack) {
  std::mt19937 random(1);
  for (const std::size_t size :
       std::vector<std::size_t>{0, 1, 2, 255, 256, 511, 512, 513, 5'000, 32'767, 32'768, 65'536,
                                100'000, kMaxScrollback}) {
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    std::string lines;
    while (lines.size() < size)
      lines += "\x1B[32mline\x1B[0m " + std::to_string(random() % 9) + '\n';
    lines.resize(size);
    for (const std::string& bytes : {noise, lines}) {
      const Scrollback packed = pack(bytes, size + 7);
      EXPECT_EQ(packed.first, 7U);
      EXPECT_EQ(packed.next, size + 7);
      const auto unpacked = unpack(packed);
      ASSERT_TRUE(unpacked) << size << ": " << unpacked.error().detail;
      EXPECT_EQ(*unpacked, bytes) << size;
      EXPECT_LE(packed.packed.capacity(), packed.packed.size() + 64) << "it may wait for long";
    }
  }
}

TEST(ScrollbackTest, OnlyTheNewestIsKept) {
  const std::string bytes = "old" + std::string(kMaxScrollback, 'x');
  const Scrollback packed = pack(bytes, bytes.size());
  EXPECT_EQ(packed.first, 3U);
  EXPECT_EQ(unpack(packed).value(), bytes.substr(3));
}

TEST(ScrollbackTest, WhatIsDamagedIsRefused) {
  const Scrollback good = pack("some output\r\n", 100);
  Scrollback longer = good;
  longer.first -= 1;
  Scrollback cut = good;
  cut.packed.pop_back();
  Scrollback backwards = good;
  std::swap(backwards.first, backwards.next);
  Scrollback endless = good;
  endless.next += kMaxScrollback;
  for (const Scrollback& bad : {longer, cut, backwards, endless})
    EXPECT_EQ(unpack(bad).error().code, Errc::bad_snapshot);
}

}  // namespace
}  // namespace term::test
