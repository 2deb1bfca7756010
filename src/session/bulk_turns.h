#pragma once
// The order in which sessions that flood have their turns of a shard.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>

#include "session/signal.h"

namespace term {

/// One session that floods has a slice of time, and goes on in it until somebody else has used the
/// thread: a keystroke makes it wait for its next. Meanwhile the others wait in line, and so do
/// their programs, whose ptys are full: with all of them runnable a keystroke waits for a processor
/// wherever it goes, at the shard, at the program, at the client (docs/performance.md).
///
/// Lives in the shard's loop (`net::use_service`). Thread: the shard's.
class BulkTurns final : public net::execution_context::service {
 public:
  static inline net::execution_context::id id;
  explicit BulkTurns(net::execution_context& context)
      : service(context), slice_(static_cast<net::io_context&>(context)) {}

  /// Is it the turn of whoever owns `mine`? If not it is in line, and `mine` is told. Whoever has
  /// asked asks again then, and lives until it is.
  bool take(Signal& mine) {
    if (granted_ != &mine && taken_) {
      waiting_.push_back(&mine);
      return false;
    }
    granted_ = nullptr;
    taken_ = true;
    const auto share = kRound / static_cast<int>(waiting_.size() + 1);
    slice_.expires_after(std::clamp<std::chrono::microseconds>(share, kShortest, kLongest));
    slice_.async_wait([this](const boost::system::error_code& ec) {
      if (!ec) go_on();
    });
    return true;
  }

 private:
  /// All who wait have had a turn after this; few of them have long ones.
  static constexpr std::chrono::microseconds kRound{8000};
  static constexpr std::chrono::microseconds kLongest{2000};
  static constexpr std::chrono::microseconds kShortest{100};

  void shutdown() noexcept override {}
  void go_on() {
    taken_ = !waiting_.empty();
    if (!taken_) return;
    granted_ = waiting_.front();
    waiting_.pop_front();
    granted_->notify_all();
  }

  net::steady_timer slice_;
  bool taken_ = false;
  Signal* granted_ = nullptr;
  std::deque<Signal*> waiting_;
};

}  // namespace term
