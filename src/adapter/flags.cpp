#include "adapter/flags.h"

#include "adapter/engines.h"

namespace term::adapter {

namespace {

void narrow(Owners& owners, const PortChoice& choice) {
  const auto engine = [](bool refactored) {
    return refactored ? Engine::refactored : Engine::legacy;
  };
  if (choice.sessions) owners.sessions = engine(*choice.sessions);
  if (choice.streams) owners.streams = engine(*choice.streams);
  if (choice.telemetry) owners.telemetry = engine(*choice.telemetry);
}

PortChoice whole(bool refactored) { return {refactored, refactored, refactored}; }

void merge(PortChoice& into, const PortChoice& from) {
  if (from.sessions) into.sessions = from.sessions;
  if (from.streams) into.streams = from.streams;
  if (from.telemetry) into.telemetry = from.telemetry;
}

/// What TERMINAL_LEGACY_MODE must not be talked out of; a rollback under it is no contradiction.
bool wants_refactored(const FlagChange& change) {
  return change.refactor == true || change.services.sessions == true ||
         change.services.streams == true || change.services.telemetry == true ||
         change.percentage.value_or(0) > 0;
}

Error refuse(std::string why) { return {Errc::bad_argument, std::move(why)}; }

Result<void> check(const Flags& flags, const FlagChange& change) {
  if (!change.changes_engine() && !change.dual_write && !change.auto_rollback)
    return refuse(
        "nothing to change: give at least one of terminal_refactor, services, "
        "refactored_percentage, terminal_dual_write, auto_rollback");
  if (change.percentage && (*change.percentage < 0 || *change.percentage > 100))
    return refuse("refactored_percentage is " + std::to_string(*change.percentage) +
                  ", must be 0 to 100");
  if (change.project && change.session) return refuse("give project or session, not both");
  const bool scoped = change.project || change.session;
  if (scoped && change.percentage)
    return refuse("refactored_percentage cannot be narrowed to a project or session");
  if (scoped && !change.refactor && change.services.empty())
    return refuse("project and session need terminal_refactor or services");
  if (wants_refactored(change) && flags.environment.legacy_mode)
    return Error{Errc::overridden,
                 "TERMINAL_LEGACY_MODE=true (" + flags.environment.legacy_mode_source +
                     ") keeps everything on legacy; unset it and send SIGHUP or restart first"};
  return {};
}

}  // namespace

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  // FNV's low bits alone are poor for short, similar ids.
  return hash ^ (hash >> 32);
}

unsigned percent_bucket(const SessionId& id) {
  return static_cast<unsigned>(stable_hash(id) % 100);
}

Owners Flags::choose(const ProjectId& project, const SessionId& session) const {
  if (environment.legacy_mode) return all(Engine::legacy);
  bool refactored = environment.refactor_enabled.value_or(true);
  if (refactor) refactored = *refactor;
  if (percentage)
    refactored = session.empty() ? *percentage >= 50
                                 : percent_bucket(session) < static_cast<unsigned>(*percentage);
  Owners owners = all(refactored ? Engine::refactored : Engine::legacy);
  narrow(owners, services);
  if (const auto it = projects.find(project); it != projects.end()) narrow(owners, it->second);
  if (const auto it = sessions.find(session); it != sessions.end()) narrow(owners, it->second);
  return owners;
}

Result<Flags> apply(const Flags& flags, const FlagChange& change, WallTime now) {
  if (auto ok = check(flags, change); !ok) return ok.error();
  Flags next = flags;
  const FlagOrigin origin{"api", now, change.who, change.reason};
  const auto note = [&](const std::string& name) { next.origins[name] = origin; };

  PortChoice choice = change.refactor ? whole(*change.refactor) : PortChoice{};
  merge(choice, change.services);
  if (change.session) {
    merge(next.sessions[*change.session], choice);
    note("sessions." + *change.session);
  } else if (change.project) {
    merge(next.projects[*change.project], choice);
    note("projects." + *change.project);
  } else {
    if (change.refactor) {
      next.refactor = change.refactor;
      next.services = {};
      next.percentage.reset();
      next.projects.clear();
      next.sessions.clear();
      std::erase_if(next.origins, [](const auto& entry) {
        return entry.first != "terminal_dual_write" && entry.first != "auto_rollback";
      });
      note("terminal_refactor");
    }
    if (!change.services.empty()) {
      merge(next.services, change.services);
      note("services");
    }
    if (change.percentage) {
      next.percentage = change.percentage;
      note("refactored_percentage");
    }
  }
  if (change.dual_write) {
    next.dual_write = change.dual_write;
    note("terminal_dual_write");
  }
  if (change.auto_rollback) {
    next.auto_rollback = change.auto_rollback;
    note("auto_rollback");
  }
  return next;
}

}  // namespace term::adapter
