#pragma once
// Export and restore of a running service (STATE.md 4).

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "server/http.h"
#include "session/signal.h"
#include "store/restore.h"

namespace term::server {

class Service;

/// What a thread of its own makes meanwhile. Thread: the first shard's.
template <class R>
class Underway {
 public:
  explicit Underway(const net::any_io_executor& executor) : ended_(executor) {}
  /// The result; once. Throws what the work threw.
  net::awaitable<R> result() {
    while (!result_) co_await ended_.wait();
    if (escaped_) std::rethrow_exception(escaped_);
    co_return std::move(*result_);
  }
  void end(std::exception_ptr escaped, R result) {
    escaped_ = std::move(escaped);
    result_ = std::move(result);
    ended_.notify_all();
  }

 private:
  Signal ended_;
  std::exception_ptr escaped_;
  std::optional<R> result_;
};

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

  /// Has `f` run on the archive's thread, after what was begun before.
  template <class F>
  auto begin_apart(const net::any_io_executor& executor, F f) {
    using R = std::invoke_result_t<F&>;
    auto underway = std::make_shared<Underway<R>>(executor);
    auto end = [underway](std::exception_ptr escaped, R result) {
      underway->end(std::move(escaped), std::move(result));
    };
    net::co_spawn(worker_.get_executor(), call<R, F>(std::move(f)),
                  net::bind_executor(executor, std::move(end)));
    return underway;
  }
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
