#pragma once
// Operations that cross shards: open, close, focus, suspend, list. Shared by WebSocket and REST.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/memory_watch.h"
#include "server/painting.h"
#include "server/shards.h"

namespace term::server {

class ColdSessions;

struct OpenRequest {
  SessionId id;  ///< Valid; see make_session_id().
  ProjectId project;
  std::string path;  ///< Working directory asked for; see choose_directory().
  WindowSize size;
  std::string mode = "normal";
  std::string type = "terminal";
  std::string tab_name;
  std::optional<std::string> user_id;
  bool create = true;  ///< False: only if it exists.
  /// The client had it before: one that has ended in the meantime is what it wants.
  bool resume = false;
};

struct Opened {
  std::shared_ptr<Session> session;
  bool created = false;
  bool reopened = false;  ///< It was cold: saved output, a new shell.
};

/// Thread: any shard's, where a comment does not say more. Every coroutine takes its arguments by
/// value and resumes on the caller's executor.
class Operations {
 public:
  Operations(Shards& shards, PtySource& source, const Config& config, Clock clock);

  /// Finds the session or makes it: admission on the project's home shard, the registry, the shell.
  /// Two at once get one session. Call on the session's own shard. One that is not live but stored
  /// gets a new shell behind its saved output, whatever `create` says.
  /// Errors: no_such_session (create is false), maintenance and not_admitted (only of a session
  /// that would be new), limit_reached, rate_limited, breaker_open, no_shell, os_error;
  /// store_unavailable when it is stored and cannot be read.
  net::awaitable<Result<Opened>> open(Shard& shard, OpenRequest request);

  /// The same from anywhere; gives the new session's record.
  net::awaitable<Result<SessionRecord>> create(OpenRequest request);
  net::awaitable<Result<SessionRecord>> find(SessionId id);
  /// All sessions, or one project's; oldest first.
  net::awaitable<std::vector<SessionRecord>> list(std::optional<ProjectId> project);
  /// Ends it for everyone (close code 4001). Errors: no_such_session.
  net::awaitable<Result<void>> close(SessionId id, std::string reason);
  net::awaitable<Result<void>> rename(SessionId id, std::string name);
  net::awaitable<Result<void>> resize(SessionId id, WindowSize size);

  /// Errors: no_such_session.
  net::awaitable<Result<FocusUpdate>> focus(SessionId id, bool focused);
  net::awaitable<std::vector<SessionId>> focused(ProjectId project);

  /// Suspends (resumes) every session of the project; how many it was. `only`, for a session
  /// without project: just that one.
  net::awaitable<std::size_t> suspend(ProjectId project, SessionId only);
  net::awaitable<std::vector<SessionRecord>> resume(ProjectId project, SessionId only);

  net::awaitable<std::string> layout(ProjectId project);
  net::awaitable<void> save_layout(ProjectId project, std::string layout);

  /// A session left its shard's registry. Thread: that shard's.
  void left(ProjectId project, SessionId id);

  /// Sessions whose projects have not heard yet that they left. Thread: any.
  std::size_t leaving() const { return leaving_.load(); }

  /// Sessions that are stored and not live; nothing while there is no store. Before the loops run.
  void cold_are(ColdSessions* cold) { cold_ = cold; }
  ColdSessions* cold() const { return cold_; }

  MemoryWatch& memory() { return memory_; }
  const MemoryWatch& memory() const { return memory_; }
  Shards& shards() { return shards_; }
  PtySource& source() { return source_; }
  PaintThread& painter() { return painter_; }
  const Config& config() const { return config_; }
  WallTime now() const { return clock_(); }

 private:
  /// `saved`: of a cold session; null for a new one.
  using Saved = std::shared_ptr<const SessionSnapshot>;
  net::awaitable<Result<Opened>> open_absent(Shard& shard, OpenRequest request);
  net::awaitable<Result<Opened>> make(Shard& shard, OpenRequest request, Saved saved);
  net::awaitable<Result<Opened>> start(Shard& shard, OpenRequest request, Admission admission,
                                       Saved saved);
  net::awaitable<Result<Pty>> spawn(PtyRequest request);
  net::awaitable<void> leave(ProjectId project, SessionId id);
  net::awaitable<void> apply_focus(FocusUpdate update);
  net::awaitable<std::vector<SessionId>> members(ProjectId project, SessionId only);

  Shards& shards_;
  PtySource& source_;
  const Config& config_;
  Clock clock_;
  std::map<std::string, std::string> environment_;
  std::atomic<std::size_t> leaving_{0};
  PaintThread painter_;
  MemoryWatch memory_{shards_, config_.memory_reserve_bytes};
  ColdSessions* cold_ = nullptr;
};

/// Spawns a coroutine root; what escapes it is logged with `what`.
void spawn_logged(const net::any_io_executor& executor, std::string what,
                  net::awaitable<void> work);

}  // namespace term::server
