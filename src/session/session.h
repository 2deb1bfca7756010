#pragma once
// A live session: one pty, its ring, its input queue, its viewers, and who keeps its books.

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "session/arena.h"
#include "session/input_queue.h"
#include "session/output_ring.h"
#include "session/ports.h"
#include "session/pty.h"
#include "session/replay.h"
#include "session/signal.h"
#include "session/staging.h"

namespace term {

/// Which engine keeps a session's books, port by port.
struct Owners {
  Engine sessions = Engine::refactored;
  Engine streams = Engine::refactored;
  Engine telemetry = Engine::refactored;
  bool operator==(const Owners&) const = default;
};

/// Something the user must be told outside the stream (PROTOCOLS.md 2, `notice`).
struct Notice {
  std::string kind;  ///< `maintenance`, `draining`, `restarting`, `engine`, `limit`.
  std::string message;
  std::string eta;
  bool over = false;  ///< What was announced before has ended.
  bool operator==(const Notice&) const = default;
};

/// What a viewer has not been told yet. Bounded by construction: the newest of each kind counts.
struct ViewerNews {
  std::optional<WindowSize> resized;
  std::string resized_by;         ///< Client id; empty = nobody in particular.
  bool status = false;            ///< Status, focus, name: ask the registry.
  bool engine = false;            ///< Owners changed.
  std::vector<Notice> notices;    ///< At most one of each kind.
  std::optional<int> close_code;  ///< The connection is to end with this code once all is sent.
  std::string close_reason;
  bool close_now = false;  ///< Do not wait for the rest of the output.
  bool abort = false;      ///< Do not even say so: drop the connection.

  /// In place of one of the same kind.
  void put(Notice notice) {
    std::erase_if(notices, [&](const Notice& other) { return other.kind == notice.kind; });
    notices.push_back(std::move(notice));
  }
};

/// One attached connection, seen from the session. Owned by the connection; detach before it dies.
struct Viewer {
  explicit Viewer(const net::any_io_executor& executor) : wake(executor) {}
  ViewerId id = 0;
  std::string client;
  Signal wake;  ///< There are bytes to deliver, input got written, or there is news.
  ViewerNews news;
};

/// What the shard knows of who used its thread last; one per shard (GOALS.md 1: turn budget).
struct Turn {
  const void* last = nullptr;
};

/// Owns the mechanics and none of the books: every decision (when to read, what to deliver to whom,
/// when to hold back, what to write) is asked of the session's own engine, at each turn.
///
/// Thread: its shard's only. Lifetime: shared by the shard's table, the running coroutines and the
/// connections; ended() stays true for those who come late.
class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Setup {
    SessionId id;
    ProjectId project;
    Owners owners;
    EnginePorts ports;  ///< Those of `owners`.
    std::size_t ring_bytes = 1024 * 1024;
    std::size_t input_bytes = 1024 * 1024;
    Offset next_offset = 0;
    /// Where the ring lives so that it outlives us; its content is kept. None: in our own memory.
    std::optional<ArenaSlot> slot;
    Staging* staging = nullptr;  ///< The shard's; set if `slot` is.
    bool adopted = false;        ///< An earlier service process had it.
    /// A new shell behind output of before: the bytes that end at `next_offset`. The ring, and the
    /// slot if there is one, are empty then.
    std::optional<std::string> saved_output;
  };
  Session(const net::any_io_executor& executor, PtySource& source, Turn& turn, Setup setup);
  ~Session();

  const SessionId& id() const { return id_; }
  const ProjectId& project() const { return project_; }
  const net::any_io_executor& executor() const { return executor_; }

  Owners owners() const { return owners_; }
  SessionService& sessions() const { return *ports_.sessions; }
  StreamService& streams() const { return *ports_.streams; }
  TelemetryService& telemetry() const { return *ports_.telemetry; }
  const EnginePorts& ports() const { return ports_; }
  /// A flip: somebody else keeps the books from now on. Viewers are told.
  void set_owners(Owners owners, EnginePorts ports);
  /// The same owners, reached another way: dual write went on or off.
  void reach_through(EnginePorts ports) { ports_ = ports; }

  /// The shell is there: output is pumped and queued input written from now on.
  /// `on_end` is called once, when the child has ended and all it printed is in the ring.
  void start(Pty pty, std::function<void(Session&)> on_end);
  bool started() const { return started_; }
  /// The child ended, or never started: nothing will be printed any more.
  bool ended() const { return ended_; }
  std::optional<ExitStatus> exit_status() const { return exit_; }
  pid_t pid() const { return pty_.pid; }

  /// Hangs up: SIGHUP until the child is gone, SIGKILL after `grace` if it is still there.
  void hang_up(std::chrono::milliseconds grace = std::chrono::seconds(3));
  /// Nobody will ask for it any more: with the last reference its slot and its place with the
  /// holder go. Without this call both stay, for the next service.
  void forget() { forgotten_ = true; }

  /// Nothing is read from the pty or written to it until thaw(): somebody else may be doing it.
  void freeze() { frozen_ = true; }
  void thaw();
  const std::optional<ArenaSlot>& slot() const { return slot_; }
  int pty_fd() const { return pty_.fd.get(); }
  bool adopted() const { return adopted_; }
  /// Its first shell is gone and this one was started in its place (DESIGN.md 8).
  bool cold() const { return cold_; }
  /// Might a client come back for the last bytes and how it ended? Not once one was told.
  bool is_awaited() const { return !told_end_ && (adopted_ || !numbered_.empty()); }
  void told_end() { told_end_ = true; }
  /// Was this client attached since this process has the session?
  bool has_met(const std::string& client) const { return met_.contains(client); }
  /// No shell could be started: ends without ever having run.
  void fail();

  const OutputRing& ring() const { return ring_; }
  /// Gives up the oldest bytes of the ring until `keep` are held, and their memory. What an
  /// attached viewer may still ask for (everything behind what it acknowledged) stays. How many
  /// bytes went; none while frozen.
  std::size_t give_up_scrollback(std::size_t keep);
  /// The modes of the terminal where byte `at` begins; `at` is held. Scans up to a sixteenth of the
  /// ring: for an attach, not for each turn.
  /// Where a terminal that begins anew can take up the output.
  Offset replay_start() const {
    return safe_replay_start(ring_, ring_.first(), modes_->known_outside());
  }
  TerminalModes modes_at(Offset at) const { return modes_->at(ring_, at); }

  Result<void> attach(Viewer& viewer, const ViewerState& state);
  void detach(const Viewer& viewer);
  const std::vector<Viewer*>& viewers() const { return viewers_; }

  /// What to hand to a viewer now. A gap's `first` is where a terminal may safely go on.
  Delivery next_delivery(const Viewer& viewer, std::size_t max);
  void sent(const Viewer& viewer, Offset upto);
  Result<void> acked(const Viewer& viewer, Offset upto);

  /// Takes what fits of `bytes`, a client's input from offset `first` on; returns how much was
  /// taken or skipped as known. The rest is to be offered again once `input_room` has fired.
  Result<std::size_t> input(const Viewer& viewer, Offset first, std::span<const char> bytes);
  Signal& input_room() { return input_room_; }
  /// The connection stopped (went on) reading because of a full input queue.
  void set_exempt(const Viewer& viewer, bool exempt);
  std::size_t queued_input() const { return input_.size(); }
  std::vector<InputQueue::Run> queued_runs() const { return input_.runs(); }
  /// Input that was accepted before, by an earlier process: in order, before start().
  void restore_input(const std::vector<InputQueue::Run>& runs);

  Result<void> resize(const Viewer& viewer, WindowSize size);
  Result<void> resize(WindowSize size);
  Result<void> set_suspended(bool suspended);

  /// Puts news to every viewer (`except` left out) and wakes them.
  void tell(const std::function<void(ViewerNews&)>& put, const Viewer* except = nullptr);

  /// All three shares as the owners keep them; with the ring's bytes when `with_data`.
  Result<SessionSnapshot> snapshot(bool with_data) const;

 private:
  net::awaitable<void> pump_output(std::shared_ptr<Session> self);
  void child_ended(const ExitStatus& status);
  net::awaitable<void> write_when_ready(std::shared_ptr<Session> self);
  net::awaitable<void> insist(std::shared_ptr<Session> self,
                              std::chrono::steady_clock::time_point patience);
  enum class Turned { more, drained, hung_up };
  Turned read_turn(std::size_t budget);
  /// As read(2): into the ring, which has moved on when it returns.
  ssize_t read_some(std::size_t max);
  /// As write(2): the front of the input queue.
  ssize_t write_some();
  bool contended();
  void write_input();
  void apply_window(WindowSize size, const std::string& client);
  void finish();
  void put_saved(std::string_view output, Offset next);
  bool watches(std::string_view client) const;
  /// Has the shell said how the entered line ended? Once per pause of the output, and only while
  /// one is awaited: its mark comes with the prompt, so the newest kMarkTail bytes are enough.
  void look_for_result();
  void wake_viewers();
  void progress();

  net::any_io_executor executor_;
  PtySource& source_;
  Turn& turn_;
  SessionId id_;
  ProjectId project_;
  Owners owners_;
  EnginePorts ports_;
  OutputRing ring_;
  std::unique_ptr<ModeLedger> own_modes_;  ///< Without a slot.
  ModeLedger* modes_;                      ///< In the slot, or our own.
  InputQueue input_;
  Pty pty_;
  std::optional<ArenaSlot> slot_;
  Staging* staging_;
  net::posix::stream_descriptor pty_ready_;  ///< Borrows pty_.fd: readiness only.
  net::steady_timer kill_timer_;
  Signal room_;        ///< The pump may have a budget again.
  Signal input_room_;  ///< The input queue shrank.
  std::vector<Viewer*> viewers_;
  std::set<std::string> met_;       ///< Clients attached so far, at most kMaxInputClients.
  std::set<std::string> numbered_;  ///< Those of them that number their input.
  std::function<void(Session&)> on_end_;
  std::optional<ExitStatus> exit_;
  std::optional<Offset>
      report_from_;  ///< A line was entered: its end may be reported from here on.
  bool started_ = false;
  bool child_gone_ = false;
  bool closing_ = false;
  bool ended_ = false;
  bool waiting_to_write_ = false;
  bool frozen_ = false;
  bool forgotten_ = false;
  bool told_end_ = false;
  const bool adopted_;
  const bool cold_;
};

}  // namespace term
