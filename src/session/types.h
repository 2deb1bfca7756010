#pragma once
// The words every layer shares: ids, offsets, window size, states, errors, the clock.

#include <boost/system/result.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace term {

/// `session_<epoch-ms>_<8 base36>` when we make it; clients may bring `[A-Za-z0-9_.-]{1,128}`.
using SessionId = std::string;
using ProjectId = std::string;

/// One attached connection; unique for the life of the process.
using ViewerId = std::uint64_t;

/// Absolute byte number since the session began (output) or since the client id began (input).
/// Never reused and never reset, not by a flip, a restart or a restore.
using Offset = std::uint64_t;

using Millis = std::chrono::milliseconds;

/// Milliseconds since the epoch; ISO 8601 with milliseconds in JSON.
using WallTime = std::chrono::sys_time<Millis>;

/// Where engines get the time from. Monotonic: see monotonic_wall_clock().
using Clock = std::function<WallTime()>;

/// The wall time at the first call plus steady time elapsed since: a jump of the system's clock
/// expires nothing (DESIGN.md 9).
Clock monotonic_wall_clock();

/// Terminal geometry in character cells, as in TIOCSWINSZ. Valid: 1..1000 each.
struct WindowSize {
  std::uint16_t rows = 24;
  std::uint16_t cols = 80;
  bool operator==(const WindowSize&) const = default;
};
inline constexpr std::uint16_t kMaxWindowCells = 1000;
bool valid(WindowSize size);

enum class Engine : std::uint8_t { legacy, refactored };
enum class Port : std::uint8_t { sessions, streams, telemetry };
std::string_view to_string(Engine engine);
std::string_view to_string(Port port);

/// The canonical states of STATE.md 2; each engine maps its own names onto them and back.
enum class SessionState : std::uint8_t { starting, attached, detached, suspended, failed, closed };
std::string_view to_string(SessionState state);

/// True for the transitions of DESIGN.md 4; a state to itself is not one.
bool transition_allowed(SessionState from, SessionState to);

enum class Errc : std::uint8_t {
  no_such_session,
  session_exists,
  bad_id,
  bad_argument,
  bad_transition,
  bad_snapshot,
  limit_reached,
  rate_limited,
  breaker_open,
  not_permitted,
  no_shell,
  os_error,
  busy,
  overridden,
  maintenance,        ///< Admission is closed.
  not_admitted,       ///< Not among the share of new connections that is admitted.
  store_unavailable,  ///< The database failed or cannot be reached.
  internal,
};
/// The word used in JSON (`code`), e.g. `no_such_session`.
std::string_view to_string(Errc code);

/// An expected failure at a port: what failed, which value, what to do, in one sentence.
struct Error {
  Errc code = Errc::internal;
  std::string detail;
  Millis retry_after{0};  ///< When trying again makes sense; 0 = it does not, or unknown.
};

template <class T>
using Result = boost::system::result<T, Error>;

/// Found by ADL: asking a failed result for its value is a bug (STYLE.md, traps).
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

/// The error for a transition outside DESIGN.md 4; names both states.
Error bad_transition(const SessionId& id, SessionState from, SessionState to);
Error no_such_session(const SessionId& id);

}  // namespace term
