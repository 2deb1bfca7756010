#pragma once
// memory: who is there. Sessions, their status and activity, projects, focus, limits, suspension.

#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "legacy/events.h"
#include "session/ports.h"

namespace term::legacy {

/// A session as memory keeps it. Shell, window and the like are the pool's; history is lifecycle's.
struct MemorySession {
  SessionId id;
  ProjectId project_id;
  std::optional<std::string> user_id;
  std::string type;
  std::string mode;
  std::string tab_name;
  MemoryStatus status = MemoryStatus::connecting;
  bool is_focused = false;
  WallTime created_at{};
  WallTime updated_at{};
  WallTime last_activity{};
  std::optional<Suspension> suspension;
  Disconnect disconnect;

  /// Derived, so that they cannot contradict the status (origin.md 9, P-16, P-21).
  bool active() const { return status != MemoryStatus::closed && status != MemoryStatus::error; }
  bool ws_connected() const { return status == MemoryStatus::active; }
};

/// The registry of the legacy engine. Decides on every change of status and tells it by events;
/// lifecycle and pool follow. Source: reference/origin.md 2.1.
///
/// Nothing here runs by itself: no timer closes, expires or evicts anything.
class Memory final {
 public:
  /// Projects beyond this many are forgotten once they are empty and quiet; only their next session
  /// notices, by being `Terminal 1` again. Clients choose project ids, so they must not add up.
  static constexpr std::size_t kMaxIdleProjects = 10'000;

  Memory(Clock clock, EventBus& bus, const SessionLimits& limits);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Sessions: memory.cpp. Errors as in SessionService.
  Result<void> create_session(const NewSession& fresh);
  const MemorySession* get_session(const SessionId& id) const;
  /// Ids of all sessions but closed ones, oldest first; of one project if given.
  std::vector<SessionId> list_sessions(const std::optional<ProjectId>& project) const;
  std::size_t count() const;
  Result<void> update_status(const SessionId& id, MemoryStatus to, std::string_view reason);
  Result<SessionState> resume_session(const SessionId& id);
  Result<void> set_session_focus(const SessionId& id, bool focused);
  Result<void> rename_session(const SessionId& id, std::string_view name);
  Result<void> set_close_code(const SessionId& id, int code);
  void update_activity(const SessionId& id);
  /// Another module changed its share of the session.
  void mark_updated(const SessionId& id);
  Result<void> close_session(const SessionId& id, std::string_view reason);
  std::vector<SessionId> expired_sessions() const;

  /// Fills in memory's share of a record.
  void describe(const SessionId& id, SessionRecord& record) const;
  Result<void> import_session(const SessionRecord& record);
  Result<void> release_session(const SessionId& id);
  /// Every session held, closed ones too.
  std::vector<SessionStatus> statuses() const;

  // Projects: memory_projects.cpp. Errors as in SessionService.
  Result<Admission> admit(const AdmitRequest& request);
  FocusUpdate leave(const ProjectId& project, const SessionId& id);
  Result<FocusUpdate> focus(const ProjectId& project, const SessionId& id, bool focused);
  std::vector<SessionId> focused_sessions(const ProjectId& project) const;
  void save_project_layout(const ProjectId& project, std::string_view layout);
  std::optional<ProjectRecord> export_project(const ProjectId& project) const;
  Result<void> import_project(const ProjectRecord& record);
  void release_project(const ProjectId& project);
  std::vector<ProjectId> projects() const;

  /// Project index and focus sets agree with the sessions, and there is room for one more.
  ModuleHealth health() const;

 private:
  friend class MemoryProbe;  // Tests break the index to see health() notice.

  /// What a project that is at home on this shard remembers; its sessions may be on others.
  struct Project {
    std::vector<SessionId> sessions;
    std::vector<SessionId> focused;   ///< Least recent first, a subset of `sessions`.
    std::vector<WallTime> creations;  ///< creationRateLimit.
    std::optional<WallTime> tripped_until;
    std::string layout;
    std::uint32_t session_counter = 0;
  };

  MemorySession* find(const SessionId& id);
  void insert(MemorySession session);
  void erase(const SessionId& id);
  std::optional<std::string> misindexed() const;

  std::optional<Error> refuse(const AdmitRequest& request, WallTime now);
  std::optional<Error> refuse_project(const ProjectId& id, WallTime now);
  void forget_idle_projects(WallTime now);
  std::optional<std::string> misfocused() const;

  Clock clock_;
  EventBus& bus_;
  SessionLimits limits_;
  std::unordered_map<SessionId, MemorySession> sessions_;
  std::unordered_map<ProjectId, std::vector<SessionId>> project_sessions_;  ///< Held here.
  std::map<ProjectId, Project> projects_;
  std::size_t forget_at_ = kMaxIdleProjects;  ///< That many projects, and idle ones go.
};

}  // namespace term::legacy
