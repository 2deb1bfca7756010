#include "legacy/names.h"

#include <array>

namespace term::legacy {

namespace {
constexpr std::array kMemoryNames{"connecting", "active", "inactive",
                                  "suspended",  "error",  "closed"};
constexpr std::array kLifecycleNames{"initializing", "ready",  "active", "suspended",
                                     "closing",      "closed", "error"};
}  // namespace

std::string_view to_string(MemoryStatus status) {
  return kMemoryNames.at(static_cast<std::size_t>(status));
}

std::string_view to_string(LifecycleState state) {
  return kLifecycleNames.at(static_cast<std::size_t>(state));
}

MemoryStatus memory_status(SessionState state) {
  switch (state) {
    case SessionState::starting:
      return MemoryStatus::connecting;
    case SessionState::attached:
      return MemoryStatus::active;
    case SessionState::detached:
      return MemoryStatus::inactive;
    case SessionState::suspended:
      return MemoryStatus::suspended;
    case SessionState::failed:
      return MemoryStatus::error;
    case SessionState::closed:
      return MemoryStatus::closed;
  }
  return MemoryStatus::error;
}

SessionState canonical(MemoryStatus status) {
  switch (status) {
    case MemoryStatus::connecting:
      return SessionState::starting;
    case MemoryStatus::active:
      return SessionState::attached;
    case MemoryStatus::inactive:
      return SessionState::detached;
    case MemoryStatus::suspended:
      return SessionState::suspended;
    case MemoryStatus::error:
      return SessionState::failed;
    case MemoryStatus::closed:
      return SessionState::closed;
  }
  return SessionState::failed;
}

LifecycleState lifecycle_state(SessionState state) {
  switch (state) {
    case SessionState::starting:
      return LifecycleState::initializing;
    case SessionState::attached:
      return LifecycleState::active;
    case SessionState::detached:
      return LifecycleState::ready;
    case SessionState::suspended:
      return LifecycleState::suspended;
    case SessionState::failed:
      return LifecycleState::error;
    case SessionState::closed:
      return LifecycleState::closed;
  }
  return LifecycleState::error;
}

SessionState canonical(LifecycleState state) {
  switch (state) {
    case LifecycleState::initializing:
      return SessionState::starting;
    case LifecycleState::active:
      return SessionState::attached;
    case LifecycleState::ready:
      return SessionState::detached;
    case LifecycleState::suspended:
      return SessionState::suspended;
    case LifecycleState::error:
      return SessionState::failed;
    case LifecycleState::closing:
    case LifecycleState::closed:
      return SessionState::closed;
  }
  return SessionState::failed;
}

}  // namespace term::legacy
