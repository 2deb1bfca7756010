#pragma once
// The names that the legacy modules give to a session's state (STATE.md 2).

#include <cstdint>
#include <string_view>

#include "session/types.h"

namespace term::legacy {

/// What memory calls it. One to one with the canonical states.
enum class MemoryStatus : std::uint8_t { connecting, active, inactive, suspended, error, closed };

/// What lifecycle calls it. `closing` is passed through on the way to `closed` and never rests.
enum class LifecycleState : std::uint8_t {
  initializing,
  ready,
  active,
  suspended,
  closing,
  closed,
  error,
};

std::string_view to_string(MemoryStatus status);
std::string_view to_string(LifecycleState state);

MemoryStatus memory_status(SessionState state);
SessionState canonical(MemoryStatus status);

/// `ready` stands for detached: a shell is there, and nobody is attached to it.
LifecycleState lifecycle_state(SessionState state);
SessionState canonical(LifecycleState state);

}  // namespace term::legacy
