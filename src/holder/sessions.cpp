// The table of sessions: start, watch, signal, reap, end.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "holder/holder.h"

namespace term::holder {

namespace {

constexpr int64_t kAskMs = 1'000;         ///< How long an adopted one's exit is asked for.
constexpr int64_t kUnkillableMs = 2'000;  ///< After SIGKILL; then it hangs in the kernel.

/// Of linux/pidfd.h since Linux 6.15, which Debian 12 does not have.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];
  int32_t exit_code;
};
constexpr uint64_t kPidfdInfoExit = 8;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);

Exit exit_of(int wait_status) {
  Exit e{.ended = 1, .known = 1, .code = -1, .signal = 0, .at_ms = wall_ms()};
  if (WIFSIGNALED(wait_status)) e.signal = WTERMSIG(wait_status);
  if (WIFEXITED(wait_status)) e.code = WEXITSTATUS(wait_status);
  return e;
}

const Exit kUnknown{.ended = 1, .known = 0, .code = -1, .signal = 0, .at_ms = 0};

void close_pidfd(Session* s) {
  if (s->pidfd >= 0) close(s->pidfd);
  s->pidfd = -1;
}

void session_ended(Holder* h, uint32_t slot, const Exit& how) {
  Session& s = h->sessions[slot];
  s.exit = how;
  if (s.exit.at_ms == 0) s.exit.at_ms = wall_ms();
  if (s.ended_ms != 0) --h->dying;
  s.ended_ms = 0;
  close_pidfd(&s);
  h->running[slot] = 0;
  --h->alive;
  s.untold = true;
  ++h->untold;
}

/// The slot whose child `pid` is, or `high`.
uint32_t slot_of(const Holder& h, pid_t pid) {
  uint32_t slot = 0;
  while (slot < h.high && h.running[slot] != pid) ++slot;
  return slot;
}

/// The group of the child and, a job having its own, the one in the foreground of the pty.
void signal_all(Holder* h, int signal) {
  for (uint32_t slot = 0; slot < h->high; ++slot) {
    if (h->running[slot] == 0) continue;
    const pid_t foreground = tcgetpgrp(h->sessions[slot].pty);
    if (foreground > 1 && foreground != h->running[slot]) kill(-foreground, signal);
    signal_session(h, slot, signal);
  }
}

/// Ends the session if the kernel tells how; false: ask again.
bool ask_for_exit(Holder* h, uint32_t slot) {
  const Session& s = h->sessions[slot];
  PidfdInfo about{.mask = kPidfdInfoExit};
  const bool answered = ioctl(s.pidfd, kPidfdGetInfo, &about) == 0;
  if (answered && (about.mask & kPidfdInfoExit) != 0) {
    session_ended(h, slot, exit_of(about.exit_code));
    return true;
  }
  // It tells once the parent has reaped it; an old kernel never does.
  if (answered && now_ms() - s.ended_ms < kAskMs) return false;
  session_ended(h, slot, kUnknown);
  return true;
}

}  // namespace

void put_session(Holder* h, uint32_t slot, const Session& session) {
  h->sessions[slot] = session;
  h->sessions[slot].used = true;
  if (slot >= h->high) h->high = slot + 1;
  ++h->held;
  if (session.exit.ended != 0) return;
  h->running[slot] = session.pid;
  ++h->alive;
}

void forget_session(Holder* h, uint32_t slot) {
  Session& s = h->sessions[slot];
  if (h->running[slot] != 0) --h->alive;
  if (s.ended_ms != 0) --h->dying;
  if (s.untold) --h->untold;
  h->running[slot] = 0;
  close_pidfd(&s);
  close(s.pty);
  memset(&s, 0, sizeof s);
  --h->held;
  while (h->high > 0 && !h->sessions[h->high - 1].used) --h->high;
  if (h->held == 0) h->idle_since = now_ms();
}

void reap(Holder* h) {
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    const uint32_t slot = slot_of(*h, pid);
    if (slot < h->high) {
      session_ended(h, slot, exit_of(status));
    } else {
      process_ended(h, pid, status);
    }
  }
}

int watch_adopted(Holder* h, uint32_t slot) {
  return watch(h, h->sessions[slot].pidfd, Source::adopted, slot, EPOLLIN);
}

void adopted_ended(Holder* h, uint32_t slot) {
  Session& s = h->sessions[slot];
  if (!s.used || s.pidfd < 0 || s.ended_ms != 0) return;
  // The event may be about what was in the slot before.
  pollfd readable{.fd = s.pidfd, .events = POLLIN, .revents = 0};
  if (poll(&readable, 1, 0) != 1) return;
  epoll_ctl(h->events, EPOLL_CTL_DEL, s.pidfd, nullptr);  // Readable for ever from now on.
  s.ended_ms = now_ms();
  ++h->dying;
  ask_for_exit(h, slot);
}

void ask_for_exits(Holder* h) {
  for (uint32_t slot = 0; slot < h->high && h->dying > 0; ++slot) {
    if (h->sessions[slot].ended_ms != 0) ask_for_exit(h, slot);
  }
}

int signal_session(Holder* h, uint32_t slot, int signal) {
  const Session& s = h->sessions[slot];
  // A child that is not reaped keeps its pid; one that is not ours is asked for by its pidfd.
  if (h->running[slot] == 0 || s.ended_ms != 0) return ESRCH;
  if (s.adopted && syscall(SYS_pidfd_send_signal, s.pidfd, 0, nullptr, 0) != 0) return errno;
  return kill(-s.pid, signal) == 0 ? 0 : errno;
}

void begin_end(Holder* h) {
  if (h->ending_ms != 0) return;
  log_line("holder.end sessions=%u running=%u", h->held, h->alive);
  h->ending_ms = now_ms();
  signal_all(h, SIGHUP);
  signal_all(h, SIGCONT);  // A stopped one must run to hear of it.
}

bool advance_end(Holder* h) {
  if (h->ending_ms == 0) return false;
  const int64_t waited = now_ms() - h->ending_ms;
  if (!h->killed && h->alive > 0 && waited >= kKillMs) {
    log_line("holder.kill running=%u", h->alive);
    h->killed = true;
    signal_all(h, SIGKILL);
  }
  const bool told = h->service == nullptr || h->untold == 0;
  return (h->alive == 0 && told) || waited >= kKillMs + kUnkillableMs;
}

void before_spawn(Holder* h) {
  const rlimit files{.rlim_cur = h->soft_files, .rlim_max = h->max_files};
  setrlimit(RLIMIT_NOFILE, &files);
  // Set here and not in the child: it could have forked by the time we write to it.
  if (h->oom_fd >= 0) dprintf(h->oom_fd, "0");
}

void after_spawn(Holder* h) {
  const rlimit files{.rlim_cur = h->max_files, .rlim_max = h->max_files};
  setrlimit(RLIMIT_NOFILE, &files);
  if (h->oom_fd >= 0) dprintf(h->oom_fd, "%d", h->oom_score);
}

}  // namespace term::holder
