#pragma once
// `terminal-service stop`: ends the service of a state directory, and its shells if told so.

#include "server/config.h"

namespace term::server {

/// Blocks until it is done. Prints what it did to stdout and what went wrong to stderr.
/// Returns the exit status: 0 done, also when nothing ran; 1 failed.
int stop_service(const Config& config, bool end_sessions);

}  // namespace term::server
