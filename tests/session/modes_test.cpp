#include "session/modes.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace term {
namespace {

TerminalModes scanned(std::string_view bytes) {
  TerminalModes modes;
  EXPECT_EQ(scan_modes(modes, bytes), bytes.size());
  return modes;
}

TEST(Modes, TextChangesNothing) {
  EXPECT_EQ(scanned("plain text \xC3\xA9 \xC2\xB0 \r\n and \x1B[3;4H moves \x1B[2J"),
            TerminalModes{});
}

TEST(Modes, EachIsSetAndSetBack) {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"\x1B[?1h", "\x1B[?1l"},
      {"\x1B[?5h", "\x1B[?5l"},
      {"\x1B[?6h", "\x1B[?6l"},
      {"\x1B[?7l", "\x1B[?7h"},
      {"\x1B[?9h", "\x1B[?9l"},
      {"\x1B[?25l", "\x1B[?25h"},
      {"\x1B[?47h", "\x1B[?47l"},
      {"\x1B[?1047h", "\x1B[?1047l"},
      {"\x1B[?66h", "\x1B>"},
      {"\x1B=", "\x1B[?66l"},
      {"\x1B[?1000h", "\x1B[?1000l"},
      {"\x1B[?1002h", "\x1B[?1002l"},
      {"\x1B[?1003h", "\x1B[?1003l"},
      {"\x1B[?1004h", "\x1B[?1004l"},
      {"\x1B[?1005h", "\x1B[?1005l"},
      {"\x1B[?1006h", "\x1B[?1006l"},
      {"\x1B[?1015h", "\x1B[?1015l"},
      {"\x1B[?1016h", "\x1B[?1016l"},
      {"\x1B[?2004h", "\x1B[?2004l"},
      {"\x1B[?2026h", "\x1B[?2026l"},
      {"\x1B[4h", "\x1B[4l"},
      {"\x1B[20h", "\x1B[20l"},
      {"\x1B[5 q", "\x1B[0 q"},
      {"\x1B[3;9r", "\x1B[r"},
      {"\x1B(0", "\x1B(B"},
      {"\x1B)0", "\x1B)B"},
      {"\x0E", "\x0F"},
      {"\x1B[1;4:3;38;5;200;48;2;1;2;3m", "\x1B[m"},
      {"\x1B[>5u", "\x1B[<u"},
      {"\x1B[>4;2m", "\x1B[>4m"},
      {"\x1B[?69h\x1B[3;9s", "\x1B[?69l"},
      {"\xC2\x9B?2004h", "\xC2\x9B?2004l"},
  };
  for (const auto& [on, off] : pairs) {
    EXPECT_NE(scanned(on), TerminalModes{}) << testing::PrintToString(on);
    EXPECT_EQ(scanned(on + off), TerminalModes{}) << testing::PrintToString(off);
    EXPECT_EQ(scanned(on + "\x1B"
                           "c"),
              TerminalModes{})
        << testing::PrintToString(on);
  }
}

TEST(Modes, SeveralInOneSequenceAllCount) {
  const TerminalModes modes = scanned("\x1B[?1002;1006;25l\x1B[?1002;1006;2004h");
  EXPECT_EQ(modes.mouse, 1002);
  EXPECT_EQ(modes.mouse_encoding, 1006);
  EXPECT_TRUE(modes.has(Mode::bracketed_paste));
  EXPECT_TRUE(modes.has(Mode::cursor_hidden));
}

TEST(Modes, TheSavedDrawingComesBackOnItsOwnScreen) {
  const TerminalModes modes = scanned(
      "\x1B[31m\x1B(0\x1B[?1049h\x1B[32m\x1B(B\x1B"
      "7\x1B[33m\x1B[?1049l");
  EXPECT_EQ(modes.alternate, 0);
  EXPECT_EQ(modes.now.pen.foreground.value[0], 1);
  EXPECT_EQ(modes.now.designated[0], '0');
}

TEST(Modes, ASoftResetKeepsTheScreenAndTheMouse) {
  const TerminalModes modes =
      scanned("\x1B[?1049;1000;2004h\x1B[4h\x1B[1m\x1B[2;5r\x1B[?6h\x1B[!p");
  EXPECT_EQ(modes.alternate, 1);
  EXPECT_EQ(modes.mouse, 1000);
  EXPECT_TRUE(modes.has(Mode::bracketed_paste));
  EXPECT_FALSE(modes.has(Mode::insert));
  EXPECT_EQ(modes.now, Drawing{});
  EXPECT_EQ(modes.top, 0);
}

TEST(Modes, StringsAreNotRead) {
  for (const std::string text :
       {"\x1B]0;[?2004h\x07", "\x1BP[?2004h\x0E\x1B\\", "\x1B_\x0E[1m\x1B\\", "\x1B^[4h\xC2\x9C"}) {
    EXPECT_EQ(scanned(text), TerminalModes{}) << testing::PrintToString(text);
  }
  EXPECT_TRUE(scanned("\x1B]0;x\x1B[?2004h").has(Mode::bracketed_paste)) << "ESC ended the string";
}

TEST(Modes, AnAbortedSequenceDoesNothing) {
  EXPECT_EQ(scanned("\x1B[?2004\x18h"), TerminalModes{});
  EXPECT_EQ(scanned("\x1B[1\x1B[m"), TerminalModes{});
}

TEST(Modes, WhatIsCutOffIsLeftToTheNextScan) {
  TerminalModes modes;
  EXPECT_EQ(scan_modes(modes, "abc\x1B[?20"), 3u);
  EXPECT_EQ(scan_modes(modes, "abc\xC2"), 3u);
  EXPECT_EQ(modes, TerminalModes{});
}

TEST(Modes, AnEndlessSequenceIsSkippedAndNotKept) {
  TerminalModes modes;
  const std::string endless = "\x1B[" + std::string(100'000, '1');
  EXPECT_EQ(scan_modes(modes, endless), endless.size());
  EXPECT_EQ(scan_modes(modes, "2;m\x1B[4h"), 7u);
  EXPECT_TRUE(modes.has(Mode::insert));
  EXPECT_EQ(modes.now.pen, Pen{});
}

const std::vector<std::string>& pieces() {
  static const std::vector<std::string> all{"text ",
                                            "\xC2\xB0",
                                            "\xE4\xB8\x96",
                                            "\x0E",
                                            "\x0F",
                                            "\n",
                                            "\x1B[?1049h",
                                            "\x1B[?1049l",
                                            "\x1B[?25l",
                                            "\x1B[?2004h",
                                            "\x1B[1;38;5;77m",
                                            "\x1B[4:3m",
                                            "\x1B[m",
                                            "\x1B[0m",
                                            "\x1B[0;33m",
                                            "\x1B[31m",
                                            "\x1B[00;4m",
                                            "\x1B[>4;2m",
                                            "\x1B[1 m",
                                            "\x1B(0",
                                            "\x1B(B",
                                            "\x1B"
                                            "7",
                                            "\x1B"
                                            "8",
                                            "\x1B]0;a[4h\x07",
                                            "\x1BPx\x0E[4h\x1B\\",
                                            "\xC2\x9D"
                                            "8;;u\xC2\x9C",
                                            "\x1B[5;20r",
                                            "\x1B[?6h",
                                            "\x1B[!p",
                                            "\x1B[>7u",
                                            "\x1B[<u",
                                            "\x1B=",
                                            "\x1B[\x0F"
                                            "4h",
                                            "\x1B[31\x18",
                                            "\x1B]0;cut\x1B[4l",
                                            "\xC2",
                                            "\x1B",
                                            "\xC2\x9B"
                                            "4h",
                                            "\x1BX\x1B\x1B\\",
                                            "\x9C"};
  return all;
}

std::string stream(unsigned seed, std::size_t count) {
  std::mt19937 random(seed);
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += pieces()[random() % pieces().size()];
  return bytes;
}

TEST(Modes, AScanInChunksFindsWhatOneScanFinds) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const std::string bytes = stream(seed, 60);
    TerminalModes whole;
    const std::size_t done = scan_modes(whole, bytes);
    std::mt19937 random(seed);
    TerminalModes parts;
    std::size_t at = 0;
    for (std::size_t end = 0; end < bytes.size();) {
      end = std::min(bytes.size(), end + 1 + random() % 9);
      at += scan_modes(parts, std::string_view(bytes).substr(at, end - at));
    }
    EXPECT_EQ(at, done) << "seed " << seed;
    EXPECT_EQ(parts, whole) << "seed " << seed;
  }
}

TEST(Modes, ThePreambleBringsAResetTerminalThere) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    TerminalModes modes;
    scan_modes(modes, stream(seed, 60));
    TerminalModes again = scanned(mode_preamble(modes));
    // What is saved on the alternate screen, and behind the main one, has no place to be said.
    for (TerminalModes* each : {&modes, &again}) {
      each->saved = {};
      each->put(Mode::main_saved, false);
      each->put(Mode::alternate_saved, false);
      each->inside = TerminalModes::ground;
    }
    EXPECT_EQ(again, modes) << "seed " << seed << testing::PrintToString(mode_preamble(modes))
                            << testing::PrintToString(mode_preamble(again));
  }
}

TEST(Modes, ASoftResetTextEndsEverythingThatWasSet) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    TerminalModes modes;
    const std::string bytes = stream(seed, 60) + soft_reset();
    EXPECT_EQ(scan_modes(modes, bytes), bytes.size());
    EXPECT_EQ(modes, TerminalModes{}) << "seed " << seed;
  }
}

TEST(Modes, AnyBytesAreScanned) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(500, '\0');
    for (char& c : bytes) {
      const auto any = static_cast<char>(random());
      c = random() % 3 == 0 ? "\x1B[]?;\xC2\x9B"[random() % 7] : any;
    }
    TerminalModes modes;
    EXPECT_LE(scan_modes(modes, bytes), bytes.size());
    (void)mode_preamble(modes);
  }
}

}  // namespace
}  // namespace term
