// The project half of memory: admission, names, focus sets, layouts.

#include <algorithm>
#include <set>

#include "legacy/memory.h"
#include "session/ids.h"

namespace term::legacy {

namespace {

constexpr Millis kRateWindow{60'000};
bool contains(const std::vector<SessionId>& ids, const SessionId& id) {
  return std::ranges::find(ids, id) != ids.end();
}

std::string in_seconds(Millis time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + " s";
}

bool names_one_twice(const std::vector<SessionId>& ids) {
  return std::set<SessionId>(ids.begin(), ids.end()).size() != ids.size();
}

/// The first of `focused` that is not in `sessions`.
const SessionId* stray_focus(const std::vector<SessionId>& sessions,
                             const std::vector<SessionId>& focused) {
  const auto it =
      std::ranges::find_if(focused, [&](const SessionId& id) { return !contains(sessions, id); });
  return it == focused.end() ? nullptr : &*it;
}

}  // namespace

std::optional<Error> Memory::refuse(const AdmitRequest& request, WallTime now) {
  if (request.total_sessions >= limits_.max_sessions) {
    return Error{Errc::limit_reached,
                 "MAX_TERMINAL_SESSIONS is " + std::to_string(limits_.max_sessions) + " and " +
                     std::to_string(request.total_sessions) + " sessions run: end one first"};
  }
  // A session without project has only the total to keep to.
  if (request.project.empty()) return std::nullopt;
  return refuse_project(request.project, now);
}

std::optional<Error> Memory::refuse_project(const ProjectId& id, WallTime now) {
  Project& project = projects_[id];
  if (project.sessions.size() >= limits_.max_per_project) {
    return Error{Errc::limit_reached,
                 "MAX_SESSIONS_PER_PROJECT is " + std::to_string(limits_.max_per_project) +
                     " and project " + id + " has " + std::to_string(project.sessions.size()) +
                     ": end one first"};
  }
  if (project.tripped_until && now < *project.tripped_until) {
    const Millis left = *project.tripped_until - now;
    return Error{Errc::breaker_open,
                 "project " + id + " created sessions too fast: try again in " + in_seconds(left),
                 left};
  }
  const auto recent =
      std::ranges::count_if(project.creations, [&](WallTime at) { return at > now - kRateWindow; });
  if (static_cast<std::size_t>(recent) < limits_.max_creations_per_min) return std::nullopt;
  project.tripped_until = now + limits_.breaker_reset;
  return Error{Errc::rate_limited,
               "MAX_TERMINAL_CREATIONS_PER_MIN is " +
                   std::to_string(limits_.max_creations_per_min) + " and project " + id +
                   " created " + std::to_string(recent) + " sessions within 60 s: try again in " +
                   in_seconds(limits_.breaker_reset),
               limits_.breaker_reset};
}

Result<Admission> Memory::admit(const AdmitRequest& request) {
  const WallTime now = clock_();
  const bool has_project = !request.project.empty();
  const auto held = projects_.find(request.project);
  const bool counted = held != projects_.end() && contains(held->second.sessions, request.session);
  if (!counted) {
    if (auto refused = refuse(request, now)) return *std::move(refused);
    if (projects_.size() >= forget_at_) forget_idle_projects(now);
  }
  Project& project = projects_[request.project];
  if (!counted) {
    project.sessions.push_back(request.session);
    project.tripped_until.reset();
    std::erase_if(project.creations, [&](WallTime at) { return at <= now - kRateWindow; });
    if (has_project) project.creations.push_back(now);
    if (has_project && project.focused.size() < limits_.max_focused) {
      project.focused.push_back(request.session);
      bus_.focus_changed.publish({.id = request.session,
                                  .project = request.project,
                                  .focused = true,
                                  .all_focused = project.focused});
    }
  }
  return Admission{.tab_name = request.tab_name.empty()
                                   ? "Terminal " + std::to_string(++project.session_counter)
                                   : request.tab_name,
                   .focused = !has_project || contains(project.focused, request.session)};
}

void Memory::forget_idle_projects(WallTime now) {
  std::erase_if(projects_, [&](const auto& held) {
    const Project& project = held.second;
    const bool quiet = std::ranges::none_of(project.creations,
                                            [&](WallTime at) { return at > now - kRateWindow; });
    const bool tripped = project.tripped_until && now < *project.tripped_until;
    return project.sessions.empty() && quiet && !tripped;
  });
  forget_at_ = std::max(kMaxIdleProjects, 2 * projects_.size());  // Looking again must pay.
}

FocusUpdate Memory::leave(const ProjectId& id, const SessionId& session) {
  const auto it = projects_.find(id);
  if (it == projects_.end()) return {};
  Project& project = it->second;
  std::erase(project.sessions, session);
  const bool was_focused = std::erase(project.focused, session) > 0;
  FocusUpdate update{.changed = {}, .focused = project.focused};
  if (was_focused) {
    update.changed.push_back({session, false});
    bus_.focus_changed.publish(
        {.id = session, .project = id, .focused = false, .all_focused = project.focused});
  }
  return update;
}

Result<FocusUpdate> Memory::focus(const ProjectId& id, const SessionId& session, bool focused) {
  const auto it = projects_.find(id);
  if (it == projects_.end() || !contains(it->second.sessions, session)) {
    return no_such_session(session);
  }
  if (id.empty()) return FocusUpdate{.changed = {}, .focused = {session}};  // Always focused.

  std::vector<SessionId>& order = it->second.focused;
  FocusUpdate update;
  const bool was_focused = std::erase(order, session) > 0;
  if (focused) {
    const std::size_t limit = std::max<std::size_t>(limits_.max_focused, 1);
    while (order.size() >= limit) {
      update.changed.push_back({order.front(), false});
      order.erase(order.begin());
    }
    order.push_back(session);
  }
  if (was_focused != focused) update.changed.push_back({session, focused});
  update.focused = order;
  for (const FocusChange& change : update.changed) {
    bus_.focus_changed.publish({.id = change.session,
                                .project = id,
                                .focused = change.focused,
                                .all_focused = update.focused});
  }
  return update;
}

std::vector<SessionId> Memory::focused_sessions(const ProjectId& project) const {
  const auto it = projects_.find(project);
  return it == projects_.end() ? std::vector<SessionId>{} : it->second.focused;
}

void Memory::save_project_layout(const ProjectId& project, std::string_view layout) {
  projects_[project].layout = layout;
}

std::optional<ProjectRecord> Memory::export_project(const ProjectId& id) const {
  const auto it = projects_.find(id);
  if (it == projects_.end()) return std::nullopt;
  const Project& project = it->second;
  return ProjectRecord{.id = id,
                       .sessions = project.sessions,
                       .focused = project.focused,
                       .layout = project.layout,
                       .name_counter = project.session_counter,
                       .recent_creations = project.creations,
                       .breaker_until = project.tripped_until};
}

Result<void> Memory::import_project(const ProjectRecord& record) {
  const auto bad = [&](const std::string& why) {
    return Error{Errc::bad_snapshot, "project " + record.id + ": " + why};
  };
  if (!valid_project_id(record.id)) return bad("the id is not valid");
  if (names_one_twice(record.sessions)) return bad("sessions names one twice");
  if (names_one_twice(record.focused)) return bad("focused names one twice");
  if (const SessionId* stray = stray_focus(record.sessions, record.focused)) {
    return bad("focused names " + *stray + ", which is not among its sessions");
  }
  projects_.insert_or_assign(record.id, Project{.sessions = record.sessions,
                                                .focused = record.focused,
                                                .creations = record.recent_creations,
                                                .tripped_until = record.breaker_until,
                                                .layout = record.layout,
                                                .session_counter = record.name_counter});
  return {};
}

void Memory::release_project(const ProjectId& project) { projects_.erase(project); }

std::vector<ProjectId> Memory::projects() const {
  std::vector<ProjectId> ids;
  for (const auto& [id, project] : projects_) ids.push_back(id);
  return ids;
}

std::optional<std::string> Memory::misfocused() const {
  for (const auto& [id, project] : projects_) {
    if (const SessionId* stray = stray_focus(project.sessions, project.focused)) {
      return "project " + id + " has focus on " + *stray + ", which is not among its sessions";
    }
    if (names_one_twice(project.focused)) return "project " + id + " has one focused twice";
  }
  return std::nullopt;
}

}  // namespace term::legacy
