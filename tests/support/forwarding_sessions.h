#pragma once
// A registry that hands everything on to another one: what broken ones are made of.

#include "session/ports.h"

namespace term::test {

class ForwardingSessions : public SessionService {
 public:
  explicit ForwardingSessions(SessionService& inner) : inner_(inner) {}

  Result<void> create(const NewSession& fresh) override { return inner_.create(fresh); }
  Result<SessionRecord> find(const SessionId& id) const override { return inner_.find(id); }
  std::vector<SessionRecord> list(const std::optional<ProjectId>& project) const override {
    return inner_.list(project);
  }
  std::size_t count() const override { return inner_.count(); }
  Result<void> transition(const SessionId& id, SessionState to, std::string_view why) override {
    return inner_.transition(id, to, why);
  }
  Result<void> suspend(const SessionId& id) override { return inner_.suspend(id); }
  Result<SessionState> resume(const SessionId& id) override { return inner_.resume(id); }
  Result<void> set_focused(const SessionId& id, bool focused) override {
    return inner_.set_focused(id, focused);
  }
  Result<void> rename(const SessionId& id, std::string_view name) override {
    return inner_.rename(id, name);
  }
  Result<void> set_window(const SessionId& id, WindowSize size) override {
    return inner_.set_window(id, size);
  }
  Result<void> set_current_path(const SessionId& id, std::string_view path) override {
    return inner_.set_current_path(id, path);
  }
  Result<void> set_close_code(const SessionId& id, int code) override {
    return inner_.set_close_code(id, code);
  }
  void touch(const SessionId& id) override { inner_.touch(id); }
  Result<void> close(const SessionId& id, std::string_view reason) override {
    return inner_.close(id, reason);
  }
  std::vector<SessionId> expired() const override { return inner_.expired(); }
  Result<SessionRecord> export_session(const SessionId& id) const override {
    return inner_.export_session(id);
  }
  Result<void> import_session(const SessionRecord& record) override {
    return inner_.import_session(record);
  }
  Result<void> release(const SessionId& id) override { return inner_.release(id); }
  Result<Admission> admit(const AdmitRequest& request) override { return inner_.admit(request); }
  FocusUpdate leave(const ProjectId& project, const SessionId& id) override {
    return inner_.leave(project, id);
  }
  Result<FocusUpdate> focus(const ProjectId& project, const SessionId& id, bool focused) override {
    return inner_.focus(project, id, focused);
  }
  std::vector<SessionId> focused(const ProjectId& project) const override {
    return inner_.focused(project);
  }
  void save_layout(const ProjectId& project, std::string_view layout) override {
    inner_.save_layout(project, layout);
  }
  std::optional<ProjectRecord> export_project(const ProjectId& project) const override {
    return inner_.export_project(project);
  }
  Result<void> import_project(const ProjectRecord& record) override {
    return inner_.import_project(record);
  }
  void release_project(const ProjectId& project) override { inner_.release_project(project); }
  std::vector<ProjectId> projects() const override { return inner_.projects(); }
  std::vector<ModuleHealth> health() const override { return inner_.health(); }

 protected:
  SessionService& inner_;
};

}  // namespace term::test
