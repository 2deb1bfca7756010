#pragma once
// The store, for coroutines.

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "store/writer.h"

namespace term::server {

/// Runs `f(store)` on the writer's thread, once everything put before is written, and brings its
/// result, a Result, back to the caller's thread. Errors: store_unavailable; those of `f`. The
/// writer outlives it.
template <class F>
boost::asio::awaitable<std::invoke_result_t<F&, store::Store&>> ask_store(store::Writer& writer,
                                                                          F f) {
  namespace net = boost::asio;
  using R = std::invoke_result_t<F&, store::Store&>;
  using Signature = void(R);
  const auto executor = co_await net::this_coro::executor;
  auto begin = [&writer, executor](auto handler, F wanted) {
    // std::function wants to copy what cannot be copied.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = std::make_shared<F>(std::move(wanted));
    writer.ask([shared, executor, work](Result<store::Store*> store) {
      R result = store ? (*work)(**store) : R(store.error());
      auto give = [shared, got = std::move(result)]() mutable { (*shared)(std::move(got)); };
      net::post(executor, std::move(give));
    });
  };
  co_return co_await net::async_initiate<const net::use_awaitable_t<>, Signature>(
      std::move(begin), net::use_awaitable, std::move(f));
}

}  // namespace term::server
