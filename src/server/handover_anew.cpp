// When after the commit nobody can know who owns what: this process becomes a fresh one.

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include "server/handover.h"
#include "server/service.h"

namespace term::server {

void Handover::start_anew() {
  for (const auto& [name, value] : service_.config().flags)
    ::setenv(name.c_str(), value.c_str(), 1);
  rlimit limit{};
  if (service_.config().soft_open_files > 0 && ::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = service_.config().soft_open_files;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  // As a service manager would pass them (sd_listen_fds(3)).
  for (int i = 0; i < 2; ++i) ::dup2(listeners_[i].get(), 3 + i);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "2", 1);
  ::setenv("LISTEN_FDNAMES", "ws:http", 1);
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  const std::string program = service_.config().program;
  ::execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
  spdlog::critical("handover.exec ERROR cannot start {} again: {}", program,
                   std::generic_category().message(errno));
  spdlog::shutdown();
  ::_exit(1);
}

}  // namespace term::server
