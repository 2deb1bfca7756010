#pragma once
// The thread on which screens are painted for viewers that missed how they came to be.

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <string>

#include "session/modes.h"
#include "session/types.h"

namespace term::server {

/// One screen to be painted: a copy of the newest output, and the terminal as it was before.
struct PaintRequest {
  std::string bytes;
  TerminalModes at_begin;
  WindowSize size;
  unsigned attempt = 0;  ///< From 0; a later one paints from fewer bytes, to be in time.
};

/// One thread for the whole process: painting is rare, and may never slow a shard.
/// Thread: any. Lifetime: ends before the executors that it answers on. What waits when it ends is
/// not painted.
class PaintThread {
 public:
  ~PaintThread();

  /// `done` is called on `executor` with what paint_newest() made. False: too many wait already;
  /// ask again later.
  bool paint(PaintRequest request, const boost::asio::any_io_executor& executor,
             std::function<void(std::string)> done);

  static constexpr int kMostWaiting = 64;  ///< Each with a copy of a ring.

 private:
  std::atomic<int> waiting_{0};
  boost::asio::thread_pool pool_{1};
};

}  // namespace term::server
