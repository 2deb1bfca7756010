// terminal-holder: keeps the shells alive while services come and go. docs/holder.md says how.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "holder/holder.h"

namespace {

using namespace term::holder;  // NOLINT: this file is the program.

constexpr int kSignals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2};

/// Blocked for good, also over an exec, so that none is lost: they are read from a descriptor.
void take_signals(Holder* h) {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : kSignals) {
    signal(s, SIG_DFL);  // Whoever started us may ignore them: then children were not to be reaped.
    sigaddset(&set, s);
  }
  sigprocmask(SIG_SETMASK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (h->signals < 0 || watch(h, h->signals, Source::signals, 0, EPOLLIN) != 0) {
    die(1, "signalfd: %s", strerror(errno));
  }
}

void handle_signal(Holder* h, int signal) {
  char text[256];
  switch (signal) {
    case SIGTERM:
    case SIGINT:
      if (h->options.init) {
        end_service(h, signal);
      } else {
        begin_end(h);
      }
      return;
    case SIGHUP:
      if (h->options.init && h->service_pid > 0) kill(h->service_pid, SIGHUP);
      return;
    case SIGUSR2:
      upgrade(h, nullptr, text, sizeof text);
      return;
    default:
      reap(h);
  }
}

void read_signals(Holder* h) {
  signalfd_siginfo info;
  while (read(h->signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    handle_signal(h, static_cast<int>(info.ssi_signo));
  }
}

/// Idle for so long that there is nothing to stay for.
bool has_idled(const Holder& h) {
  return h.options.idle_ms != 0 && !h.options.init && h.held == 0 && h.service == nullptr &&
         now_ms() - h.idle_since >= h.options.idle_ms;
}

/// What is to be done by time; true when the holder's own time has come.
bool advance(Holder* h) {
  check_deadlines(h);
  if (h->dying > 0) ask_for_exits(h);
  advance_service(h);
  push(h);
  if (has_idled(*h)) {
    log_line("holder.idle seconds=%lld", static_cast<long long>(h->options.idle_ms / 1000));
    return true;
  }
  if (!advance_end(h)) return false;
  if (h->service_pid > 0) end_service(h, SIGTERM);
  return h->service_pid == 0;
}

/// How long to wait for events: everything that depends on time is looked at by advance().
int next_look_ms(const Holder& h) {
  if (h.dying > 0) return 10;
  bool waits = h.service == nullptr || h.options.init;
  for (const Connection& c : h.connections) {
    if (c.used && c.retry) return 20;
    if (c.used && c.deadline != 0) waits = true;
  }
  const bool hurries = h.ending_ms != 0 || h.term_ms != 0 || h.restart_ms != 0 || h.accept_ms != 0;
  if (hurries) return 50;
  return waits ? 500 : 5'000;
}

void handle(Holder* h, const epoll_event& event) {
  const uint32_t number = static_cast<uint32_t>(event.data.u64);
  switch (static_cast<Source>(event.data.u64 >> 32)) {
    case Source::listener:
      return accept_peers(h);
    case Source::signals:
      return read_signals(h);
    case Source::adopted:
      return adopted_ended(h, number);
    case Source::connection:
      if (h->connections[number].used) serve(h, &h->connections[number]);
  }
}

void loop(Holder* h) {
  epoll_event events[64];
  while (!advance(h)) {
    const int n = epoll_wait(h->events, events, 64, next_look_ms(*h));
    for (int i = 0; i < n; ++i) handle(h, events[i]);
  }
}

constexpr int64_t kIdleMs = 60'000;

/// All zero at first, so that the tables take memory only where they are used.
Holder* make_holder() {
  static Holder holder;
  static Session sessions[kMaxSessions];
  holder.sessions = sessions;
  holder.options.idle_ms = kIdleMs;
  holder.options.resume_fd = -1;
  holder.oom_fd = -1;
  (void)!readlink("/proc/self/exe", holder.own_path, sizeof holder.own_path - 1);
  return &holder;
}

}  // namespace

int main(int argc, char** argv) {
  Holder* h = make_holder();
  parse_options(h, argc, argv);
  if (h->options.check_state) return check_state();
  const bool resumes = h->options.resume_fd >= 0;
  if (!resumes) {
    close_range(3, UINT_MAX, 0);
    if (h->options.daemon) make_daemon(h);
  }
  h->events = epoll_create1(EPOLL_CLOEXEC);
  if (h->events < 0) die(1, "epoll_create1: %s", strerror(errno));
  take_signals(h);
  if (resumes) {
    resume(h, h->options.resume_fd);
  } else {
    listen_in_state_dir(h);
  }
  set_limits(h);
  if (h->options.init) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  watch(h, h->listener, Source::listener, 0, EPOLLIN);
  h->idle_since = now_ms();
  tell_ready(h);
  reap(h);
  loop(h);
  unlinkat(h->dir, "holder.sock", 0);
  log_line("holder.over status=%d", h->status);
  return h->status;
}
