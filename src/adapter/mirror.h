#pragma once
// Dual write and its parity check (DESIGN.md 7): the other engine's registry follows along.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapter/engines.h"
#include "adapter/mirrored_sessions.h"
#include "session/differences.h"

namespace term::adapter {

/// What the two engines have of one field. A side that lacks the session altogether has `(missing)`
/// in the field `session`.
struct ParityDifference {
  std::string id;  ///< A session's, or `project <id>`.
  std::string field;
  std::string legacy;
  std::string refactored;
  bool operator==(const ParityDifference&) const = default;
};

struct MirrorReport {
  bool on = false;
  std::size_t mirrored = 0;    ///< Sessions that both registries should have.
  std::uint64_t compared = 0;  ///< Comparisons so far.
  std::uint64_t found = 0;     ///< Times that a session or project was found to differ anew.
  std::size_t differing = 0;   ///< Sessions and projects that differ now.
  std::vector<ParityDifference> differences;  ///< Of at most kMaxListed of them.
  std::uint64_t failures = 0;                 ///< As MirrorFailures.
  std::string newest_failure;
  std::vector<ModuleHealth> shadows;  ///< Unhealthy modules of the shadow registries.
};

/// The shadow registries of a shard. A session served by one engine is registered with the other
/// engine, too: in an instance of that engine of its own, so that what is only mirrored counts in
/// no list, limit, total, expiry or health check of an engine that serves.
///
/// While off, routes() are the engines themselves and dual write costs nothing.
///
/// Thread: the shard's. Everything is borrowed, and outlives it.
class Mirror {
 public:
  static constexpr std::size_t kMaxListed = 200;

  Mirror(const Engines& engines, Moment& moment);

  bool on() const { return shadows_.has_value(); }
  void start(Engines shadows);
  /// Shadow registrations and differences are forgotten. Routes taken before stay usable.
  void stop();
  /// How operations reach the registries now; streams and telemetry are the engines' own.
  const Engines& routes() const { return routes_; }

  /// Registers what lives already. `owner`: the engine that serves it.
  void take_in(const SessionRecord& record, Engine owner);
  void take_in(const ProjectRecord& record, Engine owner);

  /// Compares what both have and keeps the difference, or forgets it when there is none any more.
  void compare(const SessionId& id, Engine owner);
  void compare_project(const ProjectId& id, Engine owner);
  /// The session (`project <id>`) is no more.
  void forget(const std::string& id);
  void forget_projects(const std::function<bool(const ProjectId&)>& gone);

  MirrorReport report() const;

 private:
  SessionService& shadow_of(Engine owner);
  void keep(const std::string& id, std::vector<FieldDifference> found, Engine left);

  const Engines& engines_;
  MirrorFailures failures_;
  MirroredSessions legacy_;
  MirroredSessions refactored_;
  Engines routes_;
  std::optional<Engines> shadows_;
  /// By id; without its differences where it is beyond kMaxListed.
  std::map<std::string, std::vector<ParityDifference>> differing_;
  std::size_t listed_ = 0;  ///< How many have them.
  std::uint64_t compared_ = 0;
  std::uint64_t found_ = 0;
};

}  // namespace term::adapter
