// Dual write for the sessions and projects of a shard, and the rounds of its parity check.

#include "adapter/sessions.h"

namespace term::adapter {

void Sessions::publish(std::shared_ptr<const Flags> flags) {
  flags_ = std::move(flags);
  if (flags_->dual_write_on() == mirror_.on()) return;
  mirrored_ = false;
  if (!mirror_.on()) {
    mirroring_ = comparing_ = {};
    mirror_.start(make_engines_());
    return;
  }
  mirror_.stop();
  for (const auto& [id, entry] : sessions_)
    entry.session->reach_through(engines_.of(entry.session->owners()));
}

/// The next step of a round: `on_session` or `on_project` for the next one; false at its end.
template <class OnSession, class OnProject>
bool Sessions::step(Round& round, OnSession on_session, OnProject on_project) {
  if (!round.in_projects) {
    const auto it = sessions_.upper_bound(round.session);
    if (it != sessions_.end()) {
      round.session = it->first;
      on_session(it->second);
      return true;
    }
    round.in_projects = true;
    round.first_project = true;
  }
  const auto project = projects_.next(round.project, round.first_project);
  if (!project) {
    round = {};
    return false;
  }
  round.first_project = false;
  round.project = project->first;
  on_project(project->first, project->second);
  return true;
}

bool Sessions::mirror_some(std::size_t most) {
  if (!mirror_.on() || mirrored_) return false;
  const auto take_session = [this](Entry& entry) {
    Session& session = *entry.session;
    const EnginePorts through = mirror_.routes().of(session.owners());
    if (!entry.registered || session.ports().sessions == through.sessions) return;
    const auto record = session.sessions().export_session(session.id());
    if (!record) return;  // Lost: look_after() says so.
    mirror_.take_in(*record, session.owners().sessions);
    session.reach_through(through);
  };
  const auto take_project = [this](const ProjectId& id, Engine keeper) {
    const auto record = engines_.of(keeper).sessions->export_project(id);
    if (record) mirror_.take_in(*record, keeper);
  };
  for (std::size_t n = 0; n < most; ++n)
    if (!step(mirroring_, take_session, take_project)) {
      mirrored_ = true;
      return false;
    }
  return true;
}

bool Sessions::compare_some(std::size_t most) {
  if (!mirrored_) return false;
  const auto compare_session = [this](const Entry& entry) {
    if (entry.registered) mirror_.compare(entry.session->id(), entry.session->owners().sessions);
  };
  const auto compare_project = [this](const ProjectId& id, Engine keeper) {
    mirror_.compare_project(id, keeper);
  };
  for (std::size_t n = 0; n < most; ++n)
    if (!step(comparing_, compare_session, compare_project)) {
      mirror_.forget_projects([this](const ProjectId& id) { return !projects_.keeps(id); });
      return false;
    }
  return true;
}

}  // namespace term::adapter
