#include "session/escape.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace term {
namespace {

using Kind = EscapeSequence::Kind;
using Ending = EscapeSequence::Ending;

struct Case {
  std::string sequence;  ///< Stands at the begin of a text and is followed by `then`.
  Kind kind;
  Ending ending = Ending::complete;
  std::string then = "text";
  std::string body = {};  ///< Compared where given.
};

const std::vector<Case> kComplete{
    Case{"\x1B[31m", Kind::csi, Ending::complete, "x", "31m"},
    Case{"\x1B[m", Kind::csi},
    Case{"\x1B[?1;2$p", Kind::csi},
    Case{"\x1B[3\n1m", Kind::csi, Ending::complete, "x", "3\n1m"},
    Case{"\x1B[3\x7F"
         "1m",
         Kind::csi},
    Case{"\xC2\x9B"
         "31m",
         Kind::csi, Ending::complete, "x", "31m"},
    Case{"\x1B"
         "7",
         Kind::escape, Ending::complete, "x", "7"},
    Case{"\x1B(B", Kind::escape},
    Case{"\x1B# [", Kind::escape},
    Case{"\x1B\r7", Kind::escape},
    Case{"\x1B\\", Kind::escape},
    Case{"\x1B]0;t\x07", Kind::osc, Ending::complete, "x", "0;t"},
    Case{"\x1B]0;t\x1B\\", Kind::osc, Ending::complete, "x", "0;t"},
    Case{"\x1B]0;\xC3\xA9\xC2\x9C", Kind::osc, Ending::complete, "x", "0;\xC3\xA9"},
    Case{"\xC2\x9D"
         "0;t\x07",
         Kind::osc},
    Case{"\x1BPq#0~\n~\x07~\x1B\\", Kind::dcs, Ending::complete, "x", "q#0~\n~\x07~"},
    Case{"\xC2\x90q\xC2\x9C", Kind::dcs},
    Case{"\x1B_G\x07;\x1B\\", Kind::string},
    Case{"\x1B^m\x1B\\", Kind::string},
    Case{"\x1BXs\x1B\\", Kind::string},
    Case{"\xC2\x9A", Kind::control}};

const std::vector<Case> kAborted{Case{"\x1B[3\x18", Kind::csi, Ending::aborted},
                                 Case{"\x1B[3\x1A", Kind::csi, Ending::aborted},
                                 Case{"\x1B[3", Kind::csi, Ending::aborted, "\x1B[m"},
                                 Case{"\x1B[3", Kind::csi, Ending::aborted, "\xC3\xA9m"},
                                 Case{"\x1B", Kind::escape, Ending::aborted, "\x1B[m"},
                                 Case{"\x1B\x18", Kind::escape, Ending::aborted},
                                 Case{"\x1B]0;t\x18", Kind::osc, Ending::aborted},
                                 Case{"\x1BPq\x1A", Kind::dcs, Ending::aborted},
                                 Case{"\x1BPq", Kind::dcs, Ending::aborted, "\xC2\x9Bm"},
                                 Case{"\x1B_x\x18", Kind::string, Ending::aborted}};

void expect_read(const Case& c) {
  SCOPED_TRACE(testing::PrintToString(c.sequence + c.then));
  const std::string text = "ab" + c.sequence + c.then;
  ASSERT_EQ(find_escape(text, 0), 2u);
  const EscapeSequence read = read_escape(text, 2);
  EXPECT_EQ(read.begin, 2u);
  EXPECT_EQ(read.end, 2 + c.sequence.size());
  EXPECT_EQ(read.kind, c.kind);
  EXPECT_EQ(read.ending, c.ending);
  if (!c.body.empty()) {
    EXPECT_EQ(text.substr(read.body, read.body_end - read.body), c.body);
  }
}

TEST(Escape, EndsWhereItEnds) {
  for (const Case& c : kComplete) expect_read(c);
}

TEST(Escape, IsAbortedByWhatTheTerminalTakesForAnAbort) {
  for (const Case& c : kAborted) expect_read(c);
}

TEST(Escape, IsCutWhereverTheTextEndsEarlier) {
  for (const Case& c : kComplete) {
    for (std::size_t n = 1; n < c.sequence.size(); ++n) {
      const std::string text = c.sequence.substr(0, n);
      if (find_escape(text, 0) == text.size()) continue;  // Half a C1 control is text so far.
      EXPECT_EQ(read_escape(text, 0).ending, Ending::cut) << testing::PrintToString(text);
      EXPECT_EQ(read_escape(text, 0).end, n) << testing::PrintToString(text);
    }
  }
}

TEST(Escape, AStringIsCarriedOutAtAnyEscAsInXtermJs) {
  const EscapeSequence osc = read_escape("\x1B]0;t\x1B[m", 0);
  EXPECT_EQ(osc.ending, Ending::complete);
  EXPECT_EQ(osc.end, 5u);
}

TEST(Escape, SingleBytesFrom0x80OnAreText) {
  for (int byte = 0x80; byte < 0x100; ++byte) {
    const std::string text{'a', static_cast<char>(byte), 'b'};
    EXPECT_EQ(find_escape(text, 0), text.size()) << byte;
  }
  EXPECT_EQ(find_escape("\xC2\xA0\xC2\xA9\xC2", 0), 5u) << "neither are other two-byte characters";
  const EscapeSequence osc = read_escape("\x1B]0;\x9C\x9B\x07", 0);
  EXPECT_EQ(osc.end, 7u);
}

}  // namespace
}  // namespace term
