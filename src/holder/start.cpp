#include "holder/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/// clone(2) by glibc's other name for it, which sanitizers leave alone: their own takes every child
/// for one with a memory of its own.
extern "C" int __clone(int (*run)(void*), void* stack, int flags, void* argument, ...);

namespace term::holder {

namespace {

constexpr size_t kPathSize = 32;          // "/dev/pts/N"
constexpr size_t kStackSize = 64 * 1024;  // Of the child until its exec.

[[gnu::format(printf, 4, 5)]] void fail(Started* started, Started::Kind kind, int error,
                                        const char* format, ...) {
  started->kind = kind;
  started->error = error;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(started->text, sizeof started->text, format, arguments);
  va_end(arguments);
}

void fail_os(Started* started, const char* call) {
  fail(started, Started::Kind::os_error, errno, "%s", call);
}

/// Makes backspace remove a whole character in cooked mode. Works on either end on Linux.
int set_utf8_mode(int pty) {
  termios mode{};
  if (tcgetattr(pty, &mode) != 0) return -1;
  mode.c_iflag |= IUTF8;
  return tcsetattr(pty, TCSANOW, &mode);
}

void set_up_pty(const Program& program, Started* started) {
  if (grantpt(started->fd) != 0) return fail_os(started, "grantpt");
  if (unlockpt(started->fd) != 0) return fail_os(started, "unlockpt");
  if (ioctl(started->fd, TIOCGPTN, &started->pts) != 0) return fail_os(started, "TIOCGPTN");
  const winsize cells{.ws_row = program.rows, .ws_col = program.cols};
  if (ioctl(started->fd, TIOCSWINSZ, &cells) != 0) return fail_os(started, "TIOCSWINSZ");
  if (set_utf8_mode(started->fd) != 0) return fail_os(started, "tcsetattr of the pty");
}

void close_pty(Started* started) {
  close(started->fd);
  started->fd = -1;
}

/// What the child needs of us, and what it tells: we share our memory until its exec.
struct Child {
  const Program* program;
  const char* tty;
  rlim_t max_files;
  volatile int error;
};

/// Leaves 0, 1 and 2 alone open, in a table of our own. The kernel copies those three; a copy of
/// all, to be closed again, would make a start slower with each session that is held.
bool leave_shared_descriptors(rlim_t max_files) {
  if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE) == 0) return true;
  if (unshare(CLONE_FILES) != 0) return false;
  for (int fd = STDERR_FILENO + 1; static_cast<rlim_t>(fd) < max_files; ++fd)
    (void)syscall(SYS_close, fd);
  return true;
}

/// Not sigaction(): it refuses libc's own two signals, which may be ignored.
void reset_signals() {
  const char default_action[64] = {};  // All zero: SIG_DFL, no flags, an empty mask.
  for (int number = 1; number <= 64; ++number)
    (void)syscall(SYS_rt_sigaction, number, default_action, nullptr, sizeof(uint64_t));
}

/// As 0, 1 and 2.
bool take_tty(const char* tty) {
  (void)syscall(SYS_close, STDIN_FILENO);
  // Opened by a session leader, the tty becomes its controlling terminal (tty_ioctl(4)).
  return syscall(SYS_openat, AT_FDCWD, tty, O_RDWR) == STDIN_FILENO &&
         syscall(SYS_dup3, STDIN_FILENO, STDOUT_FILENO, 0) >= 0 &&
         syscall(SYS_dup3, STDIN_FILENO, STDERR_FILENO, 0) >= 0;
}

/// In the child, with our memory and at first with our descriptors: nothing but system calls, past
/// the wrappers of sanitizers where they would note down what is done to descriptors.
int run_child(void* argument) {
  Child& child = *static_cast<Child*>(argument);
  const Program& program = *child.program;
  if (leave_shared_descriptors(child.max_files)) {
    reset_signals();
    const uint64_t none = 0;
    if (setsid() >= 0 && take_tty(child.tty) && chdir(program.directory) == 0 &&
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none) == 0) {
      execve(program.argv[0], program.argv, program.env);
    }
  }
  child.error = errno;
  return 127;
}

/// As posix_spawn: safe with threads, no copy of our memory, and a failed exec comes back as errno.
/// That one copies our table of descriptors, too.
int spawn_on_tty(const Program& program, const char* tty, pid_t* pid) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  Child child{.program = &program, .tty = tty, .max_files = files.rlim_cur, .error = 0};
  void* stack = mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return errno;
  // A handler of ours must not run in the child, on our memory.
  const uint64_t all = ~uint64_t{0};
  uint64_t before = 0;
  (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
  *pid = __clone(run_child, static_cast<char*>(stack) + kStackSize,
                 CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &child);
  const int error = *pid < 0 ? errno : child.error;
  if (*pid > 0 && error != 0) waitpid(*pid, nullptr, 0);
  (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
  munmap(stack, kStackSize);
  return error;
}

/// 0, or why nobody can start there.
int directory_error(const char* directory) {
  struct stat status{};
  if (stat(directory, &status) != 0) return errno;
  if (!S_ISDIR(status.st_mode)) return ENOTDIR;
  return access(directory, X_OK) != 0 ? errno : 0;
}

/// The child does not say which of its steps failed; the most likely one is looked for.
void explain(const Program& program, int error, Started* started) {
  const char* path = program.argv[0];
  if (const int e = directory_error(program.directory); e != 0) {
    // The directory is what the reader needs; a long path must not push it out.
    return fail(started, Started::Kind::os_error, e, "start %.60s in directory %s", path,
                program.directory);
  }
  if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE) {
    return fail(started, Started::Kind::os_error, error, "start %s", path);
  }
  fail(started, Started::Kind::no_program, error, "%s%s", kCannotRun, path);
}

}  // namespace

Started open_pty(const Program& program) {
  Started started;
  started.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (started.fd < 0) {
    fail_os(&started, "posix_openpt (see kernel.pty.max and the limit of open files)");
    return started;
  }
  set_up_pty(program, &started);
  if (started.kind != Started::Kind::ok) close_pty(&started);
  return started;
}

void start_child(const Program& program, Started* started) {
  if (program.argv[0] == nullptr) {
    fail(started, Started::Kind::no_program, EINVAL, "%snothing: no program given", kCannotRun);
  } else {
    char tty[kPathSize];
    snprintf(tty, sizeof tty, "/dev/pts/%d", started->pts);
    const int e = spawn_on_tty(program, tty, &started->pid);
    if (e != 0) explain(program, e, started);
  }
  if (started->kind != Started::Kind::ok) close_pty(started);
}

Started start_on_pty(const Program& program) {
  Started started = open_pty(program);
  if (started.kind == Started::Kind::ok) start_child(program, &started);
  return started;
}

}  // namespace term::holder
