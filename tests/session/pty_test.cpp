#include "session/pty.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

namespace term {
namespace {

using namespace std::chrono_literals;

constexpr auto kDeadline = 20s;

/// Milliseconds until `deadline`, as poll() wants them.
int left_ms(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now());
  return left > 0ms ? static_cast<int>(left.count()) : 0;
}

/// A program on a pty, and what it printed so far. Killed and reaped when the test ends.
class OnPty {
 public:
  explicit OnPty(PtyCommand command, WindowSize size = {}) {
    auto pty = source_.spawn(command, size);
    if (pty) {
      pty_ = std::move(*pty);
    } else {
      ADD_FAILURE() << pty.error().detail;
    }
  }
  explicit OnPty(const std::string& script, WindowSize size = {})
      : OnPty(PtyCommand{.argv = {"/bin/sh", "-c", script},
                         .env = {"PATH=/usr/bin:/bin", "LC_ALL=C"},
                         .directory = "/"},
              size) {}
  ~OnPty() {
    if (!pty_.pidfd || exit_) return;
    source_.signal(pty_, SIGKILL);
    if (!wait_exit()) ADD_FAILURE() << "pid " << pty_.pid << " does not die";
  }

  Pty& pty() { return pty_; }
  LocalPtySource& source() { return source_; }
  const std::string& seen() const { return seen_; }

  /// Reads until `done`; false when the child's end or the deadline comes first.
  bool read_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!done()) {
      pollfd readable{.fd = pty_.fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, left_ms(deadline)) <= 0) return false;
      std::array<char, 4096> chunk;
      const ssize_t n = ::read(pty_.fd.get(), chunk.data(), chunk.size());
      if (n <= 0) return done();  // EIO: the last tty was closed.
      seen_.append(chunk.data(), static_cast<std::size_t>(n));
    }
    return true;
  }
  bool sees(const std::string& text) {
    return read_until([&] { return seen_.find(text) != std::string::npos; });
  }
  void read_to_the_end() {
    read_until([] { return false; });
  }

  void type(std::string_view keys) {
    ASSERT_EQ(::write(pty_.fd.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  std::optional<ExitStatus> wait_exit() {
    pollfd ended{.fd = pty_.pidfd.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, left_ms(std::chrono::steady_clock::now() + kDeadline)) != 1) return {};
    exit_ = source_.exit_status(pty_);
    return exit_;
  }

 private:
  LocalPtySource source_{monotonic_wall_clock()};
  Pty pty_;
  std::string seen_;
  std::optional<ExitStatus> exit_;
};

const PtyCommand kCat{.argv = {"/bin/cat"}, .env = {}, .directory = "/"};

/// Once it says so it is past its loader, which opens files of its own.
const std::string kWaits = "echo ready; read x";

std::set<std::string> descriptors_of(pid_t pid) {
  std::set<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    names.insert(entry.path().filename());
  }
  return names;
}

/// The value of a line of /proc/<pid>/status.
std::string status_of(pid_t pid, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
  }
  return "no " + key;
}

TEST(Pty, TheChildHasATerminalOnItsThreeDescriptorsAndLeadsItsSession) {
  OnPty shell("test -t 0 && test -t 1 && test -t 2 && echo all three; read x");
  ASSERT_TRUE(shell.sees("all three")) << shell.seen();
  const pid_t pid = shell.pty().pid;
  EXPECT_EQ(::getsid(pid), pid);
  EXPECT_EQ(::getpgid(pid), pid);
  EXPECT_EQ(::tcgetpgrp(shell.pty().fd.get()), pid) << "the tty is its controlling terminal";
}

TEST(Pty, CtrlCInterruptsTheChild) {
  OnPty shell("trap 'echo interrupted; exit 4' INT; echo ready; while :; do read x; done");
  ASSERT_TRUE(shell.sees("ready")) << shell.seen();
  shell.type("\x03");
  EXPECT_TRUE(shell.sees("interrupted")) << shell.seen();
  EXPECT_EQ(shell.wait_exit()->code, 4);
}

TEST(Pty, TheChildSeesItsSizeFromTheStartAndEveryResize) {
  OnPty shell("stty size; trap 'stty size' WINCH; echo ready; while :; do read x; done",
              {.rows = 50, .cols = 132});
  ASSERT_TRUE(shell.sees("50 132") && shell.sees("ready")) << shell.seen();
  ASSERT_TRUE(set_window_size(shell.pty(), {.rows = 24, .cols = 81}));
  shell.type("\n");
  EXPECT_TRUE(shell.sees("24 81")) << shell.seen();
}

TEST(Pty, TheTtyErasesWholeCharacters) {
  OnPty shell("stty -a; echo done");
  ASSERT_TRUE(shell.sees("done"));
  EXPECT_NE(shell.seen().find(" iutf8"), std::string::npos) << shell.seen();
}

TEST(Pty, TheChildGetsExactlyTheEnvironmentAndTheDirectory) {
  OnPty env({.argv = {"/usr/bin/env"}, .env = {"A=1", "B=two words"}, .directory = "/"});
  env.read_to_the_end();
  EXPECT_EQ(env.seen(), "A=1\r\nB=two words\r\n");
  OnPty pwd({.argv = {"/bin/pwd"}, .env = {}, .directory = "/usr"});
  pwd.read_to_the_end();
  EXPECT_EQ(pwd.seen(), "/usr\r\n");
}

TEST(Pty, ItsExitCodeIsKnownOnce) {
  OnPty shell("exit 7");
  const auto status = shell.wait_exit();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 7);
  EXPECT_EQ(status->signal, "");
  EXPECT_GT(status->at, WallTime{});
  const auto again = shell.source().exit_status(shell.pty());
  ASSERT_TRUE(again) << "an owner that asks again must not wait for ever";
  EXPECT_FALSE(again->code);
}

TEST(Pty, ADeathBySignalIsNamed) {
  OnPty shell("kill -KILL $$");
  const auto status = shell.wait_exit();
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->code);
  EXPECT_EQ(status->signal, "SIGKILL");
}

TEST(Pty, AChildThatRunsHasNoStatus) {
  OnPty cat(kCat);
  EXPECT_FALSE(cat.source().exit_status(cat.pty()));
}

TEST(Pty, TheChildIsReapedByAskingForItsStatus) {
  OnPty shell("exit 0");
  ASSERT_TRUE(shell.wait_exit());
  EXPECT_EQ(::kill(shell.pty().pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(Pty, ClosingThePtyHangsTheChildUp) {
  OnPty cat(kCat);
  cat.pty().fd.reset();
  EXPECT_EQ(cat.wait_exit()->signal, "SIGHUP");
}

TEST(Pty, OurDescriptorsAreCloseOnExecAndReadingDoesNotBlock) {
  OnPty cat(kCat);
  EXPECT_TRUE(::fcntl(cat.pty().fd.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(cat.pty().pidfd.get(), F_GETFD) & FD_CLOEXEC);
  char byte;
  EXPECT_EQ(::read(cat.pty().fd.get(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(Pty, TheChildHasDescriptors012Only) {
  const UniqueFd low(::open("/dev/null", O_RDONLY));  // Neither is close-on-exec.
  const UniqueFd high(::fcntl(low.get(), F_DUPFD, 500));
  ASSERT_TRUE(low && high);
  OnPty shell(kWaits);
  ASSERT_TRUE(shell.sees("ready"));
  EXPECT_EQ(descriptors_of(shell.pty().pid), (std::set<std::string>{"0", "1", "2"}));
}

TEST(Pty, ShellsStartedByManyThreadsHoldOnlyTheirOwnTerminal) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 5; ++round) {
        OnPty shell(kWaits);
        EXPECT_TRUE(shell.sees("ready"));
        EXPECT_EQ(descriptors_of(shell.pty().pid), (std::set<std::string>{"0", "1", "2"}));
        shell.type("\n");
        EXPECT_EQ(shell.wait_exit()->code, 0);
      }
    });
  }
}

/// Blocks and ignores signals for as long as it lives.
class HostileSignals {
 public:
  HostileSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &mask_);
    for (std::size_t i = 0; i < kIgnored.size(); ++i) before_[i] = ::signal(kIgnored[i], SIG_IGN);
  }
  HostileSignals(const HostileSignals&) = delete;
  HostileSignals& operator=(const HostileSignals&) = delete;
  ~HostileSignals() {
    for (std::size_t i = 0; i < kIgnored.size(); ++i) ::signal(kIgnored[i], before_[i]);
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }

 private:
  static constexpr std::array kIgnored{SIGINT, SIGHUP, SIGPIPE, SIGTERM, SIGQUIT, SIGTSTP, SIGUSR1};
  std::array<sighandler_t, kIgnored.size()> before_{};
  sigset_t mask_{};
};

TEST(Pty, TheChildHasNoSignalBlockedOrIgnoredWhateverItsParentDoes) {
  const HostileSignals hostile;
  OnPty cat(kCat);
  EXPECT_EQ(status_of(cat.pty().pid, "SigBlk"), "0000000000000000");
  EXPECT_EQ(status_of(cat.pty().pid, "SigIgn"), "0000000000000000");
}

Error error_of(const PtyCommand& command) {
  LocalPtySource source(monotonic_wall_clock());
  auto pty = source.spawn(command, {});
  if (!pty) return pty.error();
  ADD_FAILURE() << command.argv[0] << " was started";
  source.signal(*pty, SIGKILL);
  ::close(pty->fd.release());
  return {};
}

TEST(Pty, AProgramThatCannotBeRunIsNoShellAndNamed) {
  for (const std::string program : {"/nowhere/bash", "/etc/passwd", "/usr"}) {
    const Error error = error_of({.argv = {program}, .env = {}, .directory = "/"});
    EXPECT_EQ(error.code, Errc::no_shell) << program;
    EXPECT_NE(error.detail.find(program), std::string::npos) << error.detail;
  }
  EXPECT_EQ(error_of({.argv = {}, .env = {}, .directory = "/"}).code, Errc::no_shell);
}

TEST(Pty, AMissingDirectoryIsAnErrorThatNamesIt) {
  for (const std::string directory : {"/nowhere/at/all", "/etc/passwd"}) {
    const Error error = error_of({.argv = {"/bin/sh"}, .env = {}, .directory = directory});
    EXPECT_EQ(error.code, Errc::os_error);
    EXPECT_NE(error.detail.find(directory), std::string::npos) << error.detail;
  }
}

TEST(Pty, AFailedStartLeavesNothingBehind) {
  const auto before = descriptors_of(::getpid());
  error_of({.argv = {"/nowhere/bash"}, .env = {}, .directory = "/"});
  EXPECT_EQ(descriptors_of(::getpid()), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child, no zombie";
}

std::string all_bytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

TEST(Pty, AllByteValuesComeOutOfARawTty) {
  std::string escapes;
  for (int byte = 0; byte < 256; ++byte) {
    escapes += '\\';
    for (const int shift : {6, 3, 0}) escapes += static_cast<char>('0' + ((byte >> shift) & 7));
  }
  OnPty shell("stty raw; printf '" + escapes + "'");
  shell.read_to_the_end();
  EXPECT_EQ(shell.seen(), all_bytes());
}

TEST(Pty, AllByteValuesGoIntoARawTty) {
  OnPty shell(
      "stty raw -echo; echo ready; head -c 256 | od -An -v -tu1 | tr -s ' \\n' ' '; echo .");
  ASSERT_TRUE(shell.sees("ready\n")) << shell.seen();
  shell.type(all_bytes());
  ASSERT_TRUE(shell.sees(" .")) << shell.seen();
  std::string expected;
  for (int byte = 0; byte < 256; ++byte) expected += " " + std::to_string(byte);
  EXPECT_NE(shell.seen().find(expected), std::string::npos) << shell.seen();
}

TEST(Pty, ATtyEchoesUntilItIsToldNotTo) {
  OnPty shell("echo ready; read x; stty -echo; echo quiet; read x");
  ASSERT_TRUE(shell.sees("ready"));
  EXPECT_TRUE(echoes(shell.pty()));
  shell.type("\n");
  ASSERT_TRUE(shell.sees("quiet"));
  EXPECT_FALSE(echoes(shell.pty())) << "a password prompt";
  EXPECT_TRUE(echoes(Pty{})) << "when it cannot be told";
}

TEST(Pty, AShellsLineEditorEchoesThoughTheTtyDoesNotAndAProgramsOwnPromptDoesNot) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "needs a shell with a line editor";
  OnPty shell({.argv = {"/bin/bash", "--norc", "--noprofile", "-i"},
               .env = {"PATH=/usr/bin:/bin", "PS1=prompt-", "TERM=xterm-256color"},
               .directory = "/"});
  const auto tty_echo = [&] {
    termios mode{};
    ::tcgetattr(shell.pty().fd.get(), &mode);
    return (mode.c_lflag & ECHO) != 0;
  };
  ASSERT_TRUE(shell.sees("prompt-")) << shell.seen();
  EXPECT_FALSE(tty_echo());
  EXPECT_TRUE(echoes(shell.pty()));
  shell.type("sh -c 'stty -echo -icanon; printf %s%s pass word; read x'\r");
  ASSERT_TRUE(shell.sees("password")) << shell.seen();
  EXPECT_FALSE(echoes(shell.pty())) << "a password prompt that shows stars";
}

TEST(Pty, TheWorkingDirectoryIsTheChildsOwn) {
  std::string root = testing::TempDir() + "pty_test_XXXXXX";
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  root = std::filesystem::canonical(root);
  OnPty shell("echo ready; read x; cd " + root + "; echo moved; read x");
  ASSERT_TRUE(shell.sees("ready"));
  EXPECT_EQ(working_directory(shell.pty().pid), "/");
  shell.type("\n");
  ASSERT_TRUE(shell.sees("moved"));
  EXPECT_EQ(working_directory(shell.pty().pid), root);
  std::filesystem::remove(root);
  EXPECT_EQ(working_directory(shell.pty().pid), "") << "gone";
  EXPECT_EQ(working_directory(0), "");
}

TEST(Pty, ASignalReachesTheShellAndWhatRunsInItsForeground) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "needs job control in a script";
  OnPty shell({.argv = {"/bin/bash", "-c",
                        "set -m; trap 'echo shell-got-it' USR1; "
                        "sh -c \"trap 'echo job-got-it; exit' USR1; echo ready; "
                        "while :; do sleep 0.02; done\"; wait; echo over"},
               .env = {"PATH=/usr/bin:/bin"},
               .directory = "/"});
  ASSERT_TRUE(shell.sees("ready")) << shell.seen();
  ASSERT_NE(::tcgetpgrp(shell.pty().fd.get()), shell.pty().pid) << "the job has its own group";
  shell.source().signal(shell.pty(), SIGUSR1);
  EXPECT_TRUE(shell.sees("job-got-it")) << shell.seen();
  EXPECT_TRUE(shell.sees("shell-got-it")) << shell.seen();
}

TEST(Pty, ASignalToASessionThatIsOverOrToNoneReachesNobody) {
  OnPty shell("exit 0");
  ASSERT_TRUE(shell.wait_exit());
  shell.source().signal(shell.pty(), SIGKILL);
  shell.source().signal(Pty{}, SIGKILL);
}

TEST(Pty, SignalsAreNamed) {
  EXPECT_EQ(signal_name(SIGKILL), "SIGKILL");
  EXPECT_EQ(signal_name(SIGHUP), "SIGHUP");
  EXPECT_EQ(signal_name(SIGRTMIN + 1), "SIGRTMIN+1");
  EXPECT_EQ(signal_name(999), "signal 999");
}

}  // namespace
}  // namespace term
