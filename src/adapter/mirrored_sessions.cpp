#include "adapter/mirrored_sessions.h"

#include <exception>
#include <type_traits>

namespace term::adapter {

void MirroredSessions::count(const char* what, std::string_view whom, std::string_view why) {
  ++failures_.count;
  failures_.newest = std::string(what) + " " + std::string(whom) + ": " + std::string(why);
}

template <class Operation>
void MirroredSessions::follow(const char* what, std::string_view whom, bool expected,
                              Operation operation) {
  try {
    using Answer = std::invoke_result_t<Operation, SessionService&>;
    if constexpr (requires(Answer answer) { answer.has_value(); }) {
      const auto answer = operation(*shadow_);
      if (answer.has_value() == expected) return;
      count(what, whom, expected ? answer.error().detail : "accepted, which the owner refused");
    } else {
      operation(*shadow_);
    }
  } catch (const std::exception& e) {
    count(what, whom, e.what());
  }
}

template <class Operation>
auto MirroredSessions::both(const char* what, std::string_view whom, Operation operation) {
  if (shadow_ == nullptr) return operation(owner_);
  const Moment::Still still(moment_);
  auto answer = operation(owner_);
  follow(what, whom, answer.has_value(), operation);
  return answer;
}

Result<void> MirroredSessions::create(const NewSession& fresh) {
  const Moment::Still still(moment_);
  auto created = owner_.create(fresh);
  if (created && shadow_ != nullptr)
    follow("create", fresh.id, true, [&](SessionService& s) { return s.create(fresh); });
  return created;
}

Result<void> MirroredSessions::transition(const SessionId& id, SessionState to,
                                          std::string_view reason) {
  return both("transition", id, [&](SessionService& s) { return s.transition(id, to, reason); });
}

Result<void> MirroredSessions::suspend(const SessionId& id) {
  return both("suspend", id, [&](SessionService& s) { return s.suspend(id); });
}

Result<SessionState> MirroredSessions::resume(const SessionId& id) {
  return both("resume", id, [&](SessionService& s) { return s.resume(id); });
}

Result<void> MirroredSessions::set_focused(const SessionId& id, bool focused) {
  return both("focus", id, [&](SessionService& s) { return s.set_focused(id, focused); });
}

Result<void> MirroredSessions::rename(const SessionId& id, std::string_view name) {
  return both("rename", id, [&](SessionService& s) { return s.rename(id, name); });
}

Result<void> MirroredSessions::set_window(const SessionId& id, WindowSize size) {
  return both("window", id, [&](SessionService& s) { return s.set_window(id, size); });
}

Result<void> MirroredSessions::set_current_path(const SessionId& id, std::string_view path) {
  return both("path", id, [&](SessionService& s) { return s.set_current_path(id, path); });
}

Result<void> MirroredSessions::set_close_code(const SessionId& id, int code) {
  return both("close code", id, [&](SessionService& s) { return s.set_close_code(id, code); });
}

void MirroredSessions::touch(const SessionId& id) {
  if (shadow_ == nullptr) return owner_.touch(id);
  const Moment::Still still(moment_);
  owner_.touch(id);
  follow("touch", id, true, [&](SessionService& s) { s.touch(id); });
}

Result<void> MirroredSessions::close(const SessionId& id, std::string_view reason) {
  return both("close", id, [&](SessionService& s) { return s.close(id, reason); });
}

Result<void> MirroredSessions::import_session(const SessionRecord& record) {
  auto imported = owner_.import_session(record);
  if (imported && shadow_ != nullptr)
    follow("import", record.id, true, [&](SessionService& s) { return s.import_session(record); });
  return imported;
}

Result<void> MirroredSessions::release(const SessionId& id) {
  auto released = owner_.release(id);
  // One that a flip found before it was mirrored has no shadow to release.
  if (shadow_ != nullptr && shadow_->find(id))
    follow("release", id, true, [&](SessionService& s) { return s.release(id); });
  return released;
}

Result<Admission> MirroredSessions::admit(const AdmitRequest& request) {
  return both("admit", request.session, [&](SessionService& s) { return s.admit(request); });
}

FocusUpdate MirroredSessions::leave(const ProjectId& project, const SessionId& id) {
  auto update = owner_.leave(project, id);
  if (shadow_ != nullptr)
    follow("leave", project, true, [&](SessionService& s) { s.leave(project, id); });
  return update;
}

Result<FocusUpdate> MirroredSessions::focus(const ProjectId& project, const SessionId& id,
                                            bool focused) {
  return both("focus", project, [&](SessionService& s) { return s.focus(project, id, focused); });
}

void MirroredSessions::save_layout(const ProjectId& project, std::string_view layout) {
  owner_.save_layout(project, layout);
  if (shadow_ != nullptr)
    follow("layout", project, true, [&](SessionService& s) { s.save_layout(project, layout); });
}

Result<void> MirroredSessions::import_project(const ProjectRecord& record) {
  auto imported = owner_.import_project(record);
  if (imported && shadow_ != nullptr)
    follow("import", record.id, true, [&](SessionService& s) { return s.import_project(record); });
  return imported;
}

void MirroredSessions::release_project(const ProjectId& project) {
  owner_.release_project(project);
  if (shadow_ != nullptr)
    follow("release", project, true, [&](SessionService& s) { s.release_project(project); });
}

}  // namespace term::adapter
