#pragma once
// What the projects at home on this shard remember: admission, names, focus, layout.

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "session/ports.h"

namespace term::refactored {

/// The project half of SessionManager. A project's sessions may live on other shards, so nothing
/// here refers to a SessionRecord. Records outlive their sessions: names are never given twice.
///
/// Sessions without a project are counted and named under the empty id; they have no limits of
/// their own and are always focused, each for itself.
class ProjectBook final {
 public:
  static constexpr std::size_t kMaxIdleProjects = 10'000;

  ProjectBook(Clock clock, const SessionLimits& limits);

  /// As SessionService::admit. A session counted already is not counted again.
  Result<Admission> admit(const AdmitRequest& request);
  FocusUpdate leave(const ProjectId& project, const SessionId& id);
  Result<FocusUpdate> focus(const ProjectId& project, const SessionId& id, bool focused);
  std::vector<SessionId> focused(const ProjectId& project) const;
  void save_layout(const ProjectId& project, std::string_view layout);

  std::optional<ProjectRecord> export_project(const ProjectId& project) const;
  /// Takes the record as it is, in place of what was known. Errors: bad_snapshot.
  Result<void> import_project(const ProjectRecord& record);
  void release_project(const ProjectId& project);
  std::vector<ProjectId> projects() const;

 private:
  /// Forgets projects without sessions; their names begin anew, their layouts are gone.
  void forget_idle(WallTime now);
  ProjectRecord& record_of(const ProjectId& project);
  std::optional<Error> refusal(const AdmitRequest& request, WallTime now);
  std::optional<Error> project_refusal(const ProjectId& project, WallTime now);

  Clock clock_;
  SessionLimits limits_;
  std::map<ProjectId, ProjectRecord> projects_;
  std::size_t forget_at_ = kMaxIdleProjects;  ///< That many projects, and idle ones go.
};

}  // namespace term::refactored
