#pragma once
// SessionService of the legacy engine: memory, lifecycle and memory pool together.

#include "legacy/lifecycle.h"
#include "legacy/memory.h"
#include "legacy/memory_pool.h"
#include "session/ports.h"

namespace term::legacy {

/// Puts a session's record together from the three modules, and takes it apart again. Keeps nothing
/// itself: memory decides, the others follow by events. The modules are borrowed from the engine.
class SessionPort final : public SessionService {
 public:
  SessionPort(Memory& memory, LifecycleModule& lifecycle, MemoryPool& pool);

  Result<void> create(const NewSession& fresh) override;
  Result<SessionRecord> find(const SessionId& id) const override;
  std::vector<SessionRecord> list(const std::optional<ProjectId>& project) const override;
  std::size_t count() const override;

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
  std::vector<SessionId> expired() const override;

  Result<SessionRecord> export_session(const SessionId& id) const override;
  Result<void> import_session(const SessionRecord& record) override;
  Result<void> release(const SessionId& id) override;

  Result<Admission> admit(const AdmitRequest& request) override;
  FocusUpdate leave(const ProjectId& project, const SessionId& id) override;
  Result<FocusUpdate> focus(const ProjectId& project, const SessionId& id, bool focused) override;
  std::vector<SessionId> focused(const ProjectId& project) const override;
  void save_layout(const ProjectId& project, std::string_view layout) override;
  std::optional<ProjectRecord> export_project(const ProjectId& project) const override;
  Result<void> import_project(const ProjectRecord& record) override;
  void release_project(const ProjectId& project) override;
  std::vector<ProjectId> projects() const override;

  std::vector<ModuleHealth> health() const override;

 private:
  Memory& memory_;
  LifecycleModule& lifecycle_;
  MemoryPool& pool_;
};

}  // namespace term::legacy
