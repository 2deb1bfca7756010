#include "adapter/mirror.h"

namespace term::adapter {

namespace {
constexpr Engine other(Engine engine) {
  return engine == Engine::legacy ? Engine::refactored : Engine::legacy;
}

/// Neither remembers more than an empty, quiet project: when that is forgotten is each one's own
/// affair.
bool idle(const std::optional<ProjectRecord>& record) {
  return !record || (record->sessions.empty() && record->layout.empty());
}

constexpr std::string_view kProject = "project ";
constexpr const char* kMissing = "(missing)";
constexpr const char* kPresent = "(present)";
}  // namespace

Mirror::Mirror(const Engines& engines, Moment& moment)
    : engines_(engines),
      legacy_(*engines.legacy.sessions, moment, failures_),
      refactored_(*engines.refactored.sessions, moment, failures_),
      routes_(engines) {}

SessionService& Mirror::shadow_of(Engine owner) { return *shadows_->of(other(owner)).sessions; }

void Mirror::start(Engines shadows) {
  shadows_ = std::move(shadows);
  legacy_.mirror_to(&shadow_of(Engine::legacy));
  refactored_.mirror_to(&shadow_of(Engine::refactored));
  routes_.legacy.sessions = &legacy_;
  routes_.refactored.sessions = &refactored_;
}

void Mirror::stop() {
  legacy_.mirror_to(nullptr);
  refactored_.mirror_to(nullptr);
  routes_ = engines_;
  shadows_.reset();
  differing_.clear();
  listed_ = 0;
}

void Mirror::take_in(const SessionRecord& record, Engine owner) {
  SessionService& shadow = shadow_of(owner);
  if (shadow.find(record.id)) return;
  if (auto in = shadow.import_session(record); !in) {
    ++failures_.count;
    failures_.newest = "import " + record.id + ": " + in.error().detail;
  }
}

void Mirror::take_in(const ProjectRecord& record, Engine owner) {
  SessionService& shadow = shadow_of(owner);
  if (shadow.export_project(record.id)) return;
  if (auto in = shadow.import_project(record); !in) {
    ++failures_.count;
    failures_.newest = "import project " + record.id + ": " + in.error().detail;
  }
}

void Mirror::compare(const SessionId& id, Engine owner) {
  const auto mine = engines_.of(owner).sessions->export_session(id);
  const auto theirs = shadow_of(owner).export_session(id);
  if (mine && theirs) return keep(id, differences(*mine, *theirs), owner);
  if (mine.has_value() == theirs.has_value()) return keep(id, {}, owner);
  keep(id, {{"session", mine ? kPresent : kMissing, theirs ? kPresent : kMissing}}, owner);
}

void Mirror::compare_project(const ProjectId& id, Engine owner) {
  const auto mine = engines_.of(owner).sessions->export_project(id);
  const auto theirs = shadow_of(owner).export_project(id);
  const std::string name = std::string(kProject) + id;
  if (idle(mine) && idle(theirs)) return keep(name, {}, owner);
  if (mine && theirs) return keep(name, differences(*mine, *theirs), owner);
  keep(name, {{"project", mine ? kPresent : kMissing, theirs ? kPresent : kMissing}}, owner);
}

void Mirror::forget(const std::string& id) {
  const auto it = differing_.find(id);
  if (it == differing_.end()) return;
  if (!it->second.empty()) --listed_;
  differing_.erase(it);
}

void Mirror::forget_projects(const std::function<bool(const ProjectId&)>& gone) {
  std::vector<std::string> over;
  for (const auto& [id, fields] : differing_)
    if (id.starts_with(kProject) && gone(id.substr(kProject.size()))) over.push_back(id);
  for (const std::string& id : over) forget(id);
}

void Mirror::keep(const std::string& id, std::vector<FieldDifference> found, Engine left) {
  ++compared_;
  if (found.empty()) return forget(id);
  const auto [it, fresh] = differing_.try_emplace(id);
  std::vector<ParityDifference>& kept = it->second;
  if (fresh) ++found_;
  if (kept.empty() && listed_ == kMaxListed) return;
  if (kept.empty()) ++listed_;
  kept.clear();
  const bool legacy = left == Engine::legacy;
  for (FieldDifference& difference : found) {
    auto& [field, mine, theirs] = difference;
    kept.push_back({id, std::move(field), std::move(legacy ? mine : theirs),
                    std::move(legacy ? theirs : mine)});
  }
}

MirrorReport Mirror::report() const {
  MirrorReport report{.on = on(),
                      .compared = compared_,
                      .found = found_,
                      .differing = differing_.size(),
                      .failures = failures_.count,
                      .newest_failure = failures_.newest};
  for (const auto& [id, fields] : differing_)
    report.differences.insert(report.differences.end(), fields.begin(), fields.end());
  if (!shadows_) return report;
  for (const Engine engine : {Engine::legacy, Engine::refactored}) {
    report.mirrored += shadows_->of(engine).sessions->count();
    for (auto& module : shadows_->of(engine).sessions->health())
      if (!module.healthy) report.shadows.push_back(std::move(module));
  }
  return report;
}

}  // namespace term::adapter
