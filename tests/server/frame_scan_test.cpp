#include "server/frame_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace term::server {
namespace {

/// A client's frame, masked as RFC 6455 5.3 says.
std::string frame(std::uint8_t opcode, bool fin, const std::string& payload) {
  std::string out;
  out += static_cast<char>((fin ? 0x80U : 0U) | opcode);
  if (payload.size() < 126) {
    out += static_cast<char>(0x80U | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(0x80U | 126U);
    out += static_cast<char>(payload.size() >> 8U);
    out += static_cast<char>(payload.size() & 0xffU);
  } else {
    out += static_cast<char>(0x80U | 127U);
    for (int shift = 56; shift >= 0; shift -= 8)
      out += static_cast<char>(payload.size() >> static_cast<unsigned>(shift) & 0xffU);
  }
  const std::string key = "\x11\x22\x33\x44";
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

constexpr std::uint8_t kText = 1;
constexpr std::uint8_t kMore = 0;
constexpr std::uint8_t kPing = 9;

TEST(FrameHead, IsReadInEveryLengthForm) {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 200000U}) {
    const std::string bytes = frame(kText, true, std::string(size, 'x'));
    const auto head = read_frame_head(bytes);
    ASSERT_TRUE(head) << size;
    EXPECT_EQ(head->payload_bytes, size);
    EXPECT_EQ(head->head_bytes + size, bytes.size());
    EXPECT_EQ(complete_frame(bytes), bytes.size());
  }
}

TEST(FrameHead, IsNothingWhileItIsCutAnywhere) {
  const std::string bytes = frame(kText, true, std::string(70000, 'x'));
  for (std::size_t cut = 0; cut < 14; ++cut)
    EXPECT_FALSE(read_frame_head(bytes.substr(0, cut))) << cut;
  EXPECT_FALSE(complete_frame(bytes.substr(0, bytes.size() - 1)));
  EXPECT_FALSE(complete_frame(std::string("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff") + "keyxxx"));
}

TEST(ReceivedFrames, ForgetsAMessageOnceItIsHandledAndKeepsWhatFollows) {
  ReceivedFrames kept(1024);
  const std::string next = frame(kText, true, "next").substr(0, 5);
  kept.given(frame(kText, true, "first") + next);
  kept.delivered();
  EXPECT_EQ(kept.bytes(), next);
}

TEST(ReceivedFrames, KeepsAMessageThatWasDeliveredAndIsNotHandled) {
  ReceivedFrames kept(1024);
  const std::string first = frame(kText, true, "first");
  kept.given(first);
  EXPECT_EQ(kept.bytes(), first);
}

TEST(ReceivedFrames, KeepsOfADeliveredMessageItsOwnFramesAlone) {
  const std::string first = frame(kText, false, "a");
  const std::string last = frame(kMore, true, "b");
  const std::string after = frame(kPing, true, "not yet");
  ReceivedFrames kept(1024);
  kept.given(first + frame(kPing, true, "one") + last + after);
  kept.came();
  EXPECT_EQ(kept.bytes(), first + last + after) << "its ping is answered, the one behind it not";
  kept.delivered();
  EXPECT_EQ(kept.bytes(), after);
}

TEST(ReceivedFrames, ForgetsAnsweredPingsAlsoBetweenFragments) {
  ReceivedFrames kept(1024);
  const std::string begin = frame(kText, false, "a");
  const std::string cut = frame(kMore, true, "b").substr(0, 3);
  kept.given(frame(kPing, true, "1") + begin + frame(kPing, true, "2") + frame(kPing, true, "3") +
             cut);
  kept.asked();
  EXPECT_EQ(kept.bytes(), begin + cut);
  kept.given(frame(kMore, true, "b").substr(3) + frame(kPing, true, "4"));
  kept.delivered();
  EXPECT_EQ(kept.bytes(), frame(kPing, true, "4")) << "Beast has not come to that ping yet";
  kept.asked();
  EXPECT_EQ(kept.bytes(), "");
}

TEST(ReceivedFrames, StaysSmallWhateverPingsAndEmptyFragmentsCome) {
  ReceivedFrames kept(4096);
  kept.given(frame(kText, false, "begin"));
  for (int i = 0; i < 10000; ++i) {
    kept.given(frame(kPing, true, "ping") + frame(kMore, false, ""));
    kept.asked();
  }
  EXPECT_EQ(kept.bytes(), frame(kText, false, "begin"));
  EXPECT_TRUE(kept.complete());
}

TEST(ReceivedFrames, GivesUpRatherThanKeepMoreThanItsLimit) {
  ReceivedFrames kept(1000);
  kept.given(frame(kText, false, std::string(600, 'x')));
  kept.asked();
  EXPECT_TRUE(kept.complete());
  kept.given(frame(kMore, false, std::string(600, 'x')));
  EXPECT_FALSE(kept.complete());
  EXPECT_EQ(kept.bytes(), "");
  kept.delivered();
  kept.given("more");
  EXPECT_EQ(kept.bytes(), "");
}

TEST(ReceivedFrames, GivesUpWhenBeastSawAMessageThatItDoesNotSee) {
  ReceivedFrames kept(1000);
  kept.given(frame(kPing, true, "no message"));
  kept.delivered();
  EXPECT_FALSE(kept.complete());
}

/// What Beast does with bytes, frame by frame, in the plainest way.
struct PlainReader {
  std::string bytes;    ///< Given and not eaten.
  std::string message;  ///< Frames of the message under way.
  std::vector<std::string> messages;
  int pings = 0;

  /// Eats one whole frame; true when that completed a message.
  bool eat() {
    const auto size = *complete_frame(bytes);
    const auto head = *read_frame_head(bytes);
    if (head.control()) {
      ++pings;
    } else if (!head.idle()) {
      message += bytes.substr(0, size);
    }
    bytes.erase(0, size);
    if (head.control() || !head.fin) return false;
    messages.push_back(std::exchange(message, {}));
    return true;
  }
};

std::string random_stream(std::mt19937& random) {
  std::string stream;
  bool inside = false;
  for (int i = 0; i < 40; ++i) {
    if (random() % 3 == 0) stream += frame(kPing, true, std::string(random() % 20, 'p'));
    const bool fin = random() % 2 == 0;
    const std::size_t size = random() % 8 == 0 ? random() % 3000 : random() % 5;
    stream += frame(inside ? kMore : kText, fin, std::string(size, 'd'));
    inside = !fin;
  }
  return stream;
}

TEST(ReceivedFrames, AreAlwaysWhatAnotherReaderNeedsWhereverTheStreamIsCut) {
  std::mt19937 random(20261123);  // NOLINT: the same streams in every run
  for (int round = 0; round < 200; ++round) {
    const std::string stream = random_stream(random);
    PlainReader all;
    all.bytes = stream;
    while (complete_frame(all.bytes)) all.eat();

    PlainReader first;
    ReceivedFrames kept(1 << 20);
    std::size_t given = 0;
    const std::size_t cut = random() % (stream.size() + 1);
    while (given < cut) {
      const std::size_t n = std::min<std::size_t>(cut - given, 1 + random() % 400);
      kept.asked();
      kept.given(std::string_view(stream).substr(given, n));
      first.bytes += stream.substr(given, n);
      given += n;
      while (complete_frame(first.bytes))
        if (first.eat()) kept.delivered();
    }
    kept.asked();
    ASSERT_EQ(kept.bytes(), first.message + first.bytes);

    PlainReader second;
    second.bytes = std::string(kept.bytes()) + stream.substr(given);
    while (complete_frame(second.bytes)) second.eat();
    std::vector<std::string> messages = first.messages;
    messages.insert(messages.end(), second.messages.begin(), second.messages.end());
    EXPECT_EQ(messages, all.messages);
    EXPECT_EQ(first.pings + second.pings, all.pings);
  }
}

TEST(ReceivedFrames, SurviveEveryMutationOfAStream) {
  std::mt19937 random(42);  // NOLINT: the same mutations in every run
  for (int round = 0; round < 2000; ++round) {
    std::string stream = random_stream(random).substr(0, 300);
    for (int i = 0; i < 5; ++i)
      stream[random() % stream.size()] = static_cast<char>(random() & 0xffU);
    ReceivedFrames kept(200);
    for (std::size_t at = 0; at < stream.size(); at += 7) {
      kept.given(std::string_view(stream).substr(at, 7));
      if (random() % 2 == 0) kept.asked();
      if (random() % 5 == 0) kept.delivered();
      EXPECT_LE(kept.bytes().size(), 200U);
    }
  }
}

}  // namespace
}  // namespace term::server
