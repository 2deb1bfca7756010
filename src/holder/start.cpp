#include "holder/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace term::holder {

namespace {

constexpr size_t kPathSize = 32;  // "/dev/pts/N"

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

/// Adding actions only fails for want of memory; the first failure is reported.
int plan_descriptors(posix_spawn_file_actions_t* actions, const char* tty, const char* directory) {
  // Opened by a session leader, the tty becomes its controlling terminal (tty_ioctl(4)).
  int e = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, tty, O_RDWR, 0);
  if (e == 0) e = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDOUT_FILENO);
  if (e == 0) e = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDERR_FILENO);
  if (e == 0) e = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
  if (e == 0) e = posix_spawn_file_actions_addchdir_np(actions, directory);
  return e;
}

int plan_signals(posix_spawnattr_t* attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  // Not sigfillset: it leaves out libc's own two signals, which the child would then ignore.
  memset(&all, 0xFF, sizeof all);
  int e = posix_spawnattr_setsigmask(attributes, &none);
  if (e == 0) e = posix_spawnattr_setsigdefault(attributes, &all);
  if (e == 0) {
    e = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  return e;
}

/// posix_spawn, not fork: safe with threads, and a failed exec comes back as errno.
int spawn_on_tty(const Program& program, const char* tty, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  int e = plan_descriptors(&actions, tty, program.directory);
  if (e == 0) e = plan_signals(&attributes);
  if (e == 0) {
    e = posix_spawn(pid, program.argv[0], &actions, &attributes, program.argv, program.env);
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return e;
}

/// 0, or why nobody can start there.
int directory_error(const char* directory) {
  struct stat status{};
  if (stat(directory, &status) != 0) return errno;
  if (!S_ISDIR(status.st_mode)) return ENOTDIR;
  return access(directory, X_OK) != 0 ? errno : 0;
}

/// posix_spawn does not say which of its steps failed; the most likely one is looked for.
void explain(const Program& program, int error, Started* started) {
  const char* path = program.argv[0];
  if (const int e = directory_error(program.directory); e != 0) {
    // The directory is what the reader needs; a long path must not push it out.
    return fail(started, Started::Kind::os_error, e, "start %.60s in directory %s", path,
                program.directory);
  }
  if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE) {
    return fail(started, Started::Kind::os_error, error, "posix_spawn %s", path);
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
