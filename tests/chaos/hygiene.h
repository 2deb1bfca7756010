#pragma once
// What a shell has from the service that it should not have.

#include <sys/types.h>

#include <string>
#include <vector>

#include "chaos/faults.h"

namespace term::chaos {

/// Descriptors other than 0, 1, 2 (and those three on its own tty), blocked or ignored signals,
/// variables of the service's own, another process group or session than its own. Empty: clean.
std::vector<std::string> unclean(pid_t pid);

/// Shells after the start, after a recovery and after a hand-over, a third each, looked at where
/// they are: in /proc, stopped in their first read.
void run_hygiene(World& world, std::size_t shells);

}  // namespace term::chaos
