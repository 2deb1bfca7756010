#include "session/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace term {
namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

std::string decode(const std::vector<std::string_view>& chunks) {
  Utf8Stream stream;
  std::string text;
  for (const std::string_view chunk : chunks) text += stream.feed(chunk);
  return text + stream.finish();
}

/// One byte at a time, and independently of the code under test: the last bytes that make a
/// well-formed sequence. Source: Unicode 15, table 3-7, written out as ranges.
struct Row {
  std::vector<std::pair<unsigned, unsigned>> ranges;
};
const std::vector<Row>& well_formed() {
  static const std::vector<Row> rows{{{{0x00, 0x7F}}},
                                     {{{0xC2, 0xDF}, {0x80, 0xBF}}},
                                     {{{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}}},
                                     {{{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}}},
                                     {{{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}}},
                                     {{{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}}},
                                     {{{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}},
                                     {{{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}},
                                     {{{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}}}};
  return rows;
}

std::string replace_by_table(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    std::size_t longest = 0;
    bool whole = false;
    for (const Row& row : well_formed()) {
      std::size_t n = 0;
      while (n < row.ranges.size() && n < bytes.size()) {
        const auto byte = static_cast<unsigned char>(bytes[n]);
        if (byte < row.ranges[n].first || byte > row.ranges[n].second) break;
        ++n;
      }
      if (n > longest) {
        longest = n;
        whole = n == row.ranges.size();
      }
    }
    text += whole ? std::string(bytes.substr(0, longest)) : kReplacement;
    bytes.remove_prefix(std::max<std::size_t>(longest, 1));
  }
  return text;
}

TEST(Utf8, ATextSplitAnywhereComesOutWhole) {
  const std::string text =
      "a\xC3\xA9z\xE2\x82\xAC-\xF0\x9F\x98\x80!\xED\x9F\xBF\xEF\xBF\xBF\xF4\x8F\xBF\xBF";
  ASSERT_EQ(decode({text}), text);
  const std::string_view view = text;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    EXPECT_EQ(decode({view.substr(0, i), view.substr(i)}), text) << i;
    for (std::size_t j = i; j <= text.size(); ++j) {
      EXPECT_EQ(decode({view.substr(0, i), view.substr(i, j - i), view.substr(j)}), text)
          << i << " " << j;
    }
  }
}

TEST(Utf8, AnIncompleteTailIsHeldBackUntilItIsComplete) {
  Utf8Stream stream;
  EXPECT_EQ(stream.feed("a\xF0"), "a");
  EXPECT_EQ(stream.held(), 1u);
  EXPECT_EQ(stream.feed("\x9F\x98"), "");
  EXPECT_EQ(stream.held(), 3u);
  EXPECT_EQ(stream.feed(""), "");
  EXPECT_EQ(stream.feed("\x80z"), "\xF0\x9F\x98\x80z");
  EXPECT_EQ(stream.held(), 0u);
}

TEST(Utf8, TheEndOfTheStreamReplacesATailOnce) {
  Utf8Stream stream;
  EXPECT_EQ(stream.feed("\xF0\x9F\x98"), "");
  EXPECT_EQ(stream.finish(), kReplacement);
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(stream.held(), 0u);
}

TEST(Utf8, OneReplacementPerMaximalSubpart) {
  const std::string r = kReplacement;
  // Unicode 15, table 3-11.
  EXPECT_EQ(decode({"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"}), r + r + r + r + "A");
  // Tables 3-8 to 3-10: non-shortest forms, surrogates, other ill-formed.
  EXPECT_EQ(decode({"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"}), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(decode({"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"}), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(decode({"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"}),
            r + r + r + r + r + "A" + r + r + "B");
}

TEST(Utf8, EverySingleByteIsEitherItselfOrReplaced) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    EXPECT_EQ(decode({one}), byte < 0x80 ? one : kReplacement) << byte;
    EXPECT_EQ(incomplete_utf8_tail(one), byte >= 0xC2 && byte <= 0xF4 ? 1u : 0u) << byte;
  }
}

TEST(Utf8, EveryPairOfBytesGoesByTheTableSplitOrNot) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string pair{static_cast<char>(a), static_cast<char>(b)};
      const std::string expected = replace_by_table(pair);
      ASSERT_EQ(decode({pair}), expected) << a << " " << b;
      ASSERT_EQ(decode({std::string_view(pair).substr(0, 1), std::string_view(pair).substr(1)}),
                expected)
          << a << " " << b;
    }
  }
}

TEST(Utf8, RandomBytesInRandomChunksGoByTheTable) {
  std::mt19937 random(7);
  // Bytes at the borders of the table's ranges, so that almost-characters are frequent.
  const std::string borders =
      "A\x7F\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xDF\xE0\xE1\xED\xEE\xEF\xF0\xF1\xF3\xF4\xF5\xFF";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (unsigned n = random() % 12; n > 0; --n) bytes += borders[random() % borders.size()];
    Utf8Stream stream;
    std::string text;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = 1 + random() % 4;
      text += stream.feed(std::string_view(bytes).substr(at, n));
      at += n;
      ASSERT_LE(stream.held(), 3u);
    }
    ASSERT_EQ(text + stream.finish(), replace_by_table(bytes)) << testing::PrintToString(bytes);
  }
}

TEST(Utf8, WhereverInALongTextItGoesByTheTable) {
  for (std::size_t at = 0; at < 200; ++at) {
    for (const char* piece : {"é", "漢", "😀", "\xFF", "\xE0\xA0", "\xF0\x9F\x98"}) {
      std::string text(200, 'x');
      text.insert(at, piece);
      ASSERT_EQ(decode({text}), replace_by_table(text)) << at;
      text.insert(at + std::string_view(piece).size() + at % 70 % (200 - at), piece);
      ASSERT_EQ(decode({text}), replace_by_table(text)) << at;
    }
  }
}

TEST(Utf8, ATailIsWhatIsWellFormedSoFar) {
  EXPECT_EQ(incomplete_utf8_tail(""), 0u);
  EXPECT_EQ(incomplete_utf8_tail("abc"), 0u);
  EXPECT_EQ(incomplete_utf8_tail("\xC3\xA9"), 0u);
  EXPECT_EQ(incomplete_utf8_tail("a\xE2\x82"), 2u);
  EXPECT_EQ(incomplete_utf8_tail("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_utf8_tail("\xF0\x80"), 0u) << "can never become valid";
  EXPECT_EQ(incomplete_utf8_tail("\xE2\x82\xE2"), 1u);
  EXPECT_EQ(incomplete_utf8_tail("\x80\x80\x80"), 0u);
}

}  // namespace
}  // namespace term
