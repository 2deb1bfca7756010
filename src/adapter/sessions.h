#pragma once
// All sessions of one shard: their life from open to end, whichever engine keeps their books.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapter/engines.h"
#include "adapter/flags.h"
#include "adapter/flip.h"
#include "adapter/mirror.h"
#include "adapter/projects.h"
#include "session/books.h"
#include "session/shell_usage.h"

namespace term::adapter {

struct SessionSizes {
  std::size_t ring_bytes = 1024 * 1024;
  std::size_t input_bytes = 1024 * 1024;
};

struct SessionCounts {
  std::uint64_t created = 0;
  std::uint64_t ended = 0;     ///< By exit, close or expiry.
  std::uint64_t failed = 0;    ///< No shell could be started.
  std::uint64_t lost = 0;      ///< A live shell ended by us unasked. Must stay 0.
  std::uint64_t adopted = 0;   ///< Taken over from an earlier process.
  std::uint64_t reopened = 0;  ///< Cold: their shells were gone, and others were started.
  bool operator==(const SessionCounts&) const = default;
};

/// Who keeps what must outlive the host; each may be empty. Called on the shard's thread, must not
/// wait.
struct Storing {
  /// The newest state of a session, now and then with its newest output (`stream.data`, which ends
  /// at `stream.next_offset`). `dual`: for both engines' tables.
  std::function<void(const Books&, bool dual)> on_books;
  std::function<void(const SessionId&)> on_gone;
  /// Of projects whose record this shard keeps; none: it is forgotten.
  std::function<void(const ProjectId&, std::optional<ProjectRecord>)> on_project;
  /// May output come along?
  std::function<bool()> wants_output;
};

/// The shard's table of sessions, and every operation on one.
///
/// Thread: the shard's. Nothing here waits: the caller starts the shell between open() and
/// started(), so that a slow holder stops nobody.
class Sessions {
 public:
  struct Setup {
    net::any_io_executor executor;
    PtySource* source = nullptr;
    Clock clock;
    SessionLimits session_limits;
    StreamLimits stream_limits;
    SessionSizes sizes;
    EngineFactory engines = make_engines;
    std::shared_ptr<const Flags> flags = std::make_shared<Flags>();
    /// A session ended: its project's home shard must hear of it.
    std::function<void(const ProjectId&, const SessionId&)> on_left;
    Storing storing;
    /// Who serves a session: when it begins and moves, and now and then in between.
    std::function<void(const SessionId&, const Owners&)> on_route;
    /// Commands that were entered or ended, about once a second.
    std::function<void(std::vector<CommandEvent>)> on_commands;
    bool record_commands = false;  ///< Their text, too.
  };
  explicit Sessions(Setup setup);

  /// Sessions opened from now on live in a slot of `arena` and outlive this process. Both outlive
  /// this object. Without `staging` a crash loses or repeats some bytes.
  void live_in(Arena& arena, Staging* staging);
  /// Goes on with a session that an earlier process had, as its books say, with the output and the
  /// input offsets of its slot. `frozen`: nothing is pumped until thaw(). Errors: session_exists,
  /// bad_snapshot; slot and pty are untouched then.
  Result<std::shared_ptr<Session>> adopt(Books books, ArenaSlot slot, Pty& pty, bool frozen);
  /// Nothing moves until thaw(): no byte, no timer, no state (DESIGN.md 2.1, hand-over).
  void freeze();
  void thaw();

  const Flags& flags() const { return *flags_; }
  /// Dual write goes off with its flag at once, and on for whatever begins from now on: call
  /// mirror_some() until there is no more.
  void publish(std::shared_ptr<const Flags> flags);
  /// Gives all that changed to the store: states, output, projects. Before this process ends.
  void store_all();
  /// From now on nothing is stored, nor taken out of the store.
  void stop_storing() { storing_ = {}; }
  Projects& projects() { return projects_; }
  const Engines& engines() const { return engines_; }
  /// Where operations that concern no session are counted.
  TelemetryService& telemetry() const;

  /// Registers an admitted session, in `starting`, without a shell yet: viewers may attach and
  /// type. Errors: session_exists, breaker_open.
  Result<std::shared_ptr<Session>> open(const NewSession& fresh);
  /// The same for a session whose shell is gone: goes on with its saved state and output, at
  /// `snapshot.stream.next_offset`, under the engine of the flags. What belongs to the shell and
  /// its viewers must be out of it already. Errors: the same, bad_snapshot.
  Result<std::shared_ptr<Session>> reopen(SessionSnapshot snapshot);
  void started(Session& session, Pty pty);
  /// No shell: viewers are told and closed with 4000.
  void failed(Session& session, const Error& why);

  std::shared_ptr<Session> find(const SessionId& id) const;
  /// Somebody wants a new session of this id: one that has ended and that nobody watches goes.
  /// True if the id is free now.
  bool make_room_for(const SessionId& id);
  /// Those that ended and were kept for a client that might come back.
  void forget_ended();
  /// Neither closed nor ended: it must be in its owner's registry.
  bool registered(const SessionId& id) const;
  /// Sessions whose shells run (or start), in no order.
  std::vector<std::shared_ptr<Session>> live() const;
  /// Those that drain to their viewers, too.
  std::vector<std::shared_ptr<Session>> all() const;
  std::vector<SessionRecord> records(const std::optional<ProjectId>& project) const;

  Result<void> attach(Session& session, Viewer& viewer, const ViewerState& state);
  void detach(Session& session, const Viewer& viewer, int close_code);
  Result<void> suspend(Session& session);
  Result<void> resume(Session& session);
  Result<void> rename(Session& session, std::string_view name);
  Result<void> set_focused(Session& session, bool focused);
  /// Ends it: the shell is hung up, the registry forgets it at once, viewers get `close_code`
  /// once they have all output (`but` gets 1000).
  Result<void> close(Session& session, std::string_view reason, int close_code,
                     const Viewer* but = nullptr);

  MoveResult move(Session& session, const Owners& to);

  /// Dual write: takes at most `most` sessions and projects that live already into the shadow
  /// registries; false when all are there.
  bool mirror_some(std::size_t most);
  /// Parity: compares the next `most` sessions and projects; false when it came round, or when
  /// there is nothing to compare yet.
  bool compare_some(std::size_t most);
  MirrorReport mirror_report() const { return mirror_.report(); }

  /// Hands over what on_commands has not been told yet.
  void pass_commands();

  /// Once a second: engines' ticks, expiries, the working directory of shells.
  void tick();

  const SessionCounts& counts() const { return counts_; }
  std::size_t size() const { return sessions_.size(); }

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    bool registered = true;            ///< In the registry still.
    bool lost = false;                 ///< Should be there, and is not: counted.
    bool by_itself = false;            ///< The shell ended it, not we.
    std::optional<WallTime> ended_at;  ///< Draining to its viewers since.
    ShellSample sample;
    std::size_t looked = 0;        ///< Hash of what moved when it was noted last in passing.
    unsigned unmoved = 0;          ///< How often in a row it had not.
    std::size_t stored_books = 0;  ///< Hash of those that the store got last.
    Offset stored_upto = 0;        ///< Output that the store has; 0 at first: none.
    WallTime stored_at{};          ///< When it got output last.
  };
  void ended(Session& session);
  Result<std::optional<ArenaSlot>> claim_slot();
  Result<void> register_new(const NewSession& fresh, const EnginePorts& ports);
  Result<void> register_with(const Books& books, const EnginePorts& ports);
  void leave_registry(Session& session, std::string_view reason);
  /// It has ended; who watches still gets its last output.
  void drain(Session& session);
  void forget_if_unwatched(Session& session);
  void forget(std::map<SessionId, Entry, std::less<>>::iterator it);
  void settle(Session& session, std::string_view reason);
  /// Puts down what the next service must know of it. Called whenever that changes; what changes
  /// with each byte is put down by tick() alone.
  void note(const Session& session);
  /// Notes all sessions behind `after`, some at a turn of the shard's loop: what the arena has of
  /// them is as old as the freeze was long, and bytes go first.
  void note_from(const SessionId& after);
  bool moved(Entry& entry, const SessionRecord& record) const;
  void store_books(Entry& entry, const Books& books, const std::string& text);
  /// Output of some sessions that printed, oldest turn first, and projects that changed.
  void store_some();
  /// False when it has nothing new, or not yet.
  bool store_output(Entry& entry, Millis at_most_every);
  void store_projects();
  void expire();
  /// Some sessions at a time: still in their registry? Where is their shell now?
  void look_after();
  /// Some sessions at a time: what do their shells use?
  void sample_shells();

  net::any_io_executor executor_;
  PtySource& source_;
  SessionSizes sizes_;
  Clock clock_;
  std::shared_ptr<Moment> moment_;
  std::function<Engines()> make_engines_;
  Engines engines_;
  Mirror mirror_;
  Projects projects_;
  std::shared_ptr<const Flags> flags_;
  std::function<void(const ProjectId&, const SessionId&)> on_left_;
  Storing storing_;
  std::function<void(const SessionId&, const Owners&)> on_route_;
  std::function<void(std::vector<CommandEvent>)> on_commands_;
  Turn turn_;
  Arena* arena_ = nullptr;
  Staging* staging_ = nullptr;
  bool frozen_ = false;
  std::map<SessionId, Entry, std::less<>> sessions_;
  std::set<SessionId> draining_;  ///< Of `sessions_`, those with ended_at.
  SessionCounts counts_;
  SessionId last_looked_at_;
  SessionId last_sampled_;
  SessionId last_stored_;
  /// How far something that goes through all sessions, and then all projects, has come.
  struct Round {
    SessionId session;
    ProjectId project;
    bool in_projects = false;
    bool first_project = false;
  };
  template <class OnSession, class OnProject>
  bool step(Round& round, OnSession on_session, OnProject on_project);
  Round mirroring_;
  Round comparing_;
  bool mirrored_ = false;  ///< Dual write is on and everything that lived before is in.
};

}  // namespace term::adapter
