#include "server/manager.h"

#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <cstring>

namespace term::server {

std::vector<std::pair<std::string, UniqueFd>> inherited_listeners() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(/*unset_environment=*/1, &names);
  std::vector<std::pair<std::string, UniqueFd>> listeners;
  for (int i = 0; i < count; ++i) {
    listeners.emplace_back(names[i], UniqueFd(SD_LISTEN_FDS_START + i));
    std::free(names[i]);
  }
  std::free(names);
  if (count < 0) spdlog::warn("manager.listeners ERROR {}", std::strerror(-count));
  return listeners;
}

void tell_manager(const std::string& state) {
  if (const int sent = ::sd_notify(/*unset_environment=*/0, state.c_str()); sent < 0)
    spdlog::warn("manager.notify ERROR {}", std::strerror(-sent));
}

}  // namespace term::server
