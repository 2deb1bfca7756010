#pragma once
// lifecycle: a state machine per session, with its history and the time spent.

#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "legacy/events.h"

namespace term::legacy {

/// Sessions by what they are doing, counted over the states themselves.
struct SessionCounts {
  std::size_t total = 0;
  std::size_t active = 0;
  std::size_t suspended = 0;
  std::size_t error = 0;
  bool operator==(const SessionCounts&) const = default;
};

/// May a session go from one to the other? What origin allowed, and a way back from `active` to
/// `ready`: without it a session whose connection was lost had to be suspended (origin.md 2.3).
bool lifecycle_allows(LifecycleState from, LifecycleState to);

/// Follows memory by its events and says what it did with `state:changed`. It never acts by itself:
/// whether a session is idle or over is decided where its activity is known.
/// Source: reference/origin.md 2.3.
class LifecycleModule final {
 public:
  explicit LifecycleModule(EventBus& bus);
  LifecycleModule(const LifecycleModule&) = delete;
  LifecycleModule& operator=(const LifecycleModule&) = delete;

  /// False, and nothing changes, when the session is unknown or the transition not allowed.
  bool transition_to(const SessionId& id, LifecycleState to, std::string_view reason, WallTime at);
  SessionCounts counts() const;

  /// Fills in lifecycle's share of a record.
  void describe(const SessionId& id, SessionRecord& record) const;

  /// The same ids as memory, in the same states.
  ModuleHealth health(std::span<const SessionStatus> memory) const;

 private:
  struct Transition {
    LifecycleState from;
    LifecycleState to;
    WallTime at;
    std::string reason;
  };
  struct Entry {
    LifecycleState state = LifecycleState::initializing;
    WallTime entered_at{};
    Millis active_time{0};
    Millis suspended_time{0};
    std::deque<Transition> transitions;  ///< Newest last, at most kMaxTransitions.
  };

  void follow(const SessionCreated& event);
  void follow(const SessionClosed& event);
  void pass(const SessionId& id, Entry& entry, LifecycleState to, std::string_view reason);

  EventBus& bus_;
  std::unordered_map<SessionId, Entry> sessions_;
};

}  // namespace term::legacy
