#include "adapter/projects.h"

#include <algorithm>

namespace term::adapter {

SessionService* Projects::keeper(const ProjectId& project) const {
  const auto it = keepers_.find(project);
  return it == keepers_.end() ? nullptr : engines_.of(it->second).sessions;
}

Result<void> Projects::move(const ProjectId& project, Engine to) {
  const auto it = keepers_.find(project);
  if (it == keepers_.end() || it->second == to) return {};
  SessionService& from = *engines_.of(it->second).sessions;
  SessionService& next = *engines_.of(to).sessions;
  const auto record = from.export_project(project);
  if (!record) {
    keepers_.erase(it);
    return {};
  }
  if (auto in = next.import_project(*record); !in) return in;
  if (next.export_project(project) != record) {
    next.release_project(project);
    return Error{Errc::bad_snapshot, "project " + project + " changed in the move"};
  }
  from.release_project(project);
  it->second = to;
  return {};
}

Result<void> Projects::restore(const ProjectRecord& record, Engine engine) {
  if (auto in = engines_.of(engine).sessions->import_project(record); !in) return in;
  keepers_.insert_or_assign(record.id, engine);
  changed_.insert(record.id);
  return {};
}

std::optional<ProjectRecord> Projects::record(const ProjectId& project) const {
  const SessionService* service = keeper(project);
  return service == nullptr ? std::nullopt : service->export_project(project);
}

std::vector<ProjectId> Projects::take_changed(std::size_t most) {
  std::vector<ProjectId> taken;
  while (taken.size() < most && !changed_.empty())
    taken.push_back(std::move(changed_.extract(changed_.begin()).value()));
  return taken;
}

Result<void> Projects::join(ProjectRecord stored, Engine engine) {
  const auto here = record(stored.id);
  if (here) {
    const auto gone = [&](const SessionId& id) { return !std::ranges::count(here->sessions, id); };
    engine = keepers_.at(stored.id);
    stored.sessions = here->sessions;
    // The order of focus is known to the store alone after a crash; who is focused, to the
    // sessions.
    std::erase_if(stored.focused, gone);
    for (const SessionId& id : here->focused)
      if (!std::ranges::count(stored.focused, id)) stored.focused.push_back(id);
    std::erase_if(stored.focused,
                  [&](const SessionId& id) { return !std::ranges::count(here->focused, id); });
    if (!here->layout.empty()) stored.layout = here->layout;
    stored.name_counter = std::max(stored.name_counter, here->name_counter);
    // What was created here counts, whatever the store remembers.
    auto& creations = stored.recent_creations;
    creations.insert(creations.end(), here->recent_creations.begin(), here->recent_creations.end());
    std::ranges::sort(creations);
    const auto twice = std::ranges::unique(creations);
    creations.erase(twice.begin(), twice.end());
    stored.breaker_until = std::max(stored.breaker_until, here->breaker_until);
    engines_.of(engine).sessions->release_project(stored.id);
  } else {
    stored.sessions.clear();
    stored.focused.clear();
  }
  return restore(stored, engine);
}

std::vector<ProjectRecord> Projects::records() const {
  std::vector<ProjectRecord> all;
  for (const auto& [id, engine] : keepers_) {
    if (auto record = engines_.of(engine).sessions->export_project(id))
      all.push_back(std::move(*record));
  }
  return all;
}

void Projects::sweep() {
  std::erase_if(keepers_, [&](const auto& entry) {
    if (engines_.of(entry.second).sessions->export_project(entry.first)) return false;
    changed_.insert(entry.first);
    return true;
  });
  sweep_at_ = std::max<std::size_t>(20'000, 2 * keepers_.size());
}

Result<Admission> Projects::admit(const AdmitRequest& request, Engine engine) {
  changed_.insert(request.project);
  if (auto moved = move(request.project, engine); !moved) return moved.error();
  if (keepers_.size() >= sweep_at_) sweep();
  keepers_.insert_or_assign(request.project, engine);
  auto admission = engines_.of(engine).sessions->admit(request);
  if (!admission && !engines_.of(engine).sessions->export_project(request.project))
    keepers_.erase(request.project);
  return admission;
}

FocusUpdate Projects::leave(const ProjectId& project, const SessionId& id) {
  SessionService* service = keeper(project);
  if (service == nullptr) return {};
  changed_.insert(project);
  FocusUpdate update = service->leave(project, id);
  if (!service->export_project(project)) keepers_.erase(project);
  return update;
}

Result<FocusUpdate> Projects::focus(const ProjectId& project, const SessionId& id, bool focused) {
  SessionService* service = keeper(project);
  if (service == nullptr) return no_such_session(id);
  changed_.insert(project);
  return service->focus(project, id, focused);
}

std::vector<SessionId> Projects::focused(const ProjectId& project) const {
  const SessionService* service = keeper(project);
  return service == nullptr ? std::vector<SessionId>{} : service->focused(project);
}

void Projects::save_layout(const ProjectId& project, std::string_view layout) {
  SessionService* service = keeper(project);
  changed_.insert(project);
  if (service != nullptr && service->export_project(project)) service->save_layout(project, layout);
}

std::string Projects::layout(const ProjectId& project) const {
  const SessionService* service = keeper(project);
  if (service == nullptr) return {};
  const auto record = service->export_project(project);
  return record ? record->layout : std::string{};
}

std::vector<SessionId> Projects::sessions(const ProjectId& project) const {
  const SessionService* service = keeper(project);
  if (service == nullptr) return {};
  const auto record = service->export_project(project);
  return record ? record->sessions : std::vector<SessionId>{};
}

std::optional<std::pair<ProjectId, Engine>> Projects::next(const ProjectId& id, bool first) const {
  const auto it = first ? keepers_.begin() : keepers_.upper_bound(id);
  if (it == keepers_.end()) return std::nullopt;
  return *it;
}

std::vector<ProjectId> Projects::all() const {
  std::vector<ProjectId> ids;
  for (const auto& [id, keeper] : keepers_) ids.push_back(id);
  return ids;
}

}  // namespace term::adapter
