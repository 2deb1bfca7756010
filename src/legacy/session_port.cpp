#include "legacy/session_port.h"

namespace term::legacy {

SessionPort::SessionPort(Memory& memory, LifecycleModule& lifecycle, MemoryPool& pool)
    : memory_(memory), lifecycle_(lifecycle), pool_(pool) {}

Result<void> SessionPort::create(const NewSession& fresh) { return memory_.create_session(fresh); }

Result<SessionRecord> SessionPort::find(const SessionId& id) const {
  if (memory_.get_session(id) == nullptr) return no_such_session(id);
  SessionRecord record;
  memory_.describe(id, record);
  lifecycle_.describe(id, record);
  pool_.describe(id, record);
  return record;
}

std::vector<SessionRecord> SessionPort::list(const std::optional<ProjectId>& project) const {
  std::vector<SessionRecord> records;
  for (const SessionId& id : memory_.list_sessions(project)) {
    if (auto record = find(id)) records.push_back(*std::move(record));
  }
  return records;
}

std::size_t SessionPort::count() const { return memory_.count(); }

Result<void> SessionPort::transition(const SessionId& id, SessionState to,
                                     std::string_view reason) {
  return memory_.update_status(id, memory_status(to), reason);
}

Result<void> SessionPort::suspend(const SessionId& id) {
  return memory_.update_status(id, MemoryStatus::suspended, "suspended");
}

Result<SessionState> SessionPort::resume(const SessionId& id) { return memory_.resume_session(id); }

Result<void> SessionPort::set_focused(const SessionId& id, bool focused) {
  return memory_.set_session_focus(id, focused);
}

Result<void> SessionPort::rename(const SessionId& id, std::string_view name) {
  return memory_.rename_session(id, name);
}

Result<void> SessionPort::set_window(const SessionId& id, WindowSize size) {
  PooledSession* session = pool_.get_session(id);
  if (session == nullptr) return no_such_session(id);
  if (!valid(size)) {
    return Error{Errc::bad_argument, "session " + id + ": cols and rows must be 1..1000"};
  }
  if (session->window == size) return {};
  session->window = size;
  memory_.mark_updated(id);
  return {};
}

Result<void> SessionPort::set_current_path(const SessionId& id, std::string_view path) {
  PooledSession* session = pool_.get_session(id);
  if (session == nullptr) return no_such_session(id);
  if (session->current_path == path) return {};
  session->current_path = path;
  memory_.mark_updated(id);
  return {};
}

Result<void> SessionPort::set_close_code(const SessionId& id, int code) {
  return memory_.set_close_code(id, code);
}

void SessionPort::touch(const SessionId& id) { memory_.update_activity(id); }

Result<void> SessionPort::close(const SessionId& id, std::string_view reason) {
  return memory_.close_session(id, reason);
}

std::vector<SessionId> SessionPort::expired() const { return memory_.expired_sessions(); }

Result<SessionRecord> SessionPort::export_session(const SessionId& id) const { return find(id); }

Result<void> SessionPort::import_session(const SessionRecord& record) {
  return memory_.import_session(record);
}

Result<void> SessionPort::release(const SessionId& id) { return memory_.release_session(id); }

Result<Admission> SessionPort::admit(const AdmitRequest& request) { return memory_.admit(request); }

FocusUpdate SessionPort::leave(const ProjectId& project, const SessionId& id) {
  return memory_.leave(project, id);
}

Result<FocusUpdate> SessionPort::focus(const ProjectId& project, const SessionId& id,
                                       bool focused) {
  return memory_.focus(project, id, focused);
}

std::vector<SessionId> SessionPort::focused(const ProjectId& project) const {
  return memory_.focused_sessions(project);
}

void SessionPort::save_layout(const ProjectId& project, std::string_view layout) {
  memory_.save_project_layout(project, layout);
}

std::optional<ProjectRecord> SessionPort::export_project(const ProjectId& project) const {
  return memory_.export_project(project);
}

Result<void> SessionPort::import_project(const ProjectRecord& record) {
  return memory_.import_project(record);
}

void SessionPort::release_project(const ProjectId& project) { memory_.release_project(project); }

std::vector<ProjectId> SessionPort::projects() const { return memory_.projects(); }

std::vector<ModuleHealth> SessionPort::health() const {
  const std::vector<SessionStatus> held = memory_.statuses();
  return {memory_.health(), lifecycle_.health(held), pool_.health(held)};
}

}  // namespace term::legacy
