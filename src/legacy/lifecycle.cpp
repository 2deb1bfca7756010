#include "legacy/lifecycle.h"

#include <algorithm>

namespace term::legacy {

bool lifecycle_allows(LifecycleState from, LifecycleState to) {
  using enum LifecycleState;
  if (from == to || from == closed) return false;
  // Whatever happens to a session, it can fail and it can end.
  if (to == error) return from != closing;
  if (to == closing) return true;
  switch (from) {
    case initializing:
      return to == ready || to == active;  // A viewer may be there before the shell is.
    case ready:
      return to == active || to == suspended;
    case active:
      return to == ready || to == suspended;
    case suspended:
      return to == active || to == ready;
    case closing:
      return to == closed;
    case closed:
    case error:
      return false;
  }
  return false;
}

LifecycleModule::LifecycleModule(EventBus& bus) : bus_(bus) {
  bus.session_created.subscribe([this](const SessionCreated& event) { follow(event); });
  bus.session_status_changed.subscribe([this](const SessionStatusChanged& event) {
    transition_to(event.id, lifecycle_state(canonical(event.to)), event.reason, event.at);
  });
  bus.session_closed.subscribe([this](const SessionClosed& event) { follow(event); });
}

void LifecycleModule::follow(const SessionCreated& event) {
  Entry entry;
  if (event.imported) {
    const Lifecycle& kept = event.record.lifecycle;
    entry = {.state = lifecycle_state(kept.state),
             .entered_at = kept.entered_at,
             .active_time = kept.active_time,
             .suspended_time = kept.suspended_time};
    for (const LifecycleTransition& past : kept.transitions) {
      entry.transitions.push_back(
          {lifecycle_state(past.from), lifecycle_state(past.to), past.at, past.reason});
    }
  } else {
    entry.entered_at = event.record.created_at;
  }
  sessions_.insert_or_assign(event.record.id, std::move(entry));
}

void LifecycleModule::follow(const SessionClosed& event) {
  const auto it = sessions_.find(event.id);
  if (it == sessions_.end()) return;
  if (!event.moved && it->second.state != LifecycleState::closed) {
    pass(event.id, it->second, LifecycleState::closing, event.reason);
    pass(event.id, it->second, LifecycleState::closed, event.reason);
  }
  sessions_.erase(it);
}

void LifecycleModule::pass(const SessionId& id, Entry& entry, LifecycleState to,
                           std::string_view reason) {
  const LifecycleState from = entry.state;
  entry.state = to;
  bus_.state_changed.publish({.id = id, .from = from, .to = to, .reason = reason});
}

bool LifecycleModule::transition_to(const SessionId& id, LifecycleState to, std::string_view reason,
                                    WallTime at) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return false;
  Entry& entry = it->second;
  const LifecycleState from = entry.state;
  const bool ending = to == LifecycleState::closed;
  if (!lifecycle_allows(from, ending ? LifecycleState::closing : to)) return false;

  const Millis spent = std::max(at - entry.entered_at, Millis{0});
  if (from == LifecycleState::active) entry.active_time += spent;
  if (from == LifecycleState::suspended) entry.suspended_time += spent;
  entry.entered_at = at;
  if (entry.transitions.size() >= kMaxTransitions) entry.transitions.pop_front();
  entry.transitions.push_back({from, to, at, std::string(reason)});
  if (ending) pass(id, entry, LifecycleState::closing, reason);
  pass(id, entry, to, reason);
  return true;
}

SessionCounts LifecycleModule::counts() const {
  SessionCounts counts;
  for (const auto& [id, entry] : sessions_) {
    if (entry.state == LifecycleState::closed) continue;
    ++counts.total;
    counts.active += entry.state == LifecycleState::active ? 1 : 0;
    counts.suspended += entry.state == LifecycleState::suspended ? 1 : 0;
    counts.error += entry.state == LifecycleState::error ? 1 : 0;
  }
  return counts;
}

void LifecycleModule::describe(const SessionId& id, SessionRecord& record) const {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  const Entry& entry = it->second;
  record.lifecycle = {.state = canonical(entry.state),
                      .transitions = {},
                      .entered_at = entry.entered_at,
                      .active_time = entry.active_time,
                      .suspended_time = entry.suspended_time};
  record.lifecycle.transitions.reserve(entry.transitions.size());
  for (const Transition& past : entry.transitions) {
    record.lifecycle.transitions.push_back(
        {canonical(past.from), canonical(past.to), past.at, past.reason});
  }
}

ModuleHealth LifecycleModule::health(std::span<const SessionStatus> memory) const {
  const auto unhealthy = [](std::string why) {
    return ModuleHealth{.module = "lifecycle", .healthy = false, .detail = std::move(why)};
  };
  for (const auto& [id, status] : memory) {
    const auto it = sessions_.find(id);
    if (it == sessions_.end()) return unhealthy("session " + id + " has no state machine");
    const LifecycleState expected = lifecycle_state(canonical(status));
    if (it->second.state != expected) {
      return unhealthy("session " + id + " is " + std::string(to_string(it->second.state)) +
                       " here and " + std::string(to_string(status)) + " in memory");
    }
  }
  if (sessions_.size() != memory.size()) {
    return unhealthy(std::to_string(sessions_.size()) + " state machines for " +
                     std::to_string(memory.size()) + " sessions");
  }
  return {.module = "lifecycle",
          .detail = std::to_string(sessions_.size()) + " state machines agree with memory"};
}

}  // namespace term::legacy
