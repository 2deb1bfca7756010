#include "session/output_ring.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <random>
#include <vector>

namespace term {
namespace {

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
const std::size_t kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

/// Byte number `offset` of a stream in which neighbouring pages differ.
char byte_of(Offset offset) { return static_cast<char>((offset * 31 + offset / 251) & 0xFF); }

std::string stream(Offset from, std::size_t n) {
  std::string bytes(n, '\0');
  for (std::size_t i = 0; i < n; ++i) bytes[i] = byte_of(from + i);
  return bytes;
}

TEST(OutputRing, StartsEmptyAtTheGivenOffsetWithWholePages) {
  const OutputRing ring(kPage + 1, 12345);
  EXPECT_EQ(ring.capacity(), 2 * kPage);
  EXPECT_EQ(ring.first(), 12345u);
  EXPECT_EQ(ring.next(), 12345u);
  EXPECT_EQ(ring.size(), 0u);
  EXPECT_EQ(OutputRing(0).capacity(), kPage);
}

TEST(OutputRing, AnImpossibleCapacityIsBadAlloc) {
  EXPECT_THROW(OutputRing{kAll}, std::bad_alloc);
  EXPECT_THROW(OutputRing{kAll / 2}, std::bad_alloc);
}

TEST(OutputRing, BytesAreAddressedByOffset) {
  OutputRing ring(kPage);
  ring.append(std::string_view("hello world"));
  EXPECT_EQ(ring.copy(6, 100), "world");
  EXPECT_EQ(ring.copy(0, 5), "hello");
  EXPECT_EQ(ring.copy(11, 5), "");
  EXPECT_EQ(ring.copy(12, 5), "") << "beyond the end";
}

TEST(OutputRing, WritingInPlaceDestroysTheOldestAtOnceAndSaysSo) {
  OutputRing ring(kPage);
  ring.append(stream(0, kPage));
  const std::span<char> room = ring.writable(100);
  ASSERT_EQ(room.size(), 100u);
  EXPECT_EQ(ring.first(), 100u);
  EXPECT_EQ(ring.next(), kPage);
  EXPECT_EQ(ring.copy(99, 1), "") << "it may be overwritten already";
  std::memset(room.data(), 'x', 40);
  ring.commit(40);
  EXPECT_EQ(ring.next(), kPage + 40);
  EXPECT_EQ(ring.copy(kPage, kAll), std::string(40, 'x'));
  EXPECT_EQ(ring.copy(100, kPage - 100), stream(100, kPage - 100));
}

TEST(OutputRing, WritableEndsWithTheMapping) {
  OutputRing ring(kPage, kPage - 10);
  EXPECT_EQ(ring.writable(100).size(), 10u);
  ring.commit(10);
  EXPECT_EQ(ring.writable(100).size(), 100u);
}

TEST(OutputRing, MoreThanItHoldsKeepsTheNewest) {
  OutputRing ring(kPage);
  ring.append(stream(0, 10));
  ring.append(stream(10, 3 * kPage));
  EXPECT_EQ(ring.next(), 10 + 3 * kPage);
  EXPECT_EQ(ring.size(), kPage);
  EXPECT_EQ(ring.copy(ring.first(), kAll), stream(ring.first(), kPage));
}

TEST(OutputRing, MovingLeavesTheBytesInPlaceAndTheSourceEmpty) {
  OutputRing ring(kPage);
  ring.append(std::string_view("abc"));
  const char* where = ring.read(0, 3)[0].data();
  OutputRing moved(std::move(ring));
  EXPECT_EQ(moved.read(0, 3)[0].data(), where);
  OutputRing other(kPage);
  other = std::move(moved);
  EXPECT_EQ(other.copy(0, 3), "abc");
}

/// Pages of a ring that are in memory, asked through its newest byte's mapping.
std::size_t resident_pages(OutputRing& ring) {
  char* next = ring.writable(1).data();
  char* begin = next - ring.next() % ring.capacity();
  std::vector<unsigned char> pages(ring.capacity() / kPage);
  EXPECT_EQ(::mincore(begin, ring.capacity(), pages.data()), 0);
  return static_cast<std::size_t>(
      std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
}

TEST(OutputRing, TakesMemoryOnlyAsItFills) {
  OutputRing ring(1024 * kPage);
  EXPECT_EQ(resident_pages(ring), 0u);
  ring.append(stream(0, 3 * kPage));
  EXPECT_EQ(resident_pages(ring), 3u);
}

TEST(OutputRing, ShrinkingKeepsTheNewestAndGivesThePagesBack) {
  OutputRing ring(64 * kPage);
  ring.append(stream(0, 100 * kPage + 5));
  ASSERT_EQ(resident_pages(ring), 64u);
  ring.shrink(10 * kPage);
  EXPECT_EQ(ring.size(), 10 * kPage);
  EXPECT_EQ(ring.copy(ring.first(), kAll), stream(ring.first(), 10 * kPage));
  EXPECT_LE(resident_pages(ring), 11u);
  ring.shrink(0);
  EXPECT_EQ(ring.size(), 0u);
  EXPECT_EQ(ring.next(), 100 * kPage + 5);
  EXPECT_EQ(resident_pages(ring), 0u);
  ring.append(stream(ring.next(), kPage));
  EXPECT_EQ(ring.copy(ring.first(), kAll), stream(ring.first(), kPage));
}

TEST(OutputRing, ShrinkingToMoreThanIsHeldKeepsEverything) {
  OutputRing ring(4 * kPage);
  ring.append(stream(0, kPage + 1));
  ring.shrink(kPage + 1);
  ring.shrink(kAll);
  EXPECT_EQ(ring.copy(0, kAll), stream(0, kPage + 1));
}

/// The ring beside a string that remembers everything: the same offsets, the same bytes.
class RingModel {
 public:
  RingModel(unsigned seed, Offset next) : random_(seed), ring_(4 * kPage, next), begin_(next) {}

  void step() {
    switch (below(6)) {
      case 0:
        return append(below(9 * kPage));
      case 1:
        return write_in_place(1 + below(2 * kPage), below(2 * kPage));
      case 2:
        return append(below(64));
      case 3:
        if (below(8) == 0) shrink(below(5 * kPage));
        return;
      case 4:
        ring_ = OutputRing(std::move(ring_));
        return;
      default:
        return read_somewhere();
    }
  }

  void check() {
    ASSERT_EQ(ring_.next(), begin_ + printed_.size());
    ASSERT_LE(ring_.size(), ring_.capacity());
    ASSERT_GE(ring_.first(), least_first_);
    ASSERT_EQ(ring_.copy(ring_.first(), kAll), printed_.substr(ring_.first() - begin_));
  }

 private:
  std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }

  void append(std::size_t n) {
    const std::string bytes = stream(ring_.next(), n);
    const Offset first = ring_.first();
    ring_.append(bytes);
    printed_ += bytes;
    const Offset expected = ring_.next() - std::min<Offset>(ring_.next() - first, ring_.capacity());
    EXPECT_EQ(ring_.first(), expected) << "no more is lost than must be";
    least_first_ = ring_.first();
  }

  void write_in_place(std::size_t max, std::size_t wanted) {
    const std::span<char> room = ring_.writable(max);
    ASSERT_GE(room.size(), 1u);
    ASSERT_LE(room.size(), max);
    const std::size_t n = std::min(wanted, room.size());
    const std::string bytes = stream(ring_.next(), n);
    std::ranges::copy(bytes, room.begin());
    ring_.commit(n);
    printed_ += bytes;
    least_first_ = ring_.first();
  }

  void shrink(std::size_t keep) {
    const std::size_t expected = std::min(keep, ring_.size());
    ring_.shrink(keep);
    EXPECT_EQ(ring_.size(), expected);
    least_first_ = ring_.first();
  }

  void read_somewhere() {
    const Offset from = ring_.first() + below(ring_.size() + 2);
    const std::size_t max = below(5 * kPage);
    const std::string expected =
        from < ring_.next() ? printed_.substr(from - begin_, max) : std::string();
    EXPECT_EQ(ring_.copy(from, max), expected);
    if (ring_.first() > begin_) {
      EXPECT_EQ(ring_.copy(ring_.first() - 1, 10), "");
    }
  }

  std::mt19937 random_;
  OutputRing ring_;
  Offset begin_;
  Offset least_first_ = 0;
  std::string printed_;
};

TEST(OutputRing, BehavesLikeTheEndOfAStringThatRemembersEverything) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    RingModel model(seed, seed % 2 == 0 ? 0 : Offset{1} << 33 | seed);
    for (int i = 0; i < 200; ++i) {
      model.step();
      model.check();
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << " step " << i;
    }
  }
}

}  // namespace
}  // namespace term
