// Painted screens of real programs on a real pty.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "session/painter.h"
#include "session/pty.h"
#include "support/screen.h"

namespace term {
namespace {

using namespace std::chrono_literals;
using test::Screen;

/// A program on a pty, a screen that saw all it printed, and the bytes.
class Program {
 public:
  Program(const std::string& command, WindowSize size) : size_(size), screen_(size) {
    auto pty = source_.spawn({.argv = {"/bin/sh", "-c", "cd / && exec " + command},
                              .env = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent",
                                      "TERM=xterm-256color"},
                              .directory = "/"},
                             size);
    if (pty) {
      pty_ = std::move(*pty);
    } else {
      ADD_FAILURE() << pty.error().detail;
    }
  }
  ~Program() {
    if (!pty_.pidfd) return;
    source_.signal(pty_, SIGKILL);
    pollfd ended{.fd = pty_.pidfd.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ended, 1, 20'000), 1);
    source_.exit_status(pty_);
  }

  bool shows(const std::string& words) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!screen_.shows(words)) {
      const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now());
      pollfd readable{.fd = pty_.fd.get(), .events = POLLIN, .revents = 0};
      if (left <= 0ms || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0) return false;
      std::array<char, 4096> chunk;
      const ssize_t n = ::read(pty_.fd.get(), chunk.data(), chunk.size());
      if (n <= 0) return false;
      screen_.feed({chunk.data(), static_cast<std::size_t>(n)});
      printed_.append(chunk.data(), static_cast<std::size_t>(n));
    }
    return true;
  }
  void type(std::string_view keys) {
    ASSERT_EQ(::write(pty_.fd.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  const std::string& printed() const { return printed_; }
  WindowSize size() const { return size_; }

 private:
  LocalPtySource source_{monotonic_wall_clock()};
  WindowSize size_;
  Pty pty_;
  Screen screen_;
  std::string printed_;
};

/// At many instants of the program: a painting and the rest show what the whole shows.
void expect_painted_all_along(const Program& program) {
  const std::string& all = program.printed();
  constexpr std::size_t kInstants = 40;
  for (std::size_t i = 1; i <= kInstants; ++i) {
    const std::size_t cut = all.size() * i / kInstants;
    Screen then(program.size());
    Screen painted(program.size());
    then.feed(all.substr(0, cut));
    painted.feed("\x1B[?1049h\x1B[42mdirt\x1B[3;7r\x1B[?6h\x1B]2;\x07");
    painted.feed(paint_screen(all.substr(0, cut), {}, program.size()));
    ASSERT_EQ(difference(painted, then), "") << "at byte " << cut << " of " << all.size();
    EXPECT_EQ(painted.answers(), "");

    then.feed(all.substr(cut));
    painted.feed(all.substr(cut));
    ASSERT_EQ(difference(painted, then), "") << "the rest after byte " << cut;
    then.show_main();
    painted.show_main();
    ASSERT_EQ(difference(painted, then), "") << "the main screen after byte " << cut;
  }
}

class PainterOnPrograms : public testing::TestWithParam<WindowSize> {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "painter-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
    std::ofstream text(directory_ + "/text");
    for (int line = 1; line <= 300; ++line) {
      text << "line " << line << (line % 3 == 0 ? " \xE4\xB8\x96\xE7\x95\x8C" : "")
           << (line % 7 == 0 ? std::string(150, '=') : "") << "\tend\n";
    }
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_P(PainterOnPrograms, Vi) {
  Program vi("vim.tiny -u NONE " + directory_ + "/text", GetParam());
  ASSERT_TRUE(vi.shows("line 5"));
  vi.type(":set nocp showmode\r\x06");
  ASSERT_TRUE(vi.shows("line 25"));
  vi.type("ihello \xC3\xA9");
  ASSERT_TRUE(vi.shows("hello \xC3\xA9"));
  vi.type("\x1B:1\rdd2J:300\r");
  ASSERT_TRUE(vi.shows("line 300"));
  // A line inserted at the top scrolls within margins.
  vi.type("1GO\x1B:q!");
  ASSERT_TRUE(vi.shows(":q!"));
  expect_painted_all_along(vi);
}

TEST_P(PainterOnPrograms, Less) {
  Program less("less -S " + directory_ + "/text", GetParam());
  ASSERT_TRUE(less.shows("line 5"));
  less.type("/line 77\r");
  ASSERT_TRUE(less.shows("line 77"));
  less.type("G");
  ASSERT_TRUE(less.shows("(END)"));
  less.type("kkkk");
  ASSERT_TRUE(less.shows("line " + std::to_string(300 - GetParam().rows - 2)));
  less.type("g");
  ASSERT_TRUE(less.shows("line 2"));
  expect_painted_all_along(less);
}

TEST_P(PainterOnPrograms, Htop) {
  Program htop("htop -d 100", GetParam());
  ASSERT_TRUE(htop.shows("F10"));
  htop.type("t");
  ASSERT_TRUE(htop.shows("F10"));
  htop.type("\x1BOP");  // F1
  ASSERT_TRUE(htop.shows("htop 3"));
  expect_painted_all_along(htop);
}

INSTANTIATE_TEST_SUITE_P(Sizes, PainterOnPrograms,
                         testing::Values(WindowSize{.rows = 24, .cols = 80},
                                         WindowSize{.rows = 50, .cols = 132}),
                         [](const auto& info) { return std::to_string(info.param.cols); });

}  // namespace
}  // namespace term
