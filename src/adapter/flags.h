#pragma once
// The flag: which engine serves a session, and why (DESIGN.md 7).

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "session/session.h"

namespace term::adapter {

/// Per port: refactored (true), legacy (false), or not said.
struct PortChoice {
  std::optional<bool> sessions;
  std::optional<bool> streams;
  std::optional<bool> telemetry;
  bool empty() const { return !sessions && !streams && !telemetry; }
  bool operator==(const PortChoice&) const = default;
};

/// A value with its origin, for `GET /api/admin/feature-flags`.
struct FlagOrigin {
  std::string source;  ///< `default`, `environment`, `.env`, `flag` (command line) or `api`.
  WallTime since{};
  std::string who;
  std::string reason;
  bool operator==(const FlagOrigin&) const = default;
};

/// What the environment says; read at start and on SIGHUP.
struct EnvironmentFlags {
  bool legacy_mode = false;              ///< TERMINAL_LEGACY_MODE=true.
  std::optional<bool> refactor_enabled;  ///< TERMINAL_REFACTOR_ENABLED.
  bool dual_write = false;
  bool auto_rollback = false;
  std::string legacy_mode_source = "default";
  std::string refactor_enabled_source = "default";
  std::string dual_write_source = "default";
  std::string auto_rollback_source = "default";
};

/// All flags at one moment. Immutable once published; an operation takes one and keeps it.
struct Flags {
  EnvironmentFlags environment;
  std::optional<bool> refactor;   ///< Set through the admin API.
  PortChoice services;            ///< Narrower than `refactor`.
  std::optional<int> percentage;  ///< 0..100 of sessions refactored, by stable hash of the id.
  std::map<ProjectId, PortChoice> projects;
  std::map<SessionId, PortChoice> sessions;  ///< Narrowest.
  std::optional<bool> dual_write;
  std::optional<bool> auto_rollback;
  std::map<std::string, FlagOrigin> origins;  ///< By flag name, of those set through the API.

  /// Strongest first: TERMINAL_LEGACY_MODE; the API's (session, project, services, percentage,
  /// terminal_refactor); TERMINAL_REFACTOR_ENABLED; refactored. An empty session stands for most
  /// new ones of the project.
  Owners choose(const ProjectId& project, const SessionId& session) const;
  bool dual_write_on() const { return dual_write.value_or(environment.dual_write); }
  bool auto_rollback_on() const { return auto_rollback.value_or(environment.auto_rollback); }
};

/// What an operator asks for; absent = stays as it is.
struct FlagChange {
  std::optional<bool> refactor;
  PortChoice services;
  std::optional<int> percentage;
  std::optional<ProjectId> project;  ///< Narrows `refactor` or `services` to one project…
  std::optional<SessionId> session;  ///< …or one session.
  std::optional<bool> dual_write;
  std::optional<bool> auto_rollback;
  bool force = false;
  bool dry_run = false;
  std::string reason;
  std::string who;

  bool changes_engine() const { return refactor || !services.empty() || percentage; }
};

/// `flags` with `change` in it. A wide `terminal_refactor` ends every narrower choice, so that the
/// emergency command means what it says.
/// Errors: bad_argument (nothing to change, percentage outside 0..100, a project or session without
/// a value); overridden while TERMINAL_LEGACY_MODE is set and the change concerns the engine.
Result<Flags> apply(const Flags& flags, const FlagChange& change, WallTime now);

/// 0..99, the same for the same id for ever: FNV-1a, 64 bit.
unsigned percent_bucket(const SessionId& id);
std::uint64_t stable_hash(std::string_view text);

}  // namespace term::adapter
