// Init mode: the service as a child of the holder, for containers.

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holder/holder.h"

namespace term::holder {

namespace {

constexpr int64_t kFirstBackoffMs = 200;
constexpr int64_t kLastBackoffMs = 5'000;
constexpr int64_t kHealthyMs = 10'000;  ///< Having run so long, it begins with the first again.
constexpr int kRefusedConfiguration = 78;
constexpr int kNotFound = 127;

int start(Holder* h, pid_t* pid) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  memset(&all, 0xFF, sizeof all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  char** argv = h->options.service;
  before_spawn(h);
  const int e = posix_spawnp(pid, argv[0], nullptr, &attributes, argv, environ);
  after_spawn(h);
  posix_spawnattr_destroy(&attributes);
  return e;
}

void try_again_later(Holder* h) {
  const int64_t now = now_ms();
  if (now - h->service_start_ms >= kHealthyMs) h->backoff_ms = 0;
  h->backoff_ms = h->backoff_ms == 0 ? kFirstBackoffMs : 2 * h->backoff_ms;
  if (h->backoff_ms > kLastBackoffMs) h->backoff_ms = kLastBackoffMs;
  h->restart_ms = now + h->backoff_ms;
}

void start_service(Holder* h) {
  const bool first = h->restart_ms == 0;
  h->restart_ms = 0;
  h->service_start_ms = now_ms();
  const int e = start(h, &h->service_pid);
  if (e == 0) {
    log_line("init.start pid=%d program=%s", h->service_pid, h->options.service[0]);
    return;
  }
  h->service_pid = 0;
  log_line("init.start ERROR program=%s error=\"%s\"", h->options.service[0], strerror(e));
  if (!first) return try_again_later(h);
  h->status = kNotFound;
  h->term_ms = now_ms();
}

void service_ended(Holder* h, int status) {
  const int32_t pid = h->service_pid;
  h->service_pid = 0;
  const bool meant = status == 0 || status == kRefusedConfiguration || h->term_ms != 0;
  if (meant) {
    h->status = status;
    if (h->term_ms == 0) h->term_ms = now_ms();
  } else {
    try_again_later(h);
  }
  log_line("init.ended pid=%d status=%d restart_in_ms=%lld", pid, status,
           meant ? -1LL : static_cast<long long>(h->backoff_ms));
}

}  // namespace

void process_ended(Holder* h, pid_t pid, int wait_status) {
  if (!h->options.init || pid != h->service_pid) return;
  service_ended(h, WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status));
}

void end_service(Holder* h, int signal) {
  if (h->term_ms != 0) return;
  log_line("init.end signal=%d service=%d", signal, h->service_pid);
  h->term_ms = now_ms();
  if (h->service_pid > 0) kill(h->service_pid, signal);
}

void advance_service(Holder* h) {
  if (!h->options.init) return;
  const int64_t now = now_ms();
  // One that was started by somebody else and took over is reaped by them.
  if (h->service_pid > 0 && kill(h->service_pid, 0) != 0 && errno == ESRCH) service_ended(h, 1);
  if (h->service_pid > 0 && h->term_ms != 0 && now - h->term_ms >= kTermMs) {
    kill(h->service_pid, SIGKILL);
  }
  const bool stays = h->term_ms == 0 && h->ending_ms == 0;
  if (stays && h->service_pid == 0 && now >= h->restart_ms) start_service(h);
  if (h->term_ms != 0 && h->service_pid == 0) begin_end(h);
}

}  // namespace term::holder
