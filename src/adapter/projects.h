#pragma once
// Project records on their home shard, each kept by one engine.

#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "adapter/engines.h"

namespace term::adapter {

/// Routes project calls to the engine that keeps the project's record, and moves the record when
/// another engine is to admit its next session: a project has one name counter, one focus set and
/// one creation rate, however its sessions are spread over engines and shards.
///
/// Thread: the home shard's.
class Projects {
 public:
  explicit Projects(const Engines& engines) : engines_(engines) {}

  /// `engine` will serve the session. Errors: those of SessionService::admit.
  Result<Admission> admit(const AdmitRequest& request, Engine engine);
  FocusUpdate leave(const ProjectId& project, const SessionId& id);
  Result<FocusUpdate> focus(const ProjectId& project, const SessionId& id, bool focused);
  std::vector<SessionId> focused(const ProjectId& project) const;
  /// A project that never had a session has no layout either: nothing is kept then.
  void save_layout(const ProjectId& project, std::string_view layout);
  std::string layout(const ProjectId& project) const;
  std::vector<SessionId> sessions(const ProjectId& project) const;

  /// Takes a record over as it is. Errors: session_exists, bad_snapshot.
  Result<void> restore(const ProjectRecord& record, Engine engine);
  std::vector<ProjectRecord> records() const;
  /// What the store has of a project joins what is here: layout, names given out, rate, breaker.
  /// Its sessions are those that are here. Errors: those of restore().
  Result<void> join(ProjectRecord stored, Engine engine);

  /// Moves one record, or leaves it where it is and says why.
  Result<void> move(const ProjectId& project, Engine to);
  std::vector<ProjectId> all() const;
  bool keeps(const ProjectId& project) const { return keepers_.contains(project); }
  /// The first project after `id` and who keeps its record; with `first`, the first of all.
  std::optional<std::pair<ProjectId, Engine>> next(const ProjectId& id, bool first) const;

  /// Nothing when nobody keeps one.
  std::optional<ProjectRecord> record(const ProjectId& project) const;
  /// Up to `most` projects whose record may have changed since they were asked for.
  std::vector<ProjectId> take_changed(std::size_t most);
  bool any_changed() const { return !changed_.empty(); }

 private:
  SessionService* keeper(const ProjectId& project) const;
  void sweep();

  const Engines& engines_;
  std::map<ProjectId, Engine, std::less<>> keepers_;
  std::set<ProjectId> changed_;
  std::size_t sweep_at_ = 20'000;  ///< That many, and those whose record is forgotten go.
};

}  // namespace term::adapter
