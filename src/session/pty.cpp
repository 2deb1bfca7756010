#include "session/pty.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace term {

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

Error os_error(const std::string& call, int error) {
  return {Errc::os_error, call + ": " + reason(error)};
}

winsize to_winsize(WindowSize size) {
  return {.ws_row = size.rows, .ws_col = size.cols, .ws_xpixel = 0, .ws_ypixel = 0};
}

/// The NULL-terminated array that exec wants; points into `strings`.
std::vector<char*> c_strings(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Makes backspace remove a whole character in cooked mode. Works on either end on Linux.
int set_utf8_mode(int pty) {
  termios mode{};
  if (::tcgetattr(pty, &mode) != 0) return -1;
  mode.c_iflag |= IUTF8;
  return ::tcsetattr(pty, TCSANOW, &mode);
}

struct OpenPty {
  UniqueFd fd;
  std::string tty;  ///< Path of the other end.
};

Result<OpenPty> open_pty(WindowSize size) {
  OpenPty pty;
  pty.fd.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!pty.fd) {
    return Error{Errc::os_error, "posix_openpt: " + reason(errno) +
                                     "; see kernel.pty.max and the limit of open files"};
  }
  if (::grantpt(pty.fd.get()) != 0) return os_error("grantpt", errno);
  if (::unlockpt(pty.fd.get()) != 0) return os_error("unlockpt", errno);
  std::array<char, 128> path{};
  if (const int e = ::ptsname_r(pty.fd.get(), path.data(), path.size()); e != 0) {
    return os_error("ptsname_r", e);
  }
  pty.tty = path.data();
  const winsize cells = to_winsize(size);
  if (::ioctl(pty.fd.get(), TIOCSWINSZ, &cells) != 0) return os_error("TIOCSWINSZ", errno);
  if (set_utf8_mode(pty.fd.get()) != 0) return os_error("tcsetattr " + pty.tty, errno);
  return pty;
}

/// File actions and attributes of posix_spawn; destroys them.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

/// Adding actions only fails for want of memory; the first failure is reported.
int plan_descriptors(posix_spawn_file_actions_t* actions, const std::string& tty,
                     const std::string& directory) {
  // Opened by a session leader, the tty becomes its controlling terminal (tty_ioctl(4)).
  int e = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, tty.c_str(), O_RDWR, 0);
  if (e == 0) e = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDOUT_FILENO);
  if (e == 0) e = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDERR_FILENO);
  if (e == 0) e = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
  if (e == 0) e = posix_spawn_file_actions_addchdir_np(actions, directory.c_str());
  return e;
}

int plan_signals(posix_spawnattr_t* attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  // Not sigfillset: it leaves out libc's own two signals, which the child would then ignore.
  std::memset(&all, 0xFF, sizeof all);
  int e = posix_spawnattr_setsigmask(attributes, &none);
  if (e == 0) e = posix_spawnattr_setsigdefault(attributes, &all);
  if (e == 0) {
    e = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  return e;
}

/// posix_spawn, not fork: safe with threads, and a failed exec comes back as errno.
int spawn_on_tty(const PtyCommand& command, const std::string& tty, pid_t* pid) {
  SpawnPlan plan;
  if (const int e = plan_descriptors(&plan.actions, tty, command.directory); e != 0) return e;
  if (const int e = plan_signals(&plan.attributes); e != 0) return e;
  auto argv = c_strings(command.argv);
  auto env = c_strings(command.env);
  return ::posix_spawn(pid, argv[0], &plan.actions, &plan.attributes, argv.data(), env.data());
}

/// posix_spawn does not say which of its steps failed; the most likely one is looked for.
Error spawn_error(const PtyCommand& command, int error) {
  struct stat status{};
  if (::stat(command.directory.c_str(), &status) != 0) {
    return os_error("start " + command.argv[0] + " in directory " + command.directory, errno);
  }
  if (!S_ISDIR(status.st_mode)) {
    return os_error("start " + command.argv[0] + " in directory " + command.directory, ENOTDIR);
  }
  if (::access(command.directory.c_str(), X_OK) != 0) {
    return os_error("start " + command.argv[0] + " in directory " + command.directory, errno);
  }
  if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE) {
    return os_error("posix_spawn " + command.argv[0], error);
  }
  return {Errc::no_shell, "cannot run " + command.argv[0] + ": " + reason(error) +
                              "; set SHELL to an executable program"};
}

/// By syscall: glibc 2.36's sys/pidfd.h has no extern "C".
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

/// Is the child running or waiting to be reaped? Only then is its pid surely its own.
bool owns_its_pid(const Pty& pty) {
  return !pty.pidfd || ::syscall(SYS_pidfd_send_signal, pty.pidfd.get(), 0, nullptr, 0) == 0;
}

ExitStatus to_exit_status(const siginfo_t& info, WallTime at) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signal = {}, .at = at};
  return {.code = std::nullopt, .signal = signal_name(info.si_status), .at = at};
}

}  // namespace

LocalPtySource::LocalPtySource(Clock clock) : clock_(std::move(clock)) {}

Result<Pty> LocalPtySource::spawn(const PtyCommand& command, WindowSize size) {
  if (command.argv.empty()) return Error{Errc::no_shell, "no program given to start on a pty"};
  auto opened = open_pty(size);
  if (!opened) return opened.error();

  Pty pty;
  pty.fd = std::move(opened->fd);
  if (const int e = spawn_on_tty(command, opened->tty, &pty.pid); e != 0) {
    return spawn_error(command, e);
  }
  pty.pidfd.reset(open_pidfd(pty.pid));
  if (!pty.pidfd) {
    const int e = errno;
    ::kill(pty.pid, SIGKILL);
    ::waitpid(pty.pid, nullptr, 0);
    return os_error("pidfd_open of pid " + std::to_string(pty.pid), e);
  }
  return pty;
}

std::optional<ExitStatus> LocalPtySource::exit_status(Pty& pty) {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pty.pidfd.get()), &info, WEXITED | WNOHANG) != 0) {
    return ExitStatus{.code = std::nullopt, .signal = {}, .at = clock_()};
  }
  if (info.si_pid == 0) return std::nullopt;
  return to_exit_status(info, clock_());
}

Result<void> set_window_size(const Pty& pty, WindowSize size) {
  const winsize cells = to_winsize(size);
  if (::ioctl(pty.fd.get(), TIOCSWINSZ, &cells) == 0) return {};
  return os_error("TIOCSWINSZ to " + std::to_string(size.rows) + " rows and " +
                      std::to_string(size.cols) + " columns",
                  errno);
}

bool echoes(const Pty& pty) {
  termios mode{};
  if (::tcgetattr(pty.fd.get(), &mode) != 0) return true;
  if ((mode.c_lflag & ECHO) != 0) return true;
  // A line editor switches both off and echoes by itself; a password prompt reads whole lines, or
  // is a program of its own.
  return (mode.c_lflag & ICANON) == 0 && ::tcgetpgrp(pty.fd.get()) == pty.pid;
}

std::string working_directory(pid_t pid) {
  if (pid <= 0) return {};
  std::error_code error;
  const std::string path =
      std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd", error);
  // The kernel adds " (deleted)" to a directory that is gone.
  if (error || !std::filesystem::is_directory(path, error)) return {};
  return path;
}

void signal_session(const Pty& pty, int signal) {
  // 1 and below would mean init's group, our own or everybody.
  if (pty.pid > 1 && owns_its_pid(pty)) ::kill(-pty.pid, signal);
  const pid_t foreground = pty.fd ? ::tcgetpgrp(pty.fd.get()) : 0;
  if (foreground > 1 && foreground != pty.pid) ::kill(-foreground, signal);
}

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal); name != nullptr) return std::string("SIG") + name;
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
    return "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
  }
  return "signal " + std::to_string(signal);
}

}  // namespace term
