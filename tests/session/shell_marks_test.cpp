#include "session/shell_marks.h"

#include <gtest/gtest.h>

#include <string>

namespace term {
namespace {

TEST(ShellMarks, TheExitCodeOfTheNewestMarkIsFound) {
  EXPECT_EQ(newest_exit_mark("x\x1b]133;D;2\x07\x1b]133;A\x07$ "), 2);
  EXPECT_EQ(newest_exit_mark("\x1b]133;D;2\x07\x1b]133;D;130\x1b\\"), 130);
  EXPECT_EQ(newest_exit_mark("\x1b]133;D\x07"), 0);
  EXPECT_EQ(newest_exit_mark("\x1b]133;D;1;aid=7\x07"), 1);
  EXPECT_EQ(newest_exit_mark("\x1b]133;D;1\x07\x1b]133;D;"), 1) << "the newest whole one";
}

TEST(ShellMarks, WhatIsNoneIsNone) {
  EXPECT_EQ(newest_exit_mark(""), std::nullopt);
  EXPECT_EQ(newest_exit_mark("\x1b]133;A\x07\x1b]133;B\x07"), std::nullopt);
  EXPECT_EQ(newest_exit_mark("\x1b]133;Dx\x07"), std::nullopt);
  EXPECT_EQ(newest_exit_mark("]133;D;1\x07"), std::nullopt);
  EXPECT_EQ(newest_exit_mark("\x1b]133;D;1\x1b[0m"), std::nullopt);
}

TEST(ShellMarks, NoPrefixOfAMarkIsTakenForOne) {
  const std::string mark = "\x1b]133;D;12\x1b\\";
  for (std::size_t n = 0; n < mark.size(); ++n)
    EXPECT_EQ(newest_exit_mark(mark.substr(0, n)), std::nullopt) << n;
  EXPECT_EQ(newest_exit_mark(mark), 12);
}

TEST(ShellMarks, NumbersThatAreNoExitCodesDoNoHarm) {
  EXPECT_EQ(newest_exit_mark("\x1b]133;D;99999\x07"), 255);
  EXPECT_EQ(newest_exit_mark("\x1b]133;D;999999999999999999999\x07"), 0);
  EXPECT_EQ(newest_exit_mark("\x1b]133;D;err=1\x07"), 0);
}

}  // namespace
}  // namespace term
