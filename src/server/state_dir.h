#pragma once
// Whose a state directory is: the lock that one service has, and the process that service.json
// names.

#include <sys/types.h>

#include <filesystem>

#include "session/types.h"
#include "session/unique_fd.h"

namespace term::server {

/// The process of DIR/service.json, if it is a service still: a pid is used again after a crash.
/// 0: there is none.
pid_t running_service(const std::filesystem::path& dir);

/// Makes `dir` where it is missing, for its owner alone, and locks DIR/service.lock; the lock goes
/// with the descriptor, and with every copy of it.
///
/// Blocks for at most 5 s while no service runs here and yet the lock is held: a process that ends,
/// and the one that handed over to it and stands by, have it a little longer than service.json.
/// Errors: os_error, also when another service has it.
Result<UniqueFd> lock_state_dir(const std::filesystem::path& dir);

}  // namespace term::server
