#pragma once
// A condition variable for the coroutines of one thread, and the completion token we use.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>

namespace term {

namespace net = boost::asio;

/// Errors come back as values: `auto [ec, n] = co_await s.async_read_some(buf, kNoThrow);`
inline constexpr auto kNoThrow = net::as_tuple(net::deferred);

/// Wakes every waiter. Always wait in a loop on the condition itself.
class Signal {
 public:
  explicit Signal(const net::any_io_executor& executor)
      : timer_(executor, net::steady_timer::time_point::max()) {}

  /// To be awaited: `co_await signal.wait()`. No coroutine, which would have a frame while it
  /// waits.
  auto wait() { return timer_.async_wait(kNoThrow); }
  /// As wait(), but returns at `deadline` at the latest.
  net::awaitable<void> wait_until(net::steady_timer::time_point deadline) {
    net::steady_timer limit(timer_.get_executor(), deadline);
    // The limit may be told after somebody notified, and the signal was destroyed.
    const auto waits = std::make_shared<bool>(true);
    limit.async_wait([this, waits](const boost::system::error_code& ec) {
      if (!ec && *waits) timer_.cancel();
    });
    co_await timer_.async_wait(kNoThrow);
    *waits = false;
  }
  void notify_all() { timer_.cancel(); }

 private:
  net::steady_timer timer_;
};

}  // namespace term
