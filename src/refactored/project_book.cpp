#include "refactored/project_book.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "session/ids.h"

namespace term::refactored {

namespace {
constexpr Millis kRateWindow{60'000};

bool contains(const std::vector<SessionId>& ids, const SessionId& id) {
  return std::ranges::find(ids, id) != ids.end();
}

bool recent(WallTime at, WallTime now) { return at > now - kRateWindow; }

std::string seconds(Millis time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + " s";
}

Error limit_reached(std::string_view name, std::size_t value, std::string_view where) {
  return {Errc::limit_reached, std::string(name) + " is " + std::to_string(value) + " and " +
                                   std::string(where) + " has that many: end a session first"};
}

Result<void> check(const ProjectRecord& record) {
  const auto bad = [&](const std::string& why) {
    return Error{Errc::bad_snapshot, "project " + record.id + ": " + why};
  };
  if (!valid_project_id(record.id)) return bad("the id is not valid");
  const std::set<SessionId> known(record.sessions.begin(), record.sessions.end());
  if (known.size() != record.sessions.size()) return bad("sessions names one twice");
  const std::set<SessionId> focused(record.focused.begin(), record.focused.end());
  if (focused.size() != record.focused.size()) return bad("focused names one twice");
  if (!std::ranges::includes(known, focused)) return bad("focused names one not in sessions");
  return {};
}
}  // namespace

ProjectBook::ProjectBook(Clock clock, const SessionLimits& limits)
    : clock_(std::move(clock)), limits_(limits) {}

ProjectRecord& ProjectBook::record_of(const ProjectId& project) {
  ProjectRecord& record = projects_[project];
  record.id = project;
  return record;
}

std::optional<Error> ProjectBook::refusal(const AdmitRequest& request, WallTime now) {
  if (request.total_sessions >= limits_.max_sessions) {
    return limit_reached("MAX_TERMINAL_SESSIONS", limits_.max_sessions, "the service");
  }
  if (request.project.empty()) return std::nullopt;
  return project_refusal(request.project, now);
}

std::optional<Error> ProjectBook::project_refusal(const ProjectId& project, WallTime now) {
  static const ProjectRecord kUnknown;
  const auto found = projects_.find(project);
  const ProjectRecord& record = found == projects_.end() ? kUnknown : found->second;
  if (record.sessions.size() >= limits_.max_per_project) {
    return limit_reached("MAX_SESSIONS_PER_PROJECT", limits_.max_per_project, "project " + project);
  }
  if (record.breaker_until && now < *record.breaker_until) {
    const Millis left = *record.breaker_until - now;
    return Error{Errc::breaker_open,
                 "project " + project + " created sessions too fast: try again in " + seconds(left),
                 left};
  }
  const auto created = static_cast<std::size_t>(
      std::ranges::count_if(record.recent_creations, [&](WallTime at) { return recent(at, now); }));
  if (created < limits_.max_creations_per_min) return std::nullopt;
  record_of(project).breaker_until = now + limits_.breaker_reset;
  return Error{Errc::rate_limited,
               "project " + project + " created " + std::to_string(created) +
                   " sessions within 60 s and MAX_TERMINAL_CREATIONS_PER_MIN is " +
                   std::to_string(limits_.max_creations_per_min) + ": try again in " +
                   seconds(limits_.breaker_reset),
               limits_.breaker_reset};
}

void ProjectBook::forget_idle(WallTime now) {
  std::erase_if(projects_, [&](const auto& held) {
    const ProjectRecord& record = held.second;
    const bool tripped = record.breaker_until && now < *record.breaker_until;
    const bool quiet =
        std::ranges::none_of(record.recent_creations, [&](WallTime at) { return recent(at, now); });
    return record.sessions.empty() && quiet && !tripped;
  });
  forget_at_ = std::max(kMaxIdleProjects, 2 * projects_.size());  // Looking again must pay.
}

Result<Admission> ProjectBook::admit(const AdmitRequest& request) {
  const WallTime now = clock_();
  const auto held = projects_.find(request.project);
  const bool counted = held != projects_.end() && contains(held->second.sessions, request.session);
  if (!counted) {
    if (auto refused = refusal(request, now)) return *std::move(refused);
    if (projects_.size() >= forget_at_) forget_idle(now);
  }
  ProjectRecord& record = record_of(request.project);
  const bool has_project = !request.project.empty();
  if (!counted) {
    record.sessions.push_back(request.session);
    record.breaker_until.reset();
    std::erase_if(record.recent_creations, [&](WallTime at) { return !recent(at, now); });
    if (has_project) record.recent_creations.push_back(now);
    if (has_project && record.focused.size() < limits_.max_focused) {
      record.focused.push_back(request.session);
    }
  }
  std::string name = request.tab_name;
  if (name.empty()) name = "Terminal " + std::to_string(++record.name_counter);
  return Admission{.tab_name = std::move(name),
                   .focused = !has_project || contains(record.focused, request.session)};
}

FocusUpdate ProjectBook::leave(const ProjectId& project, const SessionId& id) {
  const auto found = projects_.find(project);
  if (found == projects_.end()) return {};
  ProjectRecord& record = found->second;
  FocusUpdate update;
  std::erase(record.sessions, id);
  if (std::erase(record.focused, id) > 0) update.changed.push_back({id, false});
  update.focused = record.focused;
  return update;
}

Result<FocusUpdate> ProjectBook::focus(const ProjectId& project, const SessionId& id,
                                       bool focused) {
  const auto found = projects_.find(project);
  if (found == projects_.end() || !contains(found->second.sessions, id)) {
    return no_such_session(id);
  }
  if (project.empty()) return FocusUpdate{.changed = {}, .focused = {id}};

  std::vector<SessionId>& order = found->second.focused;
  FocusUpdate update;
  const bool was_focused = std::erase(order, id) > 0;
  if (focused) {
    const std::size_t limit = std::max<std::size_t>(limits_.max_focused, 1);
    while (order.size() >= limit) {
      update.changed.push_back({order.front(), false});
      order.erase(order.begin());
    }
    order.push_back(id);
  }
  if (was_focused != focused) update.changed.push_back({id, focused});
  update.focused = order;
  return update;
}

std::vector<SessionId> ProjectBook::focused(const ProjectId& project) const {
  const auto found = projects_.find(project);
  return found == projects_.end() ? std::vector<SessionId>{} : found->second.focused;
}

void ProjectBook::save_layout(const ProjectId& project, std::string_view layout) {
  record_of(project).layout = layout;
}

std::optional<ProjectRecord> ProjectBook::export_project(const ProjectId& project) const {
  const auto found = projects_.find(project);
  if (found == projects_.end()) return std::nullopt;
  return found->second;
}

Result<void> ProjectBook::import_project(const ProjectRecord& record) {
  if (auto checked = check(record); !checked) return checked;
  projects_[record.id] = record;
  return {};
}

void ProjectBook::release_project(const ProjectId& project) { projects_.erase(project); }

std::vector<ProjectId> ProjectBook::projects() const {
  std::vector<ProjectId> ids;
  for (const auto& [id, record] : projects_) ids.push_back(id);
  return ids;
}

}  // namespace term::refactored
