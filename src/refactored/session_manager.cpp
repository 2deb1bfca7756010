#include "refactored/session_manager.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "session/ids.h"

namespace term::refactored {

namespace {
/// Books the time spent in the state that ends and writes the transition down.
void advance(SessionRecord& record, SessionState to, std::string_view reason, WallTime now) {
  Lifecycle& life = record.lifecycle;
  const Millis spent = std::max(now - life.entered_at, Millis{0});
  if (life.state == SessionState::attached) life.active_time += spent;
  if (life.state == SessionState::suspended) life.suspended_time += spent;
  if (life.transitions.size() >= kMaxTransitions) {
    const auto excess = life.transitions.size() - kMaxTransitions + 1;
    life.transitions.erase(life.transitions.begin(),
                           life.transitions.begin() + static_cast<std::ptrdiff_t>(excess));
  }
  life.transitions.push_back({life.state, to, now, std::string(reason)});
  life.state = to;
  life.entered_at = now;
  record.status = to;
}

/// What belongs to a state comes and goes with it; called after advance().
void keep_what_belongs(SessionRecord& record, const SessionLimits& limits, WallTime now) {
  const SessionState before = record.lifecycle.transitions.back().from;
  record.suspension.reset();
  record.disconnect.keep_alive_until.reset();
  if (record.status == SessionState::suspended) {
    record.suspension = Suspension{
        .suspended_at = now, .expires_at = now + limits.suspension_ttl, .before = before};
  }
  if (record.status == SessionState::detached && limits.detached_ttl > Millis{0}) {
    record.disconnect.keep_alive_until = now + limits.detached_ttl;
  }
}

/// When it ends by itself; max = never.
WallTime over_at(const SessionRecord& record) {
  constexpr WallTime kNever = WallTime::max();
  if (record.status == SessionState::detached)
    return record.disconnect.keep_alive_until.value_or(kNever);
  if (record.status != SessionState::suspended || !record.suspension) return kNever;
  const Suspension& suspension = *record.suspension;
  return suspension.over(suspension.expires_at) ? suspension.expires_at : kNever;
}

bool older(const SessionRecord& a, const SessionRecord& b) {
  return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id);
}

Result<void> check(const SessionRecord& record) {
  const auto bad = [&](const std::string& why) {
    return Error{Errc::bad_snapshot, "session " + record.id + ": " + why};
  };
  if (!valid_session_id(record.id)) return bad("the id is not valid");
  if (!valid_project_id(record.project_id)) return bad("projectId is not valid");
  if (!valid(record.window)) return bad("cols and rows must be 1..1000");
  if (record.status != record.lifecycle.state) {
    return bad("status is " + std::string(to_string(record.status)) + " but lifecycle.state is " +
               std::string(to_string(record.lifecycle.state)));
  }
  if (record.lifecycle.transitions.size() > kMaxTransitions) {
    return bad("lifecycle has more than " + std::to_string(kMaxTransitions) + " transitions");
  }
  if (!record.suspension) return {};
  if (record.status != SessionState::suspended) return bad("suspension is set but not its status");
  const SessionState before = record.suspension->before;
  if (before != SessionState::attached && before != SessionState::detached) {
    return bad("suspension.before is " + std::string(to_string(before)));
  }
  return {};
}
}  // namespace

SessionManager::SessionManager(Clock clock, const SessionLimits& limits)
    : clock_(clock), limits_(limits), projects_(std::move(clock), limits) {}

void SessionManager::insert(const SessionRecord& record) {
  by_project_[record.project_id].insert(record.id);
  sessions_.emplace(record.id, record);
  expect_end(record);
}

void SessionManager::expect_end(const SessionRecord& record) const {
  none_over_before_ = std::min(none_over_before_, over_at(record));
}

void SessionManager::erase(const SessionId& id) {
  const auto held = sessions_.find(id);
  const auto index = by_project_.find(held->second.project_id);
  if (index != by_project_.end()) {
    index->second.erase(id);
    if (index->second.empty()) by_project_.erase(index);
  }
  sessions_.erase(held);
}

Result<void> SessionManager::create(const NewSession& fresh) {
  if (sessions_.contains(fresh.id)) {
    return Error{Errc::session_exists, "session " + fresh.id + " exists already"};
  }
  if (!valid(fresh.window)) {
    return Error{Errc::bad_argument, "session " + fresh.id + ": cols and rows must be 1..1000"};
  }
  const WallTime now = clock_();
  SessionRecord record{.id = fresh.id,
                       .project_id = fresh.project_id,
                       .user_id = fresh.user_id,
                       .type = fresh.type,
                       .mode = fresh.mode,
                       .tab_name = fresh.tab_name,
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
  record.lifecycle.entered_at = now;
  insert(record);
  return {};
}

Result<SessionRecord> SessionManager::find(const SessionId& id) const {
  const auto held = sessions_.find(id);
  if (held == sessions_.end()) return no_such_session(id);
  return held->second;
}

std::vector<SessionRecord> SessionManager::list(const std::optional<ProjectId>& project) const {
  std::vector<SessionRecord> listed;
  const auto add = [&](const SessionRecord& record) {
    if (record.status != SessionState::closed) listed.push_back(record);
  };
  if (!project) {
    for (const auto& [id, record] : sessions_) add(record);
  } else if (const auto index = by_project_.find(*project); index != by_project_.end()) {
    for (const SessionId& id : index->second) {
      if (const auto held = sessions_.find(id); held != sessions_.end()) add(held->second);
    }
  }
  std::ranges::sort(listed, older);
  return listed;
}

std::size_t SessionManager::count() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions_, [](const auto& held) { return held.second.status != SessionState::closed; }));
}

Result<void> SessionManager::move_to(SessionRecord& record, SessionState to,
                                     std::string_view reason) {
  if (record.status == to) return {};
  if (!transition_allowed(record.status, to)) return bad_transition(record.id, record.status, to);
  const WallTime now = clock_();
  advance(record, to, reason, now);
  keep_what_belongs(record, limits_, now);
  expect_end(record);
  record.updated_at = now;
  return {};
}

Result<void> SessionManager::transition(const SessionId& id, SessionState to,
                                        std::string_view reason) {
  const auto held = sessions_.find(id);
  if (held == sessions_.end()) return no_such_session(id);
  return move_to(held->second, to, reason);
}

Result<void> SessionManager::suspend(const SessionId& id) {
  return transition(id, SessionState::suspended, "suspended");
}

Result<SessionState> SessionManager::resume(const SessionId& id) {
  const auto held = sessions_.find(id);
  if (held == sessions_.end()) return no_such_session(id);
  SessionRecord& record = held->second;
  if (record.status != SessionState::suspended) return record.status;
  const SessionState before =
      record.suspension ? record.suspension->before : SessionState::detached;
  if (auto moved = move_to(record, before, "resumed"); !moved) return moved.error();
  return before;
}

template <class T, class Value>
Result<void> SessionManager::set(const SessionId& id, T SessionRecord::* member,
                                 const Value& value) {
  const auto held = sessions_.find(id);
  if (held == sessions_.end()) return no_such_session(id);
  SessionRecord& record = held->second;
  if (record.*member == value) return {};
  record.*member = value;
  record.updated_at = clock_();
  return {};
}

Result<void> SessionManager::set_focused(const SessionId& id, bool focused) {
  return set(id, &SessionRecord::focused, focused);
}

Result<void> SessionManager::rename(const SessionId& id, std::string_view name) {
  return set(id, &SessionRecord::tab_name, name);
}

Result<void> SessionManager::set_window(const SessionId& id, WindowSize size) {
  if (!valid(size)) {
    return Error{Errc::bad_argument, "session " + id + ": cols and rows must be 1..1000"};
  }
  return set(id, &SessionRecord::window, size);
}

Result<void> SessionManager::set_current_path(const SessionId& id, std::string_view path) {
  return set(id, &SessionRecord::current_path, path);
}

Result<void> SessionManager::set_close_code(const SessionId& id, int code) {
  const auto held = sessions_.find(id);
  if (held == sessions_.end()) return no_such_session(id);
  Disconnect disconnect = held->second.disconnect;
  disconnect.last_close_code = code;
  return set(id, &SessionRecord::disconnect, disconnect);
}

void SessionManager::touch(const SessionId& id) {
  if (const auto held = sessions_.find(id); held != sessions_.end()) {
    held->second.last_activity = clock_();
  }
}

Result<void> SessionManager::close(const SessionId& id, std::string_view /*reason*/) {
  return release(id);
}

std::vector<SessionId> SessionManager::expired() const {
  const WallTime now = clock_();
  std::vector<SessionId> over;
  if (now < none_over_before_) return over;
  none_over_before_ = WallTime::max();
  for (const auto& [id, record] : sessions_) {
    expect_end(record);
    if (over_at(record) <= now) over.push_back(id);
  }
  std::ranges::sort(over);
  return over;
}

Result<SessionRecord> SessionManager::export_session(const SessionId& id) const { return find(id); }

Result<void> SessionManager::import_session(const SessionRecord& record) {
  if (sessions_.contains(record.id)) {
    return Error{Errc::session_exists, "session " + record.id + " exists already"};
  }
  if (auto checked = check(record); !checked) return checked;
  insert(record);
  return {};
}

Result<void> SessionManager::release(const SessionId& id) {
  if (!sessions_.contains(id)) return no_such_session(id);
  erase(id);
  return {};
}

std::size_t SessionManager::misindexed() const {
  std::size_t wrong = 0;
  std::size_t indexed = 0;
  for (const auto& [project, ids] : by_project_) {
    indexed += ids.size();
    for (const SessionId& id : ids) {
      const auto held = sessions_.find(id);
      if (held == sessions_.end() || held->second.project_id != project) ++wrong;
    }
  }
  const std::size_t right = indexed - wrong;
  return wrong + (sessions_.size() > right ? sessions_.size() - right : 0);
}

std::vector<ModuleHealth> SessionManager::health() const {
  ModuleHealth line{.module = "SessionManager"};
  const std::size_t held = count();
  const std::size_t wrong = misindexed();
  line.detail = std::to_string(held) + " sessions, at most " +
                std::to_string(limits_.max_sessions) + "; the project index agrees";
  if (held > limits_.max_sessions) {  // Reaching it is no fault: new ones are refused.
    line.healthy = false;
    line.detail = std::to_string(held) + " sessions exceed MAX_TERMINAL_SESSIONS (" +
                  std::to_string(limits_.max_sessions) + ")";
  }
  if (wrong > 0) {
    line.healthy = false;
    line.detail =
        "the project index disagrees with the sessions in " + std::to_string(wrong) + " places";
  }
  return {line};
}

Result<Admission> SessionManager::admit(const AdmitRequest& request) {
  return projects_.admit(request);
}

FocusUpdate SessionManager::leave(const ProjectId& project, const SessionId& id) {
  return projects_.leave(project, id);
}

Result<FocusUpdate> SessionManager::focus(const ProjectId& project, const SessionId& id,
                                          bool focused) {
  return projects_.focus(project, id, focused);
}

std::vector<SessionId> SessionManager::focused(const ProjectId& project) const {
  return projects_.focused(project);
}

void SessionManager::save_layout(const ProjectId& project, std::string_view layout) {
  projects_.save_layout(project, layout);
}

std::optional<ProjectRecord> SessionManager::export_project(const ProjectId& project) const {
  return projects_.export_project(project);
}

Result<void> SessionManager::import_project(const ProjectRecord& record) {
  return projects_.import_project(record);
}

void SessionManager::release_project(const ProjectId& project) {
  projects_.release_project(project);
}

std::vector<ProjectId> SessionManager::projects() const { return projects_.projects(); }

}  // namespace term::refactored
