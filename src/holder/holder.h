#pragma once
// What the holder knows, and which file does what with it. One thread; calls are in the order of
// the files: log, sessions, connections, requests, upgrade, init, main.

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "holder/wire.h"

namespace term::holder {

inline constexpr uint32_t kMaxHalfOpen = 8;  ///< Connections besides the service's.
inline constexpr int64_t kHelloMs = 5'000;   ///< To say hello, and to go after a refusal.
inline constexpr int64_t kStallMs = 30'000;  ///< A service that takes nothing for so long is cut.
inline constexpr int64_t kKillMs = 3'000;    ///< From SIGHUP to SIGKILL.
inline constexpr int64_t kTermMs = 10'000;   ///< From SIGTERM to SIGKILL of the service.
inline constexpr rlim_t kSpareFiles = 64;    ///< Descriptors that no session gets.

/// A slot of the table. All zero = free, so that untouched slots take no memory.
struct Session {
  bool used;
  bool adopted;  ///< Nobody's child: its end is seen by `pidfd`.
  bool untold;   ///< It ended and the connected service was not told.
  int pty;
  int pidfd;         ///< Of an adopted one that runs, else -1.
  int64_t ended_ms;  ///< now_ms() when the pidfd became readable; 0 = not yet.
  int32_t pid;
  int32_t pts;
  Exit exit;
  char tag[kMaxTag + 1];
};

struct NamedFd {
  Name name;  ///< Empty: free.
  int fd;
};

/// A peer. All zero = free. It has said hello (then it is Holder::service), it still may, or it was
/// told to go.
struct Connection {
  bool used;
  bool leaving;  ///< Told why and shut down; what it still sends is thrown away.
  bool mute;     ///< It reads no more, but what it asked for before that is done.
  int fd;
  int32_t pid;
  int64_t deadline;  ///< now_ms() at which it is cut; 0 = never.
  uint32_t events;   ///< What epoll waits for.

  // One answer is on its way at a time; until it is gone no request is read. So a slow service
  // costs one packet, and never waiting.
  bool answering;
  bool listing;      ///< In the middle of held packets.
  bool naming;       ///< In the middle of named packets.
  bool retry;        ///< The kernel was out of something; no event will tell when to go on.
  uint32_t next;     ///< The slot or name to go on with.
  uint32_t listed;   ///< Sent so far.
  uint32_t request;  ///< Of the listing.
  int answer_fd;     ///< Goes with the answer; borrowed from the table. -1 = none.
  size_t answer_size;
  alignas(8) char answer[256];
};

/// A packet as it came. Descriptors that nobody took are closed after it.
struct Packet {
  const char* bytes;
  size_t size;
  bool too_large;
  bool fds_lost;  ///< No room for its descriptors.
  int fds[kMaxFds];
  uint32_t fd_count;
};

struct Options {
  const char* state_dir;
  int64_t idle_ms;  ///< 0 = never.
  bool daemon;
  bool init;
  bool check_state;
  int resume_fd;   ///< -1 = none.
  char** service;  ///< In init mode: NULL-terminated argv, else null.
};

struct Holder {
  Options options;
  char** argv;          ///< Ours; an upgrade repeats it.
  char own_path[4096];  ///< Of our binary, as it was at the start.
  rlim_t soft_files;    ///< What we were given and what children get; ours is the hard one.
  rlim_t max_files;
  int oom_fd;     ///< /proc/self/oom_score_adj if we are protected, else -1.
  int oom_score;  ///< Ours, negative.
  int dir, lock, listener, signals, events;
  int64_t accept_ms;  ///< Accepts again at this time; 0 = it does now.
  uint32_t foreign;   ///< Connections of other users.

  Session* sessions;              ///< [kMaxSessions]
  int32_t running[kMaxSessions];  ///< Pids of children not ended, for a fast search; 0 = none.
  uint32_t high;                  ///< All used slots are below.
  uint32_t held, alive;
  uint32_t dying;   ///< Adopted ones that ended and whose exit is still asked for.
  uint32_t untold;  ///< Sessions with `untold`.
  NamedFd names[kMaxNamed];
  uint32_t named;

  Connection connections[kMaxHalfOpen + 1];
  Connection* service;  ///< The one that said hello, or null.
  int64_t idle_since;

  int64_t ending_ms;  ///< When the sessions got SIGHUP; 0 = not ending.
  bool killed;        ///< They got SIGKILL, too.
  int status;         ///< Ours, when it is all over.

  // Init mode.
  int32_t service_pid;       ///< 0 = none.
  int64_t service_start_ms;  ///< When it was started.
  int64_t restart_ms;        ///< When to start the next one; 0 = not waiting for that.
  int64_t backoff_ms;
  int64_t term_ms;  ///< When it was told to end; 0 = it was not.

  alignas(8) char buffer[kMaxPacket];
  char* strings[kMaxStrings + 4];  ///< argv and environment of a spawn.
};

// log.cpp
int64_t now_ms();   ///< CLOCK_MONOTONIC.
int64_t wall_ms();  ///< Since the epoch.
/// `area.event key=value …` to stderr, with the time before it.
[[gnu::format(printf, 1, 2)]] void log_line(const char* format, ...);
/// A line on stderr, then the end of the process.
[[noreturn, gnu::format(printf, 2, 3)]] void die(int status, const char* format, ...);

// sessions.cpp
/// Fills a free slot.
void put_session(Holder* h, uint32_t slot, const Session& session);
/// Closes the pty and frees the slot; a child that still runs is still reaped.
void forget_session(Holder* h, uint32_t slot);
/// Reaps every child that ended, and in init mode every orphan.
void reap(Holder* h);
/// An adopted child's pidfd is readable: finds out how it ended, soon.
void adopted_ended(Holder* h, uint32_t slot);
/// Asks again for the exits of adopted ones.
void ask_for_exits(Holder* h);
/// Watches the pidfd of an adopted session. Errors: errno.
int watch_adopted(Holder* h, uint32_t slot);
/// To the child's process group. Errors: errno; ESRCH when it has ended.
int signal_session(Holder* h, uint32_t slot, int signal);
/// Hangs every session up; advance_end() does the rest. Once only.
void begin_end(Holder* h);
/// SIGKILL when it is time. True when all is over.
bool advance_end(Holder* h);
/// Children start with the limit of files that we were given and with oom_score_adj 0.
void before_spawn(Holder* h);
void after_spawn(Holder* h);

// connections.cpp
/// What an event of epoll is about; the number is a slot or a connection.
enum class Source : uint32_t { listener, signals, connection, adopted };
int watch(Holder* h, int fd, Source source, uint32_t number, uint32_t events);
void accept_peers(Holder* h);
/// Reads, answers and sends what is possible now.
void serve(Holder* h, Connection* c);
/// Sends what waits for the service, as far as it takes it.
void push(Holder* h);
/// Cuts those whose time is over, and goes on where the kernel was out of something.
void check_deadlines(Holder* h);
/// Says `packet`, then lets it read that and go.
void dismiss(Holder* h, Connection* c, const void* packet, size_t size);
/// Has the peer closed its end?
bool peer_is_gone(const Connection& c);
void drop_connection(Holder* h, Connection* c);

// requests.cpp
/// Does what the packet says and leaves the answer in the connection.
void handle_packet(Holder* h, Connection* c, Packet* packet);
/// Puts an answer into the connection, to be sent by serve(); `fd` is borrowed.
void answer(Connection* c, const void* packet, size_t size, int fd = -1);
[[gnu::format(printf, 4, 5)]] void fail(Connection* c, uint32_t request, int error,
                                        const char* format, ...);
void refuse(Holder* h, Connection* c, int32_t pid, const char* text);

// upgrade.cpp
/// Becomes the program at `path` (null: our own). Returns only when that failed: its errno, and in
/// `text` what.
int upgrade(Holder* h, const char* path, char* text, size_t size);
/// Takes over the state in `fd`; ends the process if that cannot be done.
void resume(Holder* h, int fd);
/// `--check-state`: could this program take over the state on descriptor 0? The exit status.
int check_state();

// init.cpp
/// Starts the service when it is time, and sees that it ended.
void advance_service(Holder* h);
/// A process was reaped that is no session.
void process_ended(Holder* h, pid_t pid, int wait_status);
/// SIGTERM or SIGINT in init mode: first the service ends, then the sessions.
void end_service(Holder* h, int signal);

// start-up, in setup.cpp
void parse_options(Holder* h, int argc, char** argv);
void make_daemon(Holder* h);
/// The state directory, the lock and the socket.
void listen_in_state_dir(Holder* h);
/// Ready: tells the starter of a daemon, and systemd.
void tell_ready(Holder* h);
void set_limits(Holder* h);

}  // namespace term::holder
