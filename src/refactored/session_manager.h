#pragma once
// The registry of the refactored engine: one record per session, one map.

#include <cstddef>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "refactored/project_book.h"
#include "session/ports.h"

namespace term::refactored {

/// SessionService with one owner for each fact: whatever can be derived (counts, what expires, how
/// many are attached) is derived from the records when asked for.
///
/// A transition is the one place that moves times and what belongs to a state: the time to live of
/// a detached session, the suspension of a suspended one.
class SessionManager final : public SessionService {
 public:
  SessionManager(Clock clock, const SessionLimits& limits);

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

  /// One line, `SessionManager`: the index agrees with the records, and there is room for more.
  std::vector<ModuleHealth> health() const override;

 private:
  friend class SessionManagerProbe;  // Tests break the index to see health() notice.

  /// Sets one member of a record; a change of value counts as an update.
  template <class T, class Value>
  Result<void> set(const SessionId& id, T SessionRecord::* member, const Value& value);
  Result<void> move_to(SessionRecord& record, SessionState to, std::string_view reason);
  void insert(const SessionRecord& record);
  void expect_end(const SessionRecord& record) const;
  void erase(const SessionId& id);
  std::size_t misindexed() const;

  Clock clock_;
  SessionLimits limits_;
  std::unordered_map<SessionId, SessionRecord> sessions_;
  std::unordered_map<ProjectId, std::set<SessionId>> by_project_;  ///< Derived, for list().
  /// Derived, for expired(), which is asked each second: nothing is over before.
  mutable WallTime none_over_before_ = WallTime::max();
  ProjectBook projects_;
};

}  // namespace term::refactored
