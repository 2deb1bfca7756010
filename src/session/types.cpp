#include "session/types.h"

#include <array>
#include <stdexcept>

namespace term {

namespace {
constexpr std::array kStates{"starting", "attached", "detached", "suspended", "failed", "closed"};
constexpr std::array kErrors{
    "no_such_session", "session_exists",    "bad_id",       "bad_argument", "bad_transition",
    "bad_snapshot",    "limit_reached",     "rate_limited", "breaker_open", "not_permitted",
    "no_shell",        "os_error",          "busy",         "overridden",   "maintenance",
    "not_admitted",    "store_unavailable", "internal"};
static_assert(kErrors.size() == static_cast<std::size_t>(Errc::internal) + 1);
}  // namespace

Clock monotonic_wall_clock() {
  const auto wall = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  const auto steady = std::chrono::steady_clock::now();
  return [wall, steady] {
    return wall + std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - steady);
  };
}

bool valid(WindowSize size) {
  return size.rows >= 1 && size.rows <= kMaxWindowCells && size.cols >= 1 &&
         size.cols <= kMaxWindowCells;
}

std::string_view to_string(Engine engine) {
  return engine == Engine::legacy ? "legacy" : "refactored";
}

std::string_view to_string(Port port) {
  switch (port) {
    case Port::sessions:
      return "sessions";
    case Port::streams:
      return "streams";
    case Port::telemetry:
      return "telemetry";
  }
  return "sessions";
}

std::string_view to_string(SessionState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

bool transition_allowed(SessionState from, SessionState to) {
  using enum SessionState;
  if (from == to || from == closed) return false;
  if (to == closed) return true;
  if (to == failed) return true;
  switch (from) {
    case starting:
      return to == attached || to == detached;
    case attached:
      return to == detached || to == suspended;
    case detached:
      return to == attached || to == suspended;
    case suspended:
      return to == attached || to == detached;
    case failed:
    case closed:
      return false;
  }
  return false;
}

std::string_view to_string(Errc code) { return kErrors.at(static_cast<std::size_t>(code)); }

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error(std::string(to_string(error.code)) + ": " + error.detail +
                         " (unchecked at " + where.to_string() + ")");
}

Error bad_transition(const SessionId& id, SessionState from, SessionState to) {
  return {Errc::bad_transition, "session " + id + " cannot go from " +
                                    std::string(to_string(from)) + " to " +
                                    std::string(to_string(to))};
}

Error no_such_session(const SessionId& id) { return {Errc::no_such_session, "no session " + id}; }

}  // namespace term
