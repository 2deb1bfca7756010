#pragma once
// A registry with a second one behind it that hears of every change: dual write.

#include <cstdint>
#include <string>

#include "adapter/moment.h"
#include "session/ports.h"

namespace term::adapter {

/// Operations that ended well in one registry and badly in the other.
struct MirrorFailures {
  std::uint64_t count = 0;
  std::string newest;  ///< Which operation, and what the shadow said.
};

/// The owner's registry as the adapter reaches it. Changes go to the owner and then, as the same
/// operation at the same time, to the shadow, which is the other engine's registry. Whatever is
/// asked is answered by the owner alone; a shadow that refuses, differs or throws is counted and
/// changes nothing. Without a shadow every call is the owner's.
///
/// Thread: the shard's. The registries are borrowed.
class MirroredSessions final : public SessionService {
 public:
  MirroredSessions(SessionService& owner, Moment& moment, MirrorFailures& failures)
      : owner_(owner), moment_(moment), failures_(failures) {}
  void mirror_to(SessionService* shadow) { shadow_ = shadow; }

  Result<void> create(const NewSession& fresh) override;
  Result<SessionRecord> find(const SessionId& id) const override { return owner_.find(id); }
  std::vector<SessionRecord> list(const std::optional<ProjectId>& project) const override {
    return owner_.list(project);
  }
  std::size_t count() const override { return owner_.count(); }
  Result<void> transition(const SessionId& id, SessionState to, std::string_view reason) override;
  Result<void> suspend(const SessionId& id) override;
  Result<SessionState> resume(const SessionId& id) override;
  Result<void> set_focused(const SessionId& id, bool focused) override;
  Result<void> rename(const SessionId& id, std::string_view name) override;
  Result<void> set_window(const SessionId& id, WindowSize size) override;
  Result<void> set_current_path(const SessionId& id, std::string_view path) override;
  Result<void> set_close_code(const SessionId& id, int code) override;
  void touch(const SessionId& id) override;
  Result<void> close(const SessionId& id, std::string_view reason) override;
  std::vector<SessionId> expired() const override { return owner_.expired(); }
  Result<SessionRecord> export_session(const SessionId& id) const override {
    return owner_.export_session(id);
  }
  Result<void> import_session(const SessionRecord& record) override;
  Result<void> release(const SessionId& id) override;

  Result<Admission> admit(const AdmitRequest& request) override;
  FocusUpdate leave(const ProjectId& project, const SessionId& id) override;
  Result<FocusUpdate> focus(const ProjectId& project, const SessionId& id, bool focused) override;
  std::vector<SessionId> focused(const ProjectId& project) const override {
    return owner_.focused(project);
  }
  void save_layout(const ProjectId& project, std::string_view layout) override;
  std::optional<ProjectRecord> export_project(const ProjectId& project) const override {
    return owner_.export_project(project);
  }
  Result<void> import_project(const ProjectRecord& record) override;
  void release_project(const ProjectId& project) override;
  std::vector<ProjectId> projects() const override { return owner_.projects(); }
  std::vector<ModuleHealth> health() const override { return owner_.health(); }

 private:
  /// The operation on both; the owner's answer.
  template <class Operation>
  auto both(const char* what, std::string_view whom, Operation operation);
  /// The operation on the shadow alone. `expected`: it should succeed.
  template <class Operation>
  void follow(const char* what, std::string_view whom, bool expected, Operation operation);
  void count(const char* what, std::string_view whom, std::string_view why);

  SessionService& owner_;
  SessionService* shadow_ = nullptr;
  Moment& moment_;
  MirrorFailures& failures_;
};

}  // namespace term::adapter
