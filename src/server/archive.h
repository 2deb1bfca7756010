#pragma once
// Export and restore of a running service (STATE.md 4).

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/http.h"
#include "store/restore.h"

namespace term::server {

class Service;

/// What an export takes in. A plain value.
struct ExportFilter {
  std::optional<ProjectId> project;
  std::optional<SessionId> session;
  bool live_only = false;  ///< Else what is stored and not live, too.
  std::string reason;
};

/// Thread: the first shard's. What takes long (JSON, hashes, the spool) runs on a thread of its
/// own.
class Archive {
 public:
  explicit Archive(Service& service) : service_(service) {}

  /// The document, made as it is sent: one session in memory at a time, each of one instant.
  /// Errors: store_unavailable (what is stored cannot be read), no_such_session (the filter's).
  net::awaitable<Result<std::shared_ptr<Pieces>>> export_state(ExportFilter filter);

  /// Checks the whole document before it changes anything, then restores; `engine`: who is to own
  /// the sessions, else as the flags say. Errors: bad_snapshot, bad_argument, os_error (nothing was
  /// changed); busy (another one runs); store_unavailable (there is no store).
  net::awaitable<Result<store::RestoreReport>> restore(std::shared_ptr<Pieces> document,
                                                       std::optional<Engine> engine);

  /// Runs `f` on the archive's thread and brings its result back to the caller's.
  template <class F>
  net::awaitable<std::invoke_result_t<F&>> apart(F f) {
    using R = std::invoke_result_t<F&>;
    co_return co_await net::co_spawn(worker_.get_executor(), call<R, F>(std::move(f)),
                                     net::use_awaitable);
  }

 private:
  template <class R, class F>
  static net::awaitable<R> call(F f) {
    co_return f();
  }
  net::awaitable<Result<std::shared_ptr<store::CheckedDocument>>> check(
      std::shared_ptr<Pieces> pieces);
  net::awaitable<store::RestoreReport> restore_sessions(
      std::shared_ptr<store::CheckedDocument> document, std::size_t first, std::size_t end,
      std::optional<Engine> engine);

  Service& service_;
  std::shared_ptr<bool> restoring_ = std::make_shared<bool>(false);
  net::thread_pool worker_{1};
};

}  // namespace term::server
