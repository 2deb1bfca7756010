#include "session/pty.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "holder/start.h"

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

Error start_error(std::string_view what, int error) {
  std::string detail = std::string(what) + ": " + reason(error);
  if (!what.starts_with(holder::kCannotRun)) return {Errc::os_error, std::move(detail)};
  return {Errc::no_shell, detail + "; set SHELL to an executable program"};
}

LocalPtySource::LocalPtySource(Clock clock) : clock_(std::move(clock)) {}

Result<Pty> LocalPtySource::spawn(const PtyCommand& command, WindowSize size) {
  if (command.argv.empty()) return Error{Errc::no_shell, "no program given to start on a pty"};
  auto argv = c_strings(command.argv);
  auto env = c_strings(command.env);
  const holder::Started started = holder::start_on_pty({.directory = command.directory.c_str(),
                                                        .argv = argv.data(),
                                                        .env = env.data(),
                                                        .rows = size.rows,
                                                        .cols = size.cols});
  if (started.kind != holder::Started::Kind::ok) return start_error(started.text, started.error);
  Pty pty;
  pty.fd.reset(started.fd);
  pty.pid = started.pid;
  pty.pidfd.reset(open_pidfd(pty.pid));
  if (!pty.pidfd) {
    const int e = errno;
    ::kill(pty.pid, SIGKILL);
    ::waitpid(pty.pid, nullptr, 0);
    return os_error("pidfd_open of pid " + std::to_string(pty.pid), e);
  }
  return pty;
}

void LocalPtySource::spawn(PtyRequest request, Started done) {
  done(spawn(request.command, request.size));
}

namespace {
/// Waits for a pidfd; owns itself until then.
struct EndWatch : std::enable_shared_from_this<EndWatch> {
  EndWatch(const boost::asio::any_io_executor& executor, int fd) : ready(executor, fd) {}
  ~EndWatch() {
    if (ready.is_open()) ready.release();  // The descriptor is the Pty's.
  }
  boost::asio::posix::stream_descriptor ready;
};
}  // namespace

void LocalPtySource::on_end(const Pty& pty, const boost::asio::any_io_executor& executor,
                            Ended ended) {
  auto watch = std::make_shared<EndWatch>(executor, pty.pidfd.get());
  watch->ready.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [this, watch, &pty, ended = std::move(ended)](const boost::system::error_code& ec) {
        if (ec) return;
        watch->ready.release();
        ended(exit_status(pty).value_or(ExitStatus{.at = clock_()}));
      });
}

void LocalPtySource::signal(const Pty& pty, int signal) {
  if (pty.pid > 1 && owns_its_pid(pty)) ::kill(-pty.pid, signal);
  signal_foreground(pty, signal);
}

void LocalPtySource::release(Pty pty) { pty.fd.reset(); }

std::optional<ExitStatus> LocalPtySource::exit_status(const Pty& pty) {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pty.pidfd.get()), &info, WEXITED | WNOHANG) != 0) {
    return ExitStatus{.code = std::nullopt, .signal = {}, .at = clock_()};
  }
  if (info.si_pid == 0) return std::nullopt;
  return to_exit_status(info, clock_());
}

int pty_number(const Pty& pty) {
  unsigned number = 0;
  return ::ioctl(pty.fd.get(), TIOCGPTN, &number) == 0 ? static_cast<int>(number) : -1;
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

void signal_foreground(const Pty& pty, int signal) {
  const pid_t foreground = pty.fd ? ::tcgetpgrp(pty.fd.get()) : 0;
  // 1 and below would mean init's group, our own or everybody.
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
