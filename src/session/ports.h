#pragma once
// The three ports: what a session needs from an engine, whichever generation provides it.
//
// Sans-IO: an implementation never touches a pty, a socket, JSON or a thread, and holds no byte of
// output or input beyond what its record exports. It gets offsets and spans, never ownership.
//
// Thread: one instance per shard, called on that shard's thread alone; nothing here locks.
// Errors: an unknown id gives Errc::no_such_session; nothing throws but std::bad_alloc.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/snapshot.h"
#include "session/types.h"

namespace term {

/// One line of `GET /api/health/terminal`: the module's own check of itself.
struct ModuleHealth {
  std::string module;  ///< `memory`, `lifecycle`, …, `SessionManager`, …
  bool healthy = true;
  std::string detail;  ///< What was checked, and when unhealthy what is wrong.
};

/// DESIGN.md 10. Limits refuse; they never evict.
struct SessionLimits {
  std::size_t max_sessions = 10000;
  std::size_t max_per_project = 1000;
  std::size_t max_focused = 10;
  std::size_t max_creations_per_min = 600;  ///< Per project.
  Millis breaker_reset{300'000};            ///< After a project ran over its creation rate.
  Millis detached_ttl{1'800'000};           ///< 0 = never.
  Millis suspension_ttl{1'800'000};         ///< 0 = never.
};

struct StreamLimits {
  std::size_t viewer_window = 512 * 1024;    ///< Bytes; DESIGN.md 5.
  std::size_t turn_bytes = 64 * 1024;        ///< Most read per turn when nobody else waits.
  std::size_t shared_turn_bytes = 8 * 1024;  ///< Most read per turn when somebody does.
  std::size_t breaker_failures = 5;          ///< Failed starts in a row that open the breaker.
  Millis breaker_reset{30'000};
};

// ---------------------------------------------------------------------------------------------

struct AdmitRequest {
  ProjectId project;
  SessionId session;
  std::size_t total_sessions = 0;  ///< In the whole process, without this one.
  std::string tab_name;            ///< Empty: the project names it `Terminal N`.
};

struct Admission {
  std::string tab_name;
  bool focused = false;  ///< New sessions are focused while the project is below its limit.
};

struct FocusChange {
  SessionId session;
  bool focused = false;
  bool operator==(const FocusChange&) const = default;
};

/// All a project's focus after a change: who changed, and the whole set, least recent first.
struct FocusUpdate {
  std::vector<FocusChange> changed;
  std::vector<SessionId> focused;
};

struct NewSession {
  SessionId id;
  ProjectId project_id;
  std::optional<std::string> user_id;
  std::string type = "terminal";
  std::string mode = "normal";
  std::string tab_name;
  bool focused = false;
  std::string shell;
  std::vector<std::string> args;
  std::string current_path;
  std::map<std::string, std::string> environment;
  WindowSize window;
  std::string metadata = "{}";
};

/// Registry: create, find, list, status, focus, suspend, resume, close, limits.
///
/// Session calls come on the session's shard; project calls on the project's home shard, which may
/// be another instance: a project record here says nothing about which sessions are here.
class SessionService {
 public:
  virtual ~SessionService() = default;

  /// Registers a session in `starting`. Errors: session_exists.
  virtual Result<void> create(const NewSession& fresh) = 0;
  virtual Result<SessionRecord> find(const SessionId& id) const = 0;
  /// Sessions held here, oldest first; of one project if given. Never a closed one.
  virtual std::vector<SessionRecord> list(const std::optional<ProjectId>& project) const = 0;
  virtual std::size_t count() const = 0;

  /// Errors: bad_transition naming both states. The same state again succeeds and changes nothing.
  /// Entering `detached` starts the time to live; leaving it ends it.
  virtual Result<void> transition(const SessionId& id, SessionState to,
                                  std::string_view reason) = 0;
  virtual Result<void> suspend(const SessionId& id) = 0;  ///< From attached or detached.
  /// Back to where it was before; returns that state. A session not suspended stays as it is.
  virtual Result<SessionState> resume(const SessionId& id) = 0;
  virtual Result<void> set_focused(const SessionId& id, bool focused) = 0;
  virtual Result<void> rename(const SessionId& id, std::string_view name) = 0;
  virtual Result<void> set_window(const SessionId& id, WindowSize size) = 0;
  virtual Result<void> set_current_path(const SessionId& id, std::string_view path) = 0;
  virtual Result<void> set_close_code(const SessionId& id, int code) = 0;
  /// Something moved: input or output. Cheap; called once per turn.
  virtual void touch(const SessionId& id) = 0;
  /// Forgets it. Errors: no_such_session. The pty and the viewers are the caller's business.
  virtual Result<void> close(const SessionId& id, std::string_view reason) = 0;
  /// Sessions whose detached time to live or suspension has run out. Attached ones never do.
  virtual std::vector<SessionId> expired() const = 0;

  virtual Result<SessionRecord> export_session(const SessionId& id) const = 0;
  /// Takes a session over as it is. Errors: session_exists, bad_snapshot.
  virtual Result<void> import_session(const SessionRecord& record) = 0;
  /// Forgets it without closing it: somebody else has it now.
  virtual Result<void> release(const SessionId& id) = 0;

  /// May this project have one more? Counts it, names it. Errors: limit_reached (which limit, its
  /// value), rate_limited and breaker_open (with retry_after). Refusals change only the breaker.
  virtual Result<Admission> admit(const AdmitRequest& request) = 0;
  /// A session of the project ended (or was never started): uncounts and unfocuses it.
  virtual FocusUpdate leave(const ProjectId& project, const SessionId& id) = 0;
  /// At the limit the least recently focused loses its focus. Errors: no_such_session.
  virtual Result<FocusUpdate> focus(const ProjectId& project, const SessionId& id,
                                    bool focused) = 0;
  virtual std::vector<SessionId> focused(const ProjectId& project) const = 0;
  virtual void save_layout(const ProjectId& project, std::string_view layout) = 0;
  virtual std::optional<ProjectRecord> export_project(const ProjectId& project) const = 0;
  virtual Result<void> import_project(const ProjectRecord& record) = 0;
  virtual void release_project(const ProjectId& project) = 0;
  virtual std::vector<ProjectId> projects() const = 0;

  virtual std::vector<ModuleHealth> health() const = 0;
};

// ---------------------------------------------------------------------------------------------

/// Output [first, end) to hand to a viewer now; first == end: nothing yet.
struct Delivery {
  Offset first = 0;
  Offset end = 0;
  /// The viewer fell out of the ring: [gap_from, first) is gone and it must be told.
  std::optional<Offset> gap_from;
};

/// What to do with n input bytes a client numbered [first, first + n).
struct InputVerdict {
  std::size_t skip = 0;              ///< Already accepted before: not written again.
  std::size_t take = 0;              ///< To be queued now; the rest waits at the socket.
  std::optional<WindowSize> resize;  ///< The typist's own size, where it is not the current one.
};

/// Bytes: pump the pty, deliver to viewers, accept input, resize, backpressure.
class StreamService {
 public:
  virtual ~StreamService() = default;

  /// May a pty be started now? Errors: breaker_open with retry_after.
  virtual Result<void> may_start() const = 0;
  /// Outcome of a start, for the breaker.
  virtual void start_result(bool started) = 0;

  /// Registers the stream of a session, before its pty exists. Errors: session_exists.
  virtual Result<void> create(const SessionId& id, WindowSize window, Offset next_offset) = 0;
  /// The pty is there: input may be written from now on.
  virtual Result<void> opened(const SessionId& id, pid_t pid) = 0;
  virtual Result<void> exited(const SessionId& id, const ExitStatus& status) = 0;
  virtual Result<void> close(const SessionId& id) = 0;

  /// Most bytes the pump may read now; 0 = hold back: every attached viewer is full. Asked again
  /// after each sent, acked, attach and detach. `contended`: somebody else waits for this thread.
  virtual std::size_t read_budget(const SessionId& id, bool contended) = 0;
  /// `bytes` were read and are in the ring at [first, first + size), the ring now begins at
  /// `ring_first`. Valid for this call only.
  virtual void output(const SessionId& id, Offset first, std::span<const char> bytes,
                      Offset ring_first) = 0;

  /// Errors: bad_argument when viewer.sent lies beyond the output's end.
  virtual Result<void> attach(const SessionId& id, const ViewerState& viewer) = 0;
  virtual void detach(const SessionId& id, ViewerId viewer) = 0;
  virtual Delivery next_delivery(const SessionId& id, ViewerId viewer, std::size_t max) = 0;
  virtual void sent(const SessionId& id, ViewerId viewer, Offset upto) = 0;
  /// Errors: bad_argument beyond what was sent; nothing changes then.
  virtual Result<void> acked(const SessionId& id, ViewerId viewer, Offset upto) = 0;
  /// We stopped (or went on) reading this viewer's socket, so it cannot acknowledge.
  virtual void set_exempt(const SessionId& id, ViewerId viewer, bool exempt) = 0;

  /// Errors: not_permitted for a viewer that may not write; bad_argument when `first` is beyond
  /// what was accepted (input is missing in between). `room`: bytes the input queue can take.
  virtual Result<InputVerdict> input(const SessionId& id, ViewerId viewer, Offset first,
                                     std::size_t n, std::size_t room) = 0;
  /// May queued input be written to the pty now? Not before opened(), not while suspended.
  virtual bool may_write(const SessionId& id) const = 0;
  virtual void input_written(const SessionId& id, const std::string& client, Offset upto) = 0;
  virtual InputOffsets input_offsets(const SessionId& id, const std::string& client) const = 0;
  virtual Result<void> set_suspended(const SessionId& id, bool suspended) = 0;
  /// A writer asks for a size: becomes its wanted size and, if given back, the session's.
  /// Errors: bad_argument outside 1..1000; not_permitted for a viewer.
  virtual Result<std::optional<WindowSize>> resize(const SessionId& id, ViewerId viewer,
                                                   WindowSize size) = 0;
  /// Resize by nobody in particular (REST).
  virtual Result<std::optional<WindowSize>> resize(const SessionId& id, WindowSize size) = 0;

  virtual Result<StreamRecord> export_session(const SessionId& id) const = 0;
  virtual Result<void> import_session(const SessionId& id, const StreamRecord& record) = 0;
  virtual Result<void> release(const SessionId& id) = 0;

  virtual std::vector<ModuleHealth> health() const = 0;
};

// ---------------------------------------------------------------------------------------------

/// Counters of one engine on one shard; summed over shards and engines on read.
struct TelemetryTotals {
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t commands = 0;
  std::uint64_t failed_commands = 0;    ///< As far as shells reported it.
  std::uint64_t reported_commands = 0;  ///< Commands whose end was reported.
  std::uint64_t dropped_commands = 0;   ///< Events that nobody took in time.
  std::uint64_t operations = 0;         ///< Since the start.
  std::uint64_t failed_operations = 0;  ///< Since the start.
  double operations_ms = 0;             ///< How long they took together, since the start.
  std::uint64_t recent_operations = 0;  ///< In the last 5 minutes.
  std::uint64_t recent_failed = 0;
  std::map<std::string, std::uint64_t> errors_by_kind;
  double response_time_ms = 0;  ///< Mean over the last 5 minutes; 0 when there was none.
  std::uint64_t responses = 0;  ///< How many that mean stands on.
};

enum class LogKind : std::uint8_t { command, output, error, system, result };
std::string_view to_string(LogKind kind);

/// One line of a session's log. Content is a category or a message, never terminal bytes.
struct LogEntry {
  SessionId session;
  ProjectId project;
  std::uint64_t sequence = 0;  ///< Per session, from 0, without holes.
  WallTime at{};
  LogKind kind = LogKind::system;
  std::string content;
  std::uint64_t bytes = 0;  ///< For output: how many.
  std::string user;         ///< Empty: nobody in particular.
  std::string text;         ///< For a command: its text, only where recording is switched on.
  bool operator==(const LogEntry&) const = default;
};

struct LogQuery {
  std::optional<SessionId> session;
  std::optional<ProjectId> project;
  std::size_t limit = 1000;  ///< Newest kept, answered oldest first.
  std::optional<std::string> user;
  std::optional<WallTime> since;
  std::optional<WallTime> until;        ///< Not itself included.
  std::optional<std::string> category;  ///< A command's, or the name of a LogKind.
};
/// `limit` apart.
bool matches(const LogQuery& query, const LogEntry& entry);

/// A command that was entered or, later, the same one again with its end.
struct CommandEvent {
  SessionId session;
  ProjectId project;
  std::string user;
  RunningCommand command;
  bool ended = false;  ///< The shell reported its end; else the next two mean nothing.
  Millis duration{0};
  bool failed = false;
};
/// What an engine keeps of them between two take_commands(); the oldest fall out, counted.
inline constexpr std::size_t kMaxCommandEvents = 10'000;

struct CommandPattern {
  std::string pattern;  ///< 2 to 5 categories, `git > build > test`.
  std::uint64_t frequency = 0;
};

/// Watch: counters, errors, events, command statistics, logs, health.
class TelemetryService {
 public:
  virtual ~TelemetryService() = default;

  /// `user`: whose session it is, empty for nobody's.
  virtual Result<void> opened(const SessionId& id, const ProjectId& project,
                              std::string_view user = {}) = 0;
  virtual Result<void> closed(const SessionId& id) = 0;

  /// Whether the text of commands is kept from now on; at first it is not.
  virtual void record_text(bool on) = 0;
  /// The shell reported that a command ended. Ignored when none is known to run.
  virtual void finished(const SessionId& id, int exit_code) = 0;
  /// Commands since the last call, in order.
  virtual std::vector<CommandEvent> take_commands() = 0;

  virtual void output(const SessionId& id, std::size_t bytes) = 0;
  /// `echo`: the tty echoes; while it does not, nothing typed is looked at.
  virtual void input(const SessionId& id, std::span<const char> bytes, bool echo) = 0;
  /// An operation (create, attach, flip, close, …) ended. `took` feeds the response time.
  virtual void operation(std::string_view kind, bool ok, Millis took) = 0;
  /// Something went wrong; `id` empty when it concerns no session.
  virtual void error(const SessionId& id, std::string_view kind, std::string_view detail) = 0;
  virtual void state_changed(const SessionId& id, SessionState from, SessionState to) = 0;
  /// Newest sample of what a session's shell uses.
  virtual void sampled(const SessionId& id, double cpu_percent, std::uint64_t memory_bytes) = 0;
  /// Called about once a second: collections, batches, checks that are due.
  virtual void tick() = 0;

  virtual TelemetryTotals totals() const = 0;
  virtual std::vector<LogEntry> logs(const LogQuery& query) const = 0;
  /// Sequences of commands seen at least `min_frequency` times, most frequent first.
  virtual std::vector<CommandPattern> patterns(std::uint64_t min_frequency) const = 0;
  virtual Result<CommandStatistics> statistics(const SessionId& id) const = 0;

  virtual Result<TelemetryRecord> export_session(const SessionId& id) const = 0;
  /// `project` and `user` as in opened(). Errors: session_exists.
  virtual Result<void> import_session(const SessionId& id, const ProjectId& project,
                                      const TelemetryRecord& record,
                                      std::string_view user = {}) = 0;
  virtual Result<void> release(const SessionId& id) = 0;

  virtual std::vector<ModuleHealth> health() const = 0;
};

/// An engine: one implementation of each port, on one shard. Lives as long as the shard.
struct EnginePorts {
  SessionService* sessions = nullptr;
  StreamService* streams = nullptr;
  TelemetryService* telemetry = nullptr;
};

}  // namespace term
