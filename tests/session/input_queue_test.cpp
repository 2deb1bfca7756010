#include "session/input_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string_view>

namespace term {
namespace {

std::string front_of(const InputQueue& queue) {
  const auto bytes = queue.front();
  return {bytes.data(), bytes.size()};
}

/// Takes everything out, front by front.
std::string drain(InputQueue& queue) {
  std::string all;
  while (!queue.empty()) {
    all += front_of(queue);
    queue.pop(queue.front().size());
  }
  return all;
}

TEST(InputQueue, GivesBackWhatWasTypedInOrderAndWhose) {
  InputQueue queue(100);
  EXPECT_EQ(queue.push("a", 0, std::string_view("one")), 3u);
  EXPECT_EQ(queue.push("b", 7, std::string_view("two")), 3u);
  EXPECT_EQ(front_of(queue), "one");
  EXPECT_EQ(queue.pop(3), (InputQueue::Progress{"a", 3}));
  EXPECT_EQ(front_of(queue), "two");
  EXPECT_EQ(queue.pop(3), (InputQueue::Progress{"b", 10}));
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.front().empty());
}

TEST(InputQueue, APartialWriteGoesOnWhereItStopped) {
  InputQueue queue(100);
  queue.push("a", 50, std::string_view("abcdef"));
  EXPECT_EQ(queue.pop(2), (InputQueue::Progress{"a", 52}));
  EXPECT_EQ(front_of(queue), "cdef");
  EXPECT_EQ(queue.pop(0), (InputQueue::Progress{"a", 52}));
  EXPECT_EQ(queue.size(), 4u);
}

TEST(InputQueue, TakesWhatItHasRoomForAndSaysHowMuch) {
  InputQueue queue(5);
  EXPECT_EQ(queue.push("a", 0, std::string_view("abc")), 3u);
  EXPECT_EQ(queue.room(), 2u);
  EXPECT_EQ(queue.push("a", 3, std::string_view("defg")), 2u);
  EXPECT_EQ(queue.room(), 0u);
  EXPECT_EQ(queue.push("a", 5, std::string_view("f")), 0u);
  EXPECT_EQ(queue.copy(), "abcde");
  queue.pop(1);
  EXPECT_EQ(queue.room(), 1u);
}

TEST(InputQueue, NothingPushedLeavesItEmpty) {
  InputQueue queue(5);
  EXPECT_EQ(queue.push("a", 0, {}), 0u);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.front().empty());
}

TEST(InputQueue, KeystrokesOfOneClientBecomeOneWrite) {
  InputQueue queue(100);
  for (Offset at = 0; at < 5; ++at) queue.push("a", at, std::string_view("x"));
  EXPECT_EQ(front_of(queue), "xxxxx");
  EXPECT_EQ(queue.pop(5), (InputQueue::Progress{"a", 5}));
}

TEST(InputQueue, AJumpInOffsetsIsNotGluedOver) {
  InputQueue queue(100);
  queue.push("a", 0, std::string_view("abc"));
  queue.push("a", 10, std::string_view("def"));
  EXPECT_EQ(queue.pop(3), (InputQueue::Progress{"a", 3}));
  EXPECT_EQ(queue.pop(3), (InputQueue::Progress{"a", 13}));
}

TEST(InputQueue, ABigPasteComesBackInPiecesWhole) {
  InputQueue queue(std::size_t{1} << 20);
  std::string paste;
  while (paste.size() < queue.room()) paste += std::to_string(paste.size()) + ",";
  paste.resize(queue.room());
  EXPECT_EQ(queue.push("a", 9, paste), paste.size());
  EXPECT_LT(queue.front().size(), paste.size());
  EXPECT_EQ(queue.copy(), paste);
  Offset upto = 0;
  std::string taken;
  while (!queue.empty()) {  // Byte by byte, as a slow tty takes it.
    taken += queue.front()[0];
    upto = queue.pop(1).upto;
  }
  EXPECT_EQ(taken, paste);
  EXPECT_EQ(upto, 9 + paste.size());
}

TEST(InputQueue, TwoClientsTypingInTurnCannotFillTheMemoryWithBookkeeping) {
  InputQueue queue(std::size_t{1} << 20);
  Offset at = 0;
  while (queue.room() > 0) {
    ASSERT_EQ(queue.push(at % 2 == 0 ? "a" : "b", at / 2, std::string_view("x")), 1u);
    ++at;
  }
  EXPECT_LE(queue.size(), 4096u);
  EXPECT_EQ(queue.push("a", at, std::string_view("x")), 0u) << "room() and push() agree";
  queue.pop(1);
  EXPECT_GT(queue.room(), 0u);
  EXPECT_EQ(drain(queue), std::string(at - 1, 'x'));
}

TEST(InputQueue, BehavesLikeAString) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) {
      return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
    };
    InputQueue queue(100'000);
    std::string model;
    std::map<std::string, Offset> pushed;
    std::map<std::string, Offset> popped;
    for (int i = 0; i < 500; ++i) {
      const std::string client(1, static_cast<char>('a' + below(3)));
      const std::string bytes(below(below(10) == 0 ? 50'000 : 20), static_cast<char>('0' + i % 10));
      const std::size_t n = queue.push(client, pushed[client], bytes);
      ASSERT_EQ(n, std::min(bytes.size(), 100'000 - model.size()));
      pushed[client] += n;
      model += bytes.substr(0, n);
      for (std::size_t pops = below(4); pops > 0 && !queue.empty(); --pops) {
        const std::size_t taken = below(queue.front().size() + 1);
        ASSERT_EQ(front_of(queue), model.substr(0, queue.front().size()));
        const auto progress = queue.pop(taken);
        popped[progress.client] += taken;
        ASSERT_EQ(progress.upto, popped[progress.client]);
        model.erase(0, taken);
      }
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_EQ(queue.copy(), model);
    }
  }
}

}  // namespace
}  // namespace term
