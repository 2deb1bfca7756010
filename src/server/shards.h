#pragma once
// The event loops, and how work gets from one to another (DESIGN.md 2.5).

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <type_traits>
#include <vector>

#include "adapter/admission.h"
#include "adapter/sessions.h"
#include "session/signal.h"

namespace term::server {

class Connection;

/// What a shard's connections did, beside what the engines count.
struct ConnectionCounts {
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  std::uint64_t bad_messages = 0;
  std::uint64_t not_admitted = 0;  ///< Sessions refused by maintenance or the share of traffic.
  std::map<std::string, std::uint64_t> by_dialect;
};

/// One thread, its loop, its sessions, its connections. Touch from its thread only.
struct Shard {
  unsigned index = 0;
  net::io_context io{1};
  std::unique_ptr<adapter::Sessions> sessions;
  std::set<Connection*> connections;
  ConnectionCounts counts;
  std::shared_ptr<const adapter::AdmissionRules> admission =
      std::make_shared<const adapter::AdmissionRules>();
  /// Sessions being created: who else wants one of them waits here.
  std::map<SessionId, std::shared_ptr<Signal>> creating;

  /// Unique in the process: the shard's number is its remainder.
  ViewerId new_viewer_id() { return ++viewers * kMaxShards + index; }
  static constexpr ViewerId kMaxShards = 64;
  ViewerId viewers = 0;
};

class Shards {
 public:
  /// `setup` is used for each shard, with its own executor.
  Shards(unsigned count, const adapter::Sessions::Setup& setup);
  ~Shards();

  /// `f(shard)` for each, on threads of their own; returns when all have ended. Before start().
  template <class F>
  void before_start(F f) {
    std::vector<std::jthread> threads;
    for (auto& shard : shards_) threads.emplace_back([&f, &shard = *shard] { f(shard); });
  }
  void start();
  /// Ends the loops and joins the threads; what was running is destroyed, not resumed.
  void stop();

  std::size_t size() const { return shards_.size(); }
  Shard& at(std::size_t index) { return *shards_.at(index); }
  /// Where a session lives: by a stable hash of its id.
  Shard& of(const SessionId& id);
  /// Where a project's record lives.
  Shard& home(const ProjectId& project);
  net::io_context& first() { return shards_.front()->io; }

  /// Runs `f(shard)` on that shard's thread and brings its result back to the caller's.
  template <class F>
  net::awaitable<std::invoke_result_t<F&, Shard&>> on(Shard& shard, F f) {
    using R = std::invoke_result_t<F&, Shard&>;
    // Also from the shard itself: a call is always a turn of its own.
    co_return co_await net::co_spawn(shard.io.get_executor(), call<R, F>(shard, std::move(f)),
                                     net::use_awaitable);
  }
  /// Runs `work` on that shard's thread.
  template <class R>
  net::awaitable<R> run(Shard& shard, net::awaitable<R> work) {
    co_return co_await net::co_spawn(shard.io.get_executor(), std::move(work), net::use_awaitable);
  }
  /// A copy of `f` on every shard, all at the same time; the results in the shards' order. What `f`
  /// throws is thrown here, once all have ended.
  template <class F>
  net::awaitable<std::vector<std::invoke_result_t<F&, Shard&>>> gather(F f) {
    using R = std::invoke_result_t<F&, Shard&>;
    const auto home = co_await net::this_coro::executor;
    Signal one_ended(home);
    // Not of this frame: that may be destroyed (at a stop) while a shard is still at it.
    auto gathered = std::make_shared<Gathered<R>>(home, one_ended, shards_.size());
    const Leaving<R> leaving{*gathered};
    for (auto& shard : shards_) net::post(shard->io, Gathering<R, F>{gathered, *shard, f});
    while (gathered->left > 0) co_await one_ended.wait();
    co_return gathered->results();
  }
  /// The same for work of more than one turn: `f(shard)` gives an awaitable, run on that shard.
  template <class F>
  net::awaitable<std::vector<typename std::invoke_result_t<F&, Shard&>::value_type>> gather_work(
      F f) {
    using R = typename std::invoke_result_t<F&, Shard&>::value_type;
    const auto home = co_await net::this_coro::executor;
    Signal one_ended(home);
    auto gathered = std::make_shared<Gathered<R>>(home, one_ended, shards_.size());
    const Leaving<R> leaving{*gathered};
    for (auto& shard : shards_)
      net::co_spawn(shard->io.get_executor(), f(*shard), Ending<R>{gathered, shard->index});
    while (gathered->left > 0) co_await one_ended.wait();
    co_return gathered->results();
  }

  /// Sessions in the whole process: reserve before admission, release when one leaves.
  std::size_t reserve() { return total_.fetch_add(1); }
  void release() { total_.fetch_sub(1); }
  std::size_t total() const { return total_.load(); }

 private:
  template <class R>
  struct Gathered {
    struct Part {
      std::optional<R> result;
      std::exception_ptr error;
    };
    Gathered(const net::any_io_executor& executor, Signal& waits, std::size_t count)
        : home(executor), one_ended(&waits), parts(count), left(count) {}
    std::vector<R> results() {
      std::vector<R> results;
      for (auto& part : parts) {
        if (part.error) std::rethrow_exception(part.error);
        results.push_back(std::move(*part.result));
      }
      return results;
    }
    static void end_part(std::shared_ptr<Gathered> all) {
      const auto home = all->home;
      net::post(home, [all = std::move(all)] {
        --all->left;
        if (all->one_ended != nullptr) all->one_ended->notify_all();
      });
    }
    net::any_io_executor home;
    Signal* one_ended;        ///< Touch from home only; null when nobody waits any more.
    std::vector<Part> parts;  ///< Each touched by its shard, then by home.
    std::size_t left;         ///< Touch from home only.
  };
  template <class R>
  struct Leaving {
    Gathered<R>& gathered;
    ~Leaving() { gathered.one_ended = nullptr; }
  };
  template <class R, class F>
  struct Gathering {
    std::shared_ptr<Gathered<R>> gathered;
    Shard& shard;
    F f;
    void operator()() {
      auto& part = gathered->parts[shard.index];
      try {
        part.result.emplace(f(shard));
      } catch (...) {
        part.error = std::current_exception();
      }
      Gathered<R>::end_part(std::move(gathered));
    }
  };
  template <class R>
  struct Ending {
    std::shared_ptr<Gathered<R>> gathered;
    unsigned index;
    void operator()(const std::exception_ptr& error, R result) {
      auto& part = gathered->parts[index];
      if (error)
        part.error = error;
      else
        part.result.emplace(std::move(result));
      Gathered<R>::end_part(std::move(gathered));
    }
  };
  template <class R, class F>
  static net::awaitable<R> call(Shard& shard, F f) {
    co_return f(shard);
  }

  std::deque<std::unique_ptr<Shard>> shards_;
  std::vector<net::executor_work_guard<net::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
  std::atomic<std::size_t> total_{0};
};

}  // namespace term::server
