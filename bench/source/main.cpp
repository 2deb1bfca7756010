// What runs in the sessions of a measurement. Prints the start marker when it is ready; `bytes`,
// `flood` and `tick` then wait for a line, so that many sessions begin at once.

#include <poll.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "content.h"

namespace {

using namespace term::bench;

constexpr std::size_t kWriteBytes = 64 * 1024;
constexpr std::string_view kUsage =
    "usage: bench-source bytes [--mib=N] [--content=plain|colour|binary|long-lines|cjk] "
    "[--seed=S]\n"
    "                          [--pty=raw|cooked]\n"
    "       bench-source flood [--content=] [--seed=] [--pty=]\n"
    "       bench-source echo | tty-echo | idle\n"
    "       bench-source hash --bytes=N      reads N bytes, prints how many came and their digest\n"
    "       bench-source tick --ms=N         a numbered line with the time, every N ms\n";

using Options = std::map<std::string, std::string>;

std::string value(const Options& options, const std::string& name, const char* otherwise) {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : found->second;
}

/// A program without a terminal (a pipe) goes on all the same.
void set_tty(bool raw, bool echo) {
  termios tty{};
  if (::tcgetattr(STDIN_FILENO, &tty) != 0) return;
  if (raw) {
    ::cfmakeraw(&tty);
  } else {
    tty.c_oflag |= OPOST | ONLCR;
    tty.c_lflag |= ICANON | ISIG;
  }
  if (echo) {
    tty.c_lflag |= ECHO;
  } else {
    tty.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  }
  ::tcsetattr(STDIN_FILENO, TCSANOW, &tty);
}

/// The end of the terminal is the end of the program.
void print(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) std::exit(0);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string_view read_some() {
  static std::array<char, kWriteBytes> in;
  const ssize_t n = ::read(STDIN_FILENO, in.data(), in.size());
  if (n <= 0) std::exit(0);
  return {in.data(), static_cast<std::size_t>(n)};
}

void wait_for_line() {
  while (read_some().find('\n') == std::string_view::npos) {
  }
}

[[noreturn]] void wait_for_end() {
  for (;;) read_some();
}

int bytes(const Options& options, bool endless) {
  const auto content = content_named(value(options, "content", "plain"));
  const std::string pty = value(options, "pty", "raw");
  if (!content || (pty != "raw" && pty != "cooked")) return 2;
  const Pattern pattern(*content, std::stoull(value(options, "seed", "1")), false);
  const std::uint64_t total =
      endless ? UINT64_MAX
              : pattern.periods(std::stod(value(options, "mib", "1"))) * pattern.period();
  set_tty(pty == "raw", false);
  print(kStart);
  wait_for_line();
  for (std::uint64_t at = 0; at < total;) {
    const std::string_view piece =
        pattern.at(at, static_cast<std::size_t>(std::min<std::uint64_t>(kWriteBytes, total - at)));
    print(piece);
    at += piece.size();
  }
  print(kEnd);
  wait_for_end();
}

int echo() {
  set_tty(true, false);
  print(kStart);
  for (;;) print(read_some());
}

int silent(bool tty_echo) {
  set_tty(true, tty_echo);
  print(kStart);
  wait_for_end();
}

/// FNV-1a, byte by byte: the tty is slower.
int hash(const Options& options) {
  const std::uint64_t expected = std::stoull(value(options, "bytes", "0"));
  set_tty(true, false);
  print(kStart);
  std::uint64_t count = 0;
  std::uint64_t digest = 0xcbf29ce484222325;
  pollfd in{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  // What is lost never comes: some seconds of silence in the middle are the end.
  while (count < expected && ::poll(&in, 1, count == 0 ? -1 : 5000) > 0) {
    for (const char c : read_some()) {
      digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
      ++count;
    }
  }
  print("<<bench:hash " + std::to_string(count) + " " + std::to_string(digest) + ">>");
  wait_for_end();
}

int tick(const Options& options) {
  const auto every = std::stoul(value(options, "ms", "100")) * 1'000'000;
  set_tty(true, false);
  print(kStart);
  wait_for_line();
  timespec next{};
  ::clock_gettime(CLOCK_MONOTONIC, &next);
  // A thousand programs that were told to begin at once shall not print at once.
  next.tv_nsec += static_cast<long>(static_cast<unsigned long>(::getpid()) * 7'919'000UL % every);
  for (std::uint64_t number = 0;; ++number) {
    next.tv_nsec += static_cast<long>(every);
    next.tv_sec += next.tv_nsec / 1'000'000'000;
    next.tv_nsec %= 1'000'000'000;
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr) == EINTR) {
    }
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    std::array<char, 64> line{};
    const int n = std::snprintf(line.data(), line.size(), "%010llu %018llu\n",
                                static_cast<unsigned long long>(number),
                                static_cast<unsigned long long>(now.tv_sec) * 1'000'000'000 +
                                    static_cast<unsigned long long>(now.tv_nsec));
    print({line.data(), static_cast<std::size_t>(n)});
  }
}

int run(const std::string& work, const Options& options) {
  if (work == "bytes") return bytes(options, false);
  if (work == "flood") return bytes(options, true);
  if (work == "echo") return echo();
  if (work == "tty-echo") return silent(true);
  if (work == "idle") return silent(false);
  if (work == "hash") return hash(options);
  if (work == "tick") return tick(options);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 2; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto equals = arg.find('=');
    if (!arg.starts_with("--") || equals == std::string_view::npos) argc = 0;
    options[std::string(arg.substr(std::min<std::size_t>(2, arg.size()), equals - 2))] =
        arg.substr(equals + 1);
  }
  const int status = argc < 2 ? 2 : run(argv[1], options);
  if (status == 2) std::fputs(kUsage.data(), stderr);
  return status;
}
