#pragma once
// The service manager that started us, if there is one (sd_notify(3), sd_listen_fds(3)).

#include <string>
#include <utility>
#include <vector>

#include "session/unique_fd.h"

namespace term::server {

/// Sockets that were passed to this process, by name. Once: a second call gives none.
std::vector<std::pair<std::string, UniqueFd>> inherited_listeners();

/// `READY=1` and kin; without a manager it does nothing.
void tell_manager(const std::string& state);

}  // namespace term::server
