// Painted screens against screens that were there from the begin; real programs are in
// painter_programs_test.cpp.
#include "session/painter.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "support/screen.h"

namespace term {
namespace {

using test::Screen;

constexpr WindowSize kSize{.rows = 8, .cols = 24};

/// Output of no program in particular: text, moves, edits, attributes, modes, both screens.
class Output {
 public:
  explicit Output(unsigned seed) : random_(seed) {}

  std::string piece() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        return text();
      case 3:
        // CUF: libvterm keeps a pending wrap over what follows, xterm does not.
        return below(2) == 0 ? pick({"\r\n", "\n", "\b", "\t", "\r"})
                             : "\x1B[C\x1B" + pick({"D", "E", "M"});
      case 4:
      case 5:
        return csi(pick({"C", "D", "G", "d"}), 1, 12);
      case 6:
        return "\x1B[" + number(1, 9) + ";" + number(1, 26) + "H";
      case 7:
        // CR: after L and M xterm has it there, libvterm not.
        return "\x1B[C" + csi(pick({"@", "P", "X", "L", "M", "S", "T"}), 1, 4) + "\r";
      case 8:
        return "\x1B[C" + csi(pick({"J", "K"}), 0, 2);
      case 9:
        return mode();
      default:
        return sgr();
    }
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  std::string number(unsigned from, unsigned to) {
    return std::to_string(from + below(to - from + 1));
  }
  std::string pick(const std::vector<std::string>& all) {
    return all[below(static_cast<unsigned>(all.size()))];
  }
  std::string csi(const std::string& final, unsigned from, unsigned to) {
    return "\x1B[" + number(from, to) + final;
  }
  std::string text() {
    return pick({"some words ", "x", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh", "   ",
                 "\re\xCC\x81\xC3\xA9", "\xE4\xB8\x96\xE7\x95\x8C", "\xE2\x94\x80\xE2\x94\x82",
                 "\xE4\xB8\xAD\xE6\x96\x87\xE5\xAD\x97\xE7\xAC\xA6\xE5\xAE\xBD",
                 "\x1B[4l\ry\x1B[7b", "\x1B(0lqqk\x1B(B", "\x1B)0\x0Eqx\x0F",
                 "1234567890123456789012"});
  }
  std::string sgr() {
    return "\x1B[" +
           pick({"",
                 "0",
                 "1",
                 "3",
                 "4",
                 "4:3",
                 "7",
                 "9",
                 "22;24",
                 "27",
                 "31",
                 "1;33;44",
                 "97;101",
                 "38;5;123",
                 "48;5;9",
                 "38;2;1;2;3",
                 "48;2;200;100;0",
                 "39",
                 "49",
                 "0;42"}) +
           "m";
  }
  std::string mode() {
    switch (below(16)) {
      case 0:
      case 1:
        // Without a saved cursor libvterm would restore one that is not visible; DECOM it keeps.
        alternate_ = !alternate_;
        return alternate_ ? "\x1B[?6l\x1B[?1049h" : "\x1B[?6l\x1B[?1049l";
      case 2:
        return "\x1B[" + number(1, 3) + ";" + number(5, 8) + "r";
      case 3:
        return "\x1B[r";
      case 4:
        return "\x1B[?6" + pick({"h", "l"});
      case 5:
        return "\x1B[?7" + pick({"h", "h", "l"});
      case 6:
        return "\x1B[4" + pick({"h", "l", "l"});
      case 7:
        return "\x1B]2;" + pick({"one", "two", "\xC3\xA9"}) + "\x07";
      case 8:
        return "\x1B"
               "D";
      case 9:
        return "\x1B[" + number(0, 6) + " q";
      default:
        return "\x1B[?" + pick({"1", "5", "1000", "1002", "1003", "1006", "2004", "1004"}) +
               pick({"h", "l"});
    }
  }

  std::mt19937 random_;
  bool alternate_ = false;
};

std::string output(unsigned seed, std::size_t pieces) {
  Output from(seed);
  std::string bytes;
  for (std::size_t i = 0; i < pieces; ++i) bytes += from.piece();
  return bytes;
}

/// Both screens of both terminals.
std::string difference_of_all(Screen& is, Screen& should) {
  std::string words = difference(is, should);
  if (!words.empty()) return words;
  is.show_main();
  should.show_main();
  words = difference(is, should);
  return words.empty() ? words : "main screen: " + words;
}

/// A viewer with a terminal in any state gets a painting of `before` and then `after`.
void expect_painted(const std::string& dirt, const std::string& before, const std::string& after,
                    const std::string& name, WindowSize size = kSize) {
  const std::string painting = paint_screen(before, {}, size);
  Screen direct(size);
  Screen painted(size);
  direct.feed(before).feed(after);
  painted.feed(dirt + "\x1B]2;\x07").feed(painting).feed(after);
  EXPECT_EQ(painted.answers(), "") << name;
  const std::string words = difference_of_all(painted, direct);
  EXPECT_EQ(words, "") << name << "\nbefore: " << testing::PrintToString(before)
                       << "\nafter: " << testing::PrintToString(after)
                       << "\npainting: " << testing::PrintToString(painting);
}

TEST(Painter, PaintsAnEmptyScreenOverAnything) {
  expect_painted("dirt \x1B[?1049h\x1B[41mmore\x1B[3;5r\x1B[?6h\x1B(0\x1B[4h\x1B]0;cut", "", "x",
                 "empty");
}

TEST(Painter, PaintsTextColoursAndTheCursor) {
  expect_painted("dirt", "one\r\n\x1B[1;31mtwo\x1B[m \x1B[44m\x1B[K\r\nthree", "!", "colours");
}

TEST(Painter, PaintsBothScreens) {
  expect_painted("dirt", "shell$ vi\r\n\x1B[?1049h\x1B[2J\x1B[3;3H\x1B[7mfile\x1B[m", "x",
                 "inside");
  expect_painted("dirt", "shell$ vi\r\n\x1B[?1049h\x1B[2J\x1B[3;3H\x1B[7mfile\x1B[m",
                 "\x1B[?1049lx", "and after it was left");
}

TEST(Painter, ALineThatIsFullWrapsOnlyWithTheNextCharacter) {
  const std::string full = "123456789012345678901234";
  expect_painted("", full, "", "full");
  expect_painted("", full, "x", "full and on");
  expect_painted("", full, "\rx", "full and back");
  expect_painted("", full + "\r\n" + full.substr(2) + "\xE4\xB8\x96", "x", "wide at the end");
  expect_painted("", "\x1B[3;6r\x1B[?6h\x1B[2;1H\x1B[31m" + full, "x", "within margins");
}

TEST(Painter, AnyOutputAtAnyPlaceGoesOnAsIfTheViewerHadSeenItAll) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    Output from(seed);
    std::string before;
    std::string after;
    for (int i = 0; i < 60; ++i) before += from.piece();
    for (int i = 0; i < 20; ++i) after += from.piece();
    expect_painted(output(seed + 1000, 20), before, after, "seed " + std::to_string(seed));
    if (HasFailure()) return;
  }
}

TEST(Painter, BytesMayEndWithinASequenceOrACharacter) {
  const std::string bytes = output(5, 80) + "\xE4\xB8\x96\x1B[1;31mred\x1B]2;title\x07 end";
  for (std::size_t cut = bytes.size() - 40; cut < bytes.size(); ++cut) {
    expect_painted("\x1B[?1049hdirt", bytes.substr(0, cut), bytes.substr(cut),
                   "cut at " + std::to_string(cut));
  }
}

TEST(Painter, ModesOfTheBeginCount) {
  TerminalModes modes;
  scan_modes(modes, "\x1B[?2004h\x1B[?1049h\x1B[31m\x1B[2;5r\x1B[4h\x1B(0");
  Screen painted(kSize);
  painted.feed(paint_screen("\x1B[2;1Hq\n\n\n\n", modes, kSize));
  EXPECT_TRUE(painted.state().alternate);
  EXPECT_TRUE(painted.modes().has(Mode::bracketed_paste));
  EXPECT_TRUE(painted.modes().has(Mode::insert));
  EXPECT_EQ(painted.cell(1, 0), "erased bg=-") << "it was scrolled out";
  EXPECT_EQ(painted.state().row, 4);
  painted.feed("q");
  EXPECT_EQ(painted.cell(4, 1), "\xE2\x94\x80 fg=1 bg=-") << "line drawing, red";
}

TEST(Painter, KeepsWhatTheReferenceDoesNotKnow) {
  const std::string painting = paint_screen(
      "\x1B[2mfaint\x1B[22;53;58:5:9;4:4mx\x1B[m\x1B[?47h\x1B[?1016h\x1B[>5u", {}, kSize);
  EXPECT_NE(painting.find("\x1B[0;2mfaint"), std::string::npos);
  EXPECT_NE(painting.find("\x1B[0;53;4:4m\x1B[58:5:9mx"), std::string::npos);
  EXPECT_NE(painting.find("\x1B[?1049h"), std::string::npos);
  EXPECT_NE(painting.find("\x1B[?1016h"), std::string::npos);
  EXPECT_NE(painting.find("\x1B[>5u"), std::string::npos);
}

TEST(Painter, LeavesTheScrollbackAlone) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::string painting = paint_screen(output(seed, 100), {}, kSize);
    for (const char* bad : {"\x1B[2J", "\x1B[3J",
                            "\x1B"
                            "c",
                            "\n"}) {
      EXPECT_EQ(painting.find(bad), std::string::npos) << testing::PrintToString(bad);
    }
  }
}

TEST(Painter, ABlankScreenTakesFewBytes) {
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += "\x1B[41mred\x1B[m\r\n";
  EXPECT_LT(paint_screen(bytes + "\x1B[H\x1B[J$ ", {}, {.rows = 50, .cols = 200}).size(), 400u);
}

TEST(Painter, TakesAnyBytes) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(600, '\0');
    for (char& c : bytes) {
      const auto any = static_cast<char>(random());
      c = random() % 2 == 0
              ? "\x1B[]?;:0123456789hlmrHJKLM@PXSTbsuq\xE4\xB8\x96\xCC\x81"[random() % 39]
              : any;
    }
    const WindowSize size{.rows = static_cast<std::uint16_t>(1 + random() % 10),
                          .cols = static_cast<std::uint16_t>(1 + random() % 30)};
    const std::string painting = paint_screen(bytes, {}, size);
    Screen painted(size);
    painted.feed(painting);
    EXPECT_EQ(painted.answers(), "");
  }
}

TEST(Painter, RepeatsAndScrollsTakeNoLongerThanTheirBytes) {
  std::string bytes;
  while (bytes.size() < 100'000) bytes += "x\x1B[9999b\n\x1B[9999L\x1B[9999S\x1B[2J\x1B[9999@";
  EXPECT_FALSE(paint_screen(bytes, {}, {.rows = 1000, .cols = 1000}).empty());
}

}  // namespace
}  // namespace term
