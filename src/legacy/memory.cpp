#include "legacy/memory.h"

#include <algorithm>
#include <tuple>

#include "session/ids.h"

namespace term::legacy {

namespace {

Error session_exists(const SessionId& id) {
  return {Errc::session_exists, "session " + id + " exists already"};
}

/// All of a new session, for those who hear of it by event.
SessionRecord record_of(const NewSession& fresh, WallTime now) {
  return {.id = fresh.id,
          .project_id = fresh.project_id,
          .user_id = fresh.user_id,
          .type = fresh.type,
          .mode = fresh.mode,
          .tab_name = fresh.tab_name,
          .status = SessionState::starting,
          .focused = fresh.focused,
          .created_at = now,
          .updated_at = now,
          .last_activity = now,
          .shell = fresh.shell,
          .args = fresh.args,
          .current_path = fresh.current_path,
          .environment = fresh.environment,
          .window = fresh.window,
          .metadata = fresh.metadata};
}

MemorySession session_of(const SessionRecord& record) {
  return {.id = record.id,
          .project_id = record.project_id,
          .user_id = record.user_id,
          .type = record.type,
          .mode = record.mode,
          .tab_name = record.tab_name,
          .status = memory_status(record.status),
          .is_focused = record.focused,
          .created_at = record.created_at,
          .updated_at = record.updated_at,
          .last_activity = record.last_activity,
          .suspension = record.suspension,
          .disconnect = record.disconnect};
}

Result<void> check(const SessionRecord& record) {
  const auto bad = [&](const std::string& why) {
    return Error{Errc::bad_snapshot, "session " + record.id + ": " + why};
  };
  if (!valid_session_id(record.id)) return bad("the id is not valid");
  if (!valid_project_id(record.project_id)) return bad("projectId is not valid");
  if (!valid(record.window)) return bad("cols and rows must be 1..1000");
  if (record.lifecycle.transitions.size() > kMaxTransitions) {
    return bad("lifecycle has " + std::to_string(record.lifecycle.transitions.size()) +
               " transitions and " + std::to_string(kMaxTransitions) + " are kept");
  }
  if (record.lifecycle.state != record.status) {
    return bad("status is " + std::string(to_string(record.status)) + " and lifecycle.state is " +
               std::string(to_string(record.lifecycle.state)));
  }
  if (!record.suspension) return {};
  if (record.status != SessionState::suspended) {
    return bad("it has a suspension and is " + std::string(to_string(record.status)));
  }
  const SessionState before = record.suspension->before;
  if (before != SessionState::attached && before != SessionState::detached) {
    return bad("suspension.before is " + std::string(to_string(before)));
  }
  return {};
}

}  // namespace

Memory::Memory(Clock clock, EventBus& bus, const SessionLimits& limits)
    : clock_(std::move(clock)), bus_(bus), limits_(limits) {}

MemorySession* Memory::find(const SessionId& id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

const MemorySession* Memory::get_session(const SessionId& id) const {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second;
}

void Memory::insert(MemorySession session) {
  project_sessions_[session.project_id].push_back(session.id);
  SessionId id = session.id;
  sessions_.emplace(std::move(id), std::move(session));
}

void Memory::erase(const SessionId& id) {
  const auto it = sessions_.find(id);
  if (const auto index = project_sessions_.find(it->second.project_id);
      index != project_sessions_.end()) {
    std::erase(index->second, id);
    if (index->second.empty()) project_sessions_.erase(index);
  }
  sessions_.erase(it);
}

Result<void> Memory::create_session(const NewSession& fresh) {
  if (sessions_.contains(fresh.id)) return session_exists(fresh.id);
  if (!valid(fresh.window)) {
    return Error{Errc::bad_argument, "session " + fresh.id + ": cols and rows must be 1..1000"};
  }
  const SessionRecord record = record_of(fresh, clock_());
  insert(session_of(record));
  bus_.session_created.publish({.record = record});
  return {};
}

std::vector<SessionId> Memory::list_sessions(const std::optional<ProjectId>& project) const {
  std::vector<const MemorySession*> listed;
  const auto add = [&](const MemorySession& session) {
    if (session.status != MemoryStatus::closed) listed.push_back(&session);
  };
  if (!project) {
    for (const auto& [id, session] : sessions_) add(session);
  } else if (const auto index = project_sessions_.find(*project);
             index != project_sessions_.end()) {
    for (const SessionId& id : index->second) {
      if (const MemorySession* session = get_session(id)) add(*session);
    }
  }
  std::ranges::sort(listed, [](const MemorySession* a, const MemorySession* b) {
    return std::tie(a->created_at, a->id) < std::tie(b->created_at, b->id);
  });
  std::vector<SessionId> ids;
  for (const MemorySession* session : listed) ids.push_back(session->id);
  return ids;
}

std::size_t Memory::count() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions_, [](const auto& held) { return held.second.status != MemoryStatus::closed; }));
}

Result<void> Memory::update_status(const SessionId& id, MemoryStatus to, std::string_view reason) {
  MemorySession* session = find(id);
  if (session == nullptr) return no_such_session(id);
  const MemoryStatus from = session->status;
  if (from == to) return {};
  if (!transition_allowed(canonical(from), canonical(to))) {
    return bad_transition(id, canonical(from), canonical(to));
  }
  const WallTime now = clock_();
  session->status = to;
  session->updated_at = now;
  // What belongs to a status ends with it: no timer is left behind that knows only an id.
  session->suspension.reset();
  session->disconnect.keep_alive_until.reset();
  if (to == MemoryStatus::suspended) {
    session->suspension = Suspension{
        .suspended_at = now, .expires_at = now + limits_.suspension_ttl, .before = canonical(from)};
  } else if (to == MemoryStatus::inactive && limits_.detached_ttl > Millis{0}) {
    session->disconnect.keep_alive_until = now + limits_.detached_ttl;
  }

  bus_.session_status_changed.publish(
      {.id = session->id, .from = from, .to = to, .reason = reason, .at = now});
  if (to == MemoryStatus::active) bus_.session_websocket_connected.publish({.id = session->id});
  if (to == MemoryStatus::suspended) {
    bus_.session_suspended.publish({.id = session->id, .project = session->project_id});
  }
  return {};
}

Result<SessionState> Memory::resume_session(const SessionId& id) {
  const MemorySession* session = get_session(id);
  if (session == nullptr) return no_such_session(id);
  if (session->status != MemoryStatus::suspended) return canonical(session->status);
  const SessionState before =
      session->suspension ? session->suspension->before : SessionState::detached;
  if (auto done = update_status(id, memory_status(before), "resumed"); !done) return done.error();
  return before;
}

Result<void> Memory::set_session_focus(const SessionId& id, bool focused) {
  MemorySession* session = find(id);
  if (session == nullptr) return no_such_session(id);
  if (session->is_focused == focused) return {};
  session->is_focused = focused;
  session->updated_at = clock_();
  return {};
}

Result<void> Memory::rename_session(const SessionId& id, std::string_view name) {
  MemorySession* session = find(id);
  if (session == nullptr) return no_such_session(id);
  if (session->tab_name == name) return {};
  session->tab_name = name;
  session->updated_at = clock_();
  return {};
}

Result<void> Memory::set_close_code(const SessionId& id, int code) {
  MemorySession* session = find(id);
  if (session == nullptr) return no_such_session(id);
  if (session->disconnect.last_close_code == code) return {};
  session->disconnect.last_close_code = code;
  session->updated_at = clock_();
  return {};
}

void Memory::update_activity(const SessionId& id) {
  if (MemorySession* session = find(id)) session->last_activity = clock_();
}

void Memory::mark_updated(const SessionId& id) {
  if (MemorySession* session = find(id)) session->updated_at = clock_();
}

Result<void> Memory::close_session(const SessionId& id, std::string_view reason) {
  if (!sessions_.contains(id)) return no_such_session(id);
  const SessionId gone = id;  // The caller's may be our own.
  erase(gone);
  bus_.session_closed.publish({.id = gone, .reason = reason});
  return {};
}

std::vector<SessionId> Memory::expired_sessions() const {
  const WallTime now = clock_();
  std::vector<SessionId> ids;
  for (const auto& [id, session] : sessions_) {
    const auto& keep_alive_until = session.disconnect.keep_alive_until;
    const bool detached_over =
        session.status == MemoryStatus::inactive && keep_alive_until && now >= *keep_alive_until;
    const bool suspension_over = session.status == MemoryStatus::suspended && session.suspension &&
                                 session.suspension->over(now);
    if (detached_over || suspension_over) ids.push_back(id);
  }
  std::ranges::sort(ids);
  return ids;
}

void Memory::describe(const SessionId& id, SessionRecord& record) const {
  const MemorySession* session = get_session(id);
  if (session == nullptr) return;
  record.id = session->id;
  record.project_id = session->project_id;
  record.user_id = session->user_id;
  record.type = session->type;
  record.mode = session->mode;
  record.tab_name = session->tab_name;
  record.status = canonical(session->status);
  record.focused = session->is_focused;
  record.created_at = session->created_at;
  record.updated_at = session->updated_at;
  record.last_activity = session->last_activity;
  record.suspension = session->suspension;
  record.disconnect = session->disconnect;
}

Result<void> Memory::import_session(const SessionRecord& record) {
  if (sessions_.contains(record.id)) return session_exists(record.id);
  if (auto checked = check(record); !checked) return checked;
  insert(session_of(record));
  bus_.session_created.publish({.record = record, .imported = true});
  return {};
}

Result<void> Memory::release_session(const SessionId& id) {
  if (!sessions_.contains(id)) return no_such_session(id);
  const SessionId gone = id;
  erase(gone);
  bus_.session_closed.publish({.id = gone, .reason = "moved", .moved = true});
  return {};
}

std::vector<SessionStatus> Memory::statuses() const {
  std::vector<SessionStatus> all;
  for (const auto& [id, session] : sessions_) all.push_back({id, session.status});
  return all;
}

std::optional<std::string> Memory::misindexed() const {
  std::size_t indexed = 0;
  for (const auto& [project, ids] : project_sessions_) {
    indexed += ids.size();
    for (const SessionId& id : ids) {
      const MemorySession* session = get_session(id);
      if (session == nullptr) return "project " + project + " lists " + id + ", which is not here";
      if (session->project_id != project) {
        return "project " + project + " lists " + id + ", which is of " + session->project_id;
      }
    }
  }
  if (indexed == sessions_.size()) return std::nullopt;
  return "the project index lists " + std::to_string(indexed) + " of " +
         std::to_string(sessions_.size()) + " sessions";
}

ModuleHealth Memory::health() const {
  const std::size_t held = count();
  const auto unhealthy = [](std::string why) {
    return ModuleHealth{.module = "memory", .healthy = false, .detail = std::move(why)};
  };
  if (auto wrong = misindexed()) return unhealthy(*std::move(wrong));
  if (auto wrong = misfocused()) return unhealthy(*std::move(wrong));
  if (held > limits_.max_sessions) {  // Reaching it is no fault: new ones are refused.
    return unhealthy(std::to_string(held) + " sessions exceed MAX_TERMINAL_SESSIONS (" +
                     std::to_string(limits_.max_sessions) + ")");
  }
  return {.module = "memory",
          .detail = std::to_string(held) + " sessions of at most " +
                    std::to_string(limits_.max_sessions) +
                    ", project index and focus sets agree with them"};
}

}  // namespace term::legacy
