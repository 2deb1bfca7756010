#pragma once
// The events that tie the seven modules together: a small typed bus, synchronous, per engine.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "legacy/names.h"
#include "session/ports.h"

namespace term::legacy {

struct MetricsSnapshot;

/// Events refer to what their publisher holds: a listener that keeps something copies it.
struct SessionCreated {
  const SessionRecord& record;
  bool imported = false;  ///< It lived elsewhere before; the record is all of it, times included.
};

struct SessionStatusChanged {
  const SessionId& id;
  MemoryStatus from;
  MemoryStatus to;
  std::string_view reason;
  WallTime at;
};

struct SessionWebSocketConnected {
  const SessionId& id;
};

struct FocusChanged {
  const SessionId& id;
  const ProjectId& project;
  bool focused;
  const std::vector<SessionId>& all_focused;  ///< Least recent first.
};

struct SessionClosed {
  const SessionId& id;
  std::string_view reason;
  bool moved = false;  ///< It lives on, in somebody else's books.
};

struct SessionSuspended {
  const SessionId& id;
  const ProjectId& project;
};

/// `state:changed`, of lifecycle.
struct StateChanged {
  const SessionId& id;
  LifecycleState from;
  LifecycleState to;
  std::string_view reason;
};

/// `alerts:triggered`: those that have just begun, one sentence each.
struct AlertsTriggered {
  std::span<const std::string> alerts;
};

/// `metrics:collected`.
struct MetricsCollected {
  const MetricsSnapshot& snapshot;
};

/// Logging wrote an entry down; what analytics learns from.
struct LogRecorded {
  const LogEntry& entry;
};

/// One kind of event. Listeners are called in the order in which they subscribed and live as long
/// as the channel: both belong to one engine.
template <class Event>
class Channel {
 public:
  void subscribe(std::function<void(const Event&)> listener) {
    listeners_.push_back(std::move(listener));
  }
  void publish(const Event& event) const {
    for (const auto& listener : listeners_) listener(event);
  }

 private:
  std::vector<std::function<void(const Event&)>> listeners_;
};

/// All channels of one engine. Declared before the modules, so that it outlives them.
struct EventBus {
  Channel<SessionCreated> session_created;
  Channel<SessionStatusChanged> session_status_changed;
  Channel<SessionWebSocketConnected> session_websocket_connected;
  Channel<FocusChanged> focus_changed;
  Channel<SessionClosed> session_closed;
  Channel<SessionSuspended> session_suspended;
  Channel<StateChanged> state_changed;
  Channel<AlertsTriggered> alerts_triggered;
  Channel<MetricsCollected> metrics_collected;
  Channel<LogRecorded> log_recorded;
};

/// A session as memory sees it: what the other modules' health is held against.
struct SessionStatus {
  SessionId id;
  MemoryStatus status;
};

}  // namespace term::legacy
