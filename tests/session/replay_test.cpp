#include "session/replay.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace term {
namespace {

const std::vector<std::string>& queries() {
  static const std::vector<std::string> all{
      "\x05",  // ENQ
      "\x1B[c",
      "\x1B[0c",
      "\x1B[>c",
      "\x1B[>0c",
      "\x1B[=c",
      "\x1BZ",  // Device attributes
      "\x1B[5n",
      "\x1B[6n",
      "\x1B[?6n",
      "\x1B[?996n",  // Status, cursor position
      "\x1B[4$p",
      "\x1B[?2026$p",
      "\x1B[>q",
      "\x1B[>0q",  // DECRQM, XTVERSION
      "\x1BP$qm\x1B\\",
      "\x1BP$q q\x1B\\",
      "\x1BP1$qr\x1B\\",           // DECRQSS
      "\x1BP+q544e;524742\x1B\\",  // XTGETTCAP
      "\x1B]4;1;?\x07",
      "\x1B]4;1;?;2;?\x1B\\",
      "\x1B]5;0;?\x07",  // Palette
      "\x1B]10;?\x07",
      "\x1B]11;?\x1B\\",
      "\x1B]12;?\xC2\x9C",
      "\x1B]19;?\x07",
      "\x1B]10;?;?\x07",
      "\x1B]52;c;?\x07",
      "\x1B]52;;?\x1B\\",
      "\x1B]50;?\x07",  // Clipboard, font
      "\x1B[11t",
      "\x1B[13t",
      "\x1B[13;2t",
      "\x1B[14t",
      "\x1B[14;2t",
      "\x1B[15t",
      "\x1B[16t",
      "\x1B[18t",
      "\x1B[19t",
      "\x1B[20t",
      "\x1B[21t",  // Window reports
      "\x1B[?u",
      "\x1B[?4m",
      "\x1B[?1;1;0S",
      "\x1B[x",
      "\x1B[1;1;1;1;2;2*y",
      "\x1B[1$w",
      "\xC2\x9B"
      "6n",
      "\xC2\x9B"
      "c",
      "\xC2\x9D"
      "11;?\x07",
      "\xC2\x90$qm\xC2\x9C",
      "\xC2\x9A",
      "\x1B[\x7F"
      "6n",  // DEL is passed over
  };
  return all;
}

const std::vector<std::string>& harmless() {
  static const std::vector<std::string> all{
      "plain text",
      "\r\n",
      "\x07",
      "\t",
      "6n",
      "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
      "\x9B"
      "6n",
      "\x9D"
      "11;?\x07",
      "\x90$qm\x9C",  // 8-bit: text in a UTF-8 stream
      "\x1B[31m",
      "\x1B[0m",
      "\x1B[38;2;1;2;3m",
      "\x1B[4:3m",  // Colours
      "\x1B[H",
      "\x1B[2J",
      "\x1B[10;20H",
      "\x1B[3A",
      "\x1B[K",
      "\x1B[s",
      "\x1B[u",
      "\x1B[6d",
      "\x1B[?25l",
      "\x1B[?1049h",
      "\x1B[?2004h",
      "\x1B[4h",
      "\x1B[!p",
      "\x1B[61\"p",
      "\x1B[2 q",
      "\x1B[>4;2m",
      "\x1B[>4n",
      "\x1B[>1u",
      "\x1B[<u",
      "\x1B[=1;1u",
      "\x1B[3S",
      "\x1B[5;20r",
      "\x1B[?6c",
      "\x1B[1;1;5;5;2*x",  // The Linux console's cursor shape; DECSACE
      "\x1B[8;24;80t",
      "\x1B[22;0t",
      "\x1B[23;0t",
      "\x1B[1t",
      "\x1B[3;0;0t",
      "\x1B[>2t",
      "\x1B[111t",
      "\x1B[99999999999999999999t",
      "\x1B]0;title?\x07",
      "\x1B]2;t;?\x1B\\",
      "\x1B]8;;http://h/?q=?\x1B\\",
      "\x1B]8;;\x07",
      "\x1B]4;1;#ff0000\x07",
      "\x1B]4;1;rgb:ff/00/00\x1B\\",
      "\x1B]10;#fff\x07",
      "\x1B]104\x07",
      "\x1B]110\x07",
      "\x1B]52;c;aGVsbG8/\x07",
      "\x1B]52;c;\x07",
      "\x1B]7;file:///tmp?\x07",
      "\x1B]133;A\x07",
      "\x1B]1337;File=inline=1:Pz8/\x07",
      "\x1B]50;fixed\x07",
      "\x1B]\x07",
      "\x1B]x;?\x07",
      "\x1B]10\x07",
      "\x1B]99999999999999999999;?\x07",
      "\x1BPq#0;2;0;0;0#0~~@@vv$\n-\x1B\\",
      "\x1BP0;1|17/ab\x1B\\",
      "\x1BP1;2{q\x1B\\",
      "\x1BP\x1B\\",
      "\x1B_Gf=32,s=1,v=1;AAAA\x1B\\",
      "\x1B^private ?\x1B\\",
      "\x1BXstring\x1B\\",
      "\x1B"
      "7",
      "\x1B"
      "8",
      "\x1B(B",
      "\x1B#8",
      "\x1B=",
      "\x1B>",
      "\x1B"
      "c",
      "\x1BM",
      "\x1B\\",
      "\x1B[6\x18n",
      "\x1B[6\x1An",
      "\x1B]11;?\x18",
      "\x1BP$qm\x1A",  // Aborted
      "\x1B[6\xC3\xA9n",
      "\xC2\x85",
  };
  return all;
}

TEST(MuteQueries, AQueryAloneIsMuted) {
  for (const std::string& query : queries()) {
    EXPECT_EQ(mute_queries(query).find_first_not_of('\x7F'), std::string::npos)
        << testing::PrintToString(query);
  }
}

TEST(MuteQueries, AQueryInTheMiddleOfTextLeavesTheText) {
  for (const std::string& query : queries()) {
    if (query.find('\x7F') != std::string::npos) continue;
    EXPECT_EQ(mute_queries("be\xC3\xA9" + query +
                           "\xE2\x82\xAC"
                           "after"),
              "be\xC3\xA9\xE2\x82\xAC"
              "after")
        << testing::PrintToString(query);
  }
}

TEST(MuteQueries, EverythingElseIsUntouched) {
  for (const std::string& text : harmless()) {
    EXPECT_EQ(mute_queries(text), text) << testing::PrintToString(text);
    EXPECT_EQ(mute_queries("a" + text + "b"), "a" + text + "b") << testing::PrintToString(text);
  }
}

TEST(MuteQueries, AnyMixtureKeepsExactlyTheRest) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string mixed;
    std::string expected;
    for (int i = 0; i < 12; ++i) {
      if (random() % 2 == 0) {
        const std::string& query = queries()[random() % queries().size()];
        mixed += query;
        if (query.find('\x7F') != std::string::npos) expected += '\x7F';
      } else {
        const std::string& text = harmless()[random() % harmless().size()];
        mixed += text;
        expected += text;
      }
    }
    ASSERT_EQ(mute_queries(mixed), expected) << testing::PrintToString(mixed);
  }
}

TEST(MuteQueries, WhatIsCutOffAtTheEndStays) {
  for (const std::string& query : queries()) {
    for (std::size_t n = 1; n < query.size(); ++n) {
      const std::string cut = "text" + query.substr(0, n);
      EXPECT_EQ(mute_queries(cut), cut) << testing::PrintToString(cut);
    }
  }
}

TEST(MuteQueries, AColourSetBesideOneThatIsAskedForIsSet) {
  EXPECT_EQ(mute_queries("\x1B]4;1;?;2;#fff\x07"), "\x1B]4;2;#fff\x07");
  EXPECT_EQ(mute_queries("\x1B]4;2;#fff;1;?\x1B\\"), "\x1B]4;2;#fff\x1B\\");
  EXPECT_EQ(mute_queries("\x1B]10;?;#000\x07"), "\x1B]10;;#000\x07");
  EXPECT_EQ(mute_queries("\x1B]10;#fff;?\x07"), "\x1B]10;#fff;\x07");
}

TEST(MuteQueries, ControlsWithinASequenceOutliveIt) {
  EXPECT_EQ(mute_queries("\x1B[6\r\nn!"), "\r\n!");
  EXPECT_EQ(mute_queries("\x1B[\x05"
                         "31m"),
            "\x1B[31m")
      << "ENQ answers wherever it stands";
  EXPECT_EQ(mute_queries("\x1B[6\x05\nn"), "\n");
  EXPECT_EQ(mute_queries("\x1B]52;c;\n?\x07"), "") << "xterm.js passes over controls in a string";
}

TEST(MuteQueries, AQueryThatTheNextSequenceEndsIsMutedAndTheNextStays) {
  EXPECT_EQ(mute_queries("\x1B]11;?\x1B[31m"), "\x1B[31m");
  EXPECT_EQ(mute_queries("\x1B]11;?\x1B[6nx"), "x");
  EXPECT_EQ(mute_queries("\x1B[3\x1B[6nx"), "\x1B[3x") << "aborted, then a query";
}

// These take minutes if anything in it is quadratic.
TEST(MuteQueries, TakesAnyShapeOfInputInLinearTime) {
  const std::size_t n = std::size_t{1} << 16;
  for (const std::string piece : {"\x1B", "\x1B[", "\x1B]4;", "\x1BP$q", "\x1B[6n", "\x05", "?;",
                                  ";", "\x1B]10;?", "1", "\xC2\x9B", "\x1B]52;c;?\x07"}) {
    for (const std::string begin : {"", "\x1B]4;", "\x1B]10;?;", "\x1BP", "\x1B[", "\x1B_"}) {
      std::string text = begin;
      while (text.size() < n) text += piece;
      EXPECT_LE(mute_queries(text).size(), text.size());
    }
  }
}

}  // namespace
}  // namespace term
