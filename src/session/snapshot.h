#pragma once
// SessionSnapshot: the one value that an engine exports and imports (STATE.md 1).

#include <sys/types.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "session/types.h"

namespace term {

struct LifecycleTransition {
  SessionState from = SessionState::starting;
  SessionState to = SessionState::starting;
  WallTime at{};
  std::string reason;
  bool operator==(const LifecycleTransition&) const = default;
};

inline constexpr std::size_t kMaxTransitions = 32;  ///< Oldest fall out.

struct Lifecycle {
  SessionState state = SessionState::starting;
  std::vector<LifecycleTransition> transitions;  ///< Newest last, at most kMaxTransitions.
  WallTime entered_at{};                         ///< When `state` was entered.
  Millis active_time{0};                         ///< Time spent attached, up to `entered_at`.
  Millis suspended_time{0};                      ///< Time spent suspended, up to `entered_at`.
  bool operator==(const Lifecycle&) const = default;
};

struct Suspension {
  WallTime suspended_at{};
  WallTime expires_at{};                         ///< The same as suspended_at: never.
  SessionState before = SessionState::detached;  ///< attached or detached; where resume returns to.
  bool over(WallTime now) const { return expires_at > suspended_at && now >= expires_at; }
  bool operator==(const Suspension&) const = default;
};

struct Disconnect {
  std::optional<int> last_close_code;
  std::optional<WallTime> keep_alive_until;  ///< Set while detached; none = never ends by itself.
  bool operator==(const Disconnect&) const = default;
};

/// The share of the SessionService port.
struct SessionRecord {
  SessionId id;
  ProjectId project_id;
  std::optional<std::string> user_id;
  std::string type = "terminal";
  std::string mode = "normal";  ///< `normal`, `claude` or `system`.
  std::string tab_name;
  SessionState status = SessionState::starting;
  bool focused = false;
  WallTime created_at{};
  WallTime updated_at{};
  WallTime last_activity{};
  std::string shell;
  std::vector<std::string> args;
  std::string current_path;
  std::map<std::string, std::string> environment;  ///< Additions only.
  WindowSize window;
  std::optional<int> layout_position;
  Lifecycle lifecycle;
  std::optional<Suspension> suspension;
  Disconnect disconnect;
  std::string metadata = "{}";  ///< JSON object text: fields we do not know, kept.
  bool operator==(const SessionRecord&) const = default;
};

enum class ViewerRole : std::uint8_t { writer, viewer };

/// One viewer of a session: a cursor into its output.
struct ViewerState {
  ViewerId id = 0;
  std::string client;   ///< Kept by the client over reconnects.
  std::string dialect;  ///< `native`, `raw`, `legacy`, …
  ViewerRole role = ViewerRole::writer;
  Offset sent = 0;         ///< Everything before it was handed to the socket.
  Offset acked = 0;        ///< Everything before it was parsed by the client; = sent without acks.
  std::size_t window = 0;  ///< Most bytes between acked and the end before the viewer is full.
  bool acks = false;       ///< The dialect acknowledges.
  bool exempt = false;     ///< We stopped reading its socket: its window does not count.
  std::optional<WindowSize> wanted;  ///< The size it asked for last.
  bool operator==(const ViewerState&) const = default;
};

struct ExitStatus {
  std::optional<int> code;
  std::string signal;  ///< Name like `SIGKILL`, empty when the shell exited by itself.
  WallTime at{};
  bool operator==(const ExitStatus&) const = default;
};

/// How far a client's input got. accepted >= written.
struct InputOffsets {
  Offset accepted = 0;  ///< In our queue or beyond.
  Offset written = 0;   ///< Written to the pty.
  bool operator==(const InputOffsets&) const = default;
};

/// The share of the StreamService port. `data` is set only in an export that leaves the process;
/// a live move carries the ring as it is.
struct StreamRecord {
  Offset first_offset = 0;  ///< Of the oldest byte held.
  Offset next_offset = 0;   ///< Of the next byte the pty will print.
  std::optional<std::string> data;
  std::map<std::string, InputOffsets> input;  ///< By client id.
  std::vector<ViewerState> viewers;           ///< By id, ascending.
  bool suspended = false;                     ///< Input is queued, not written.
  bool open = false;                          ///< A pty stands behind it.
  pid_t pid = 0;
  WindowSize window;
  std::optional<ExitStatus> exit;
  bool operator==(const StreamRecord&) const = default;
};

/// A command that was entered and whose end the shell has not reported.
struct RunningCommand {
  std::uint64_t sequence = 0;  ///< Among the session's commands, from 0.
  WallTime at{};
  std::string category;
  std::string text;  ///< Only where recording is switched on.
  bool operator==(const RunningCommand&) const = default;
};

/// What was typed, in kinds and counts; the text only where recording is switched on.
struct CommandStatistics {
  std::uint64_t total = 0;
  std::uint64_t failed = 0;
  std::map<std::string, std::uint64_t> by_category;
  std::array<std::uint64_t, 24> by_hour{};  ///< UTC hour of the day.
  std::string pending;         ///< First word of the line being typed, at most 32 bytes.
  bool pending_done = false;   ///< The first word is complete; the rest of the line is passed over.
  std::uint64_t reported = 0;  ///< Commands whose end the shell reported; `failed` is out of these.
  bool hidden = false;         ///< Something was typed without echo since the last line.
  std::string line;            ///< The line so far, where recording is on; at most kMaxCommandText.
  std::optional<RunningCommand> running;  ///< The oldest one since the last report.
  bool operator==(const CommandStatistics&) const = default;
};

inline constexpr std::size_t kMaxCommandText = 1024;  ///< Bytes.

/// The share of the TelemetryService port.
struct TelemetryRecord {
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t error_count = 0;
  double cpu_usage = 0;            ///< Percent of one core, newest sample.
  std::uint64_t memory_usage = 0;  ///< Bytes, newest sample.
  double response_time_ms = 0;     ///< Running mean of input accepted to output seen.
  CommandStatistics commands;
  std::uint64_t log_position = 0;  ///< Sequence of the session's next log entry.
  bool operator==(const TelemetryRecord&) const = default;
};

/// Everything needed to continue a session elsewhere. A plain value: owns no descriptor or timer.
struct SessionSnapshot {
  SessionRecord session;
  StreamRecord stream;
  TelemetryRecord telemetry;
  bool operator==(const SessionSnapshot&) const = default;
};

/// What a project remembers, whichever engine keeps it.
struct ProjectRecord {
  ProjectId id;
  std::vector<SessionId> sessions;  ///< In order of creation.
  std::vector<SessionId> focused;   ///< Least recent first.
  std::string layout;               ///< `uiState` as the client saved it; JSON text or empty.
  std::uint32_t name_counter = 0;   ///< Highest N given out in `Terminal N`.
  std::vector<WallTime> recent_creations;  ///< Within the last 60 s.
  std::optional<WallTime> breaker_until;   ///< Creations are refused until then.
  bool operator==(const ProjectRecord&) const = default;
};

}  // namespace term
