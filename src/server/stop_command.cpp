#include "server/stop_command.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "server/state_dir.h"
#include "session/holder_link.h"

namespace term::server {

namespace {

constexpr int kServiceMs = 30'000;
constexpr int kHolderMs = 15'000;

/// By syscall: glibc 2.36's sys/pidfd.h has no extern "C".
UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool wait_for(const UniqueFd& pidfd, int timeout_ms) {
  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&ended, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

bool end_service(const Config& config) {
  const pid_t pid = running_service(config.state_dir);
  if (pid == 0) {
    std::printf("no service runs with the state in %s\n", config.state_dir.c_str());
    return true;
  }
  const UniqueFd pidfd = open_pidfd(pid);
  if (pidfd && ::kill(pid, SIGTERM) == 0 && wait_for(pidfd, kServiceMs)) {
    std::printf("stopped the service, process %d\n", pid);
    return true;
  }
  std::fprintf(stderr, "terminal-service: process %d did not end within %d s of SIGTERM\n", pid,
               kServiceMs / 1000);
  return false;
}

bool end_holder(const Config& config) {
  HolderLink::Place place{.state_dir = config.state_dir, .start = false, .take_over = true};
  auto link = HolderLink::open(place);
  if (!link) {
    std::printf("no holder runs with the state in %s\n", config.state_dir.c_str());
    return true;
  }
  const pid_t pid = (*link)->holder_pid();
  const UniqueFd pidfd = open_pidfd(pid);
  if (auto answer = (*link)->ask(end_message()); !answer) {
    std::fprintf(stderr, "terminal-service: %s\n", answer.error().detail.c_str());
    return false;
  }
  if (!pidfd || !wait_for(pidfd, kHolderMs)) {
    std::fprintf(stderr, "terminal-service: the holder, process %d, did not end\n", pid);
    return false;
  }
  std::printf("ended all sessions and the holder, process %d\n", pid);
  return true;
}

}  // namespace

int stop_service(const Config& config, bool end_sessions) {
  if (!end_service(config)) return 1;
  return !end_sessions || end_holder(config) ? 0 : 1;
}

}  // namespace term::server
