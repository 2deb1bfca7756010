#pragma once
// A limit for calls that wait for another machine and cannot be given one.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace term::store {

/// Shuts a socket down when a call on it takes too long, so that the call fails. libpq waits for an
/// answer for ever; statement_timeout is the server's, and a stopped server keeps none.
class Watchdog final {
 public:
  Watchdog();
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// While it lives, `fd` is watched. One at a time.
  class Guard final {
   public:
    Guard(Watchdog& dog, int fd, std::chrono::milliseconds limit);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Watchdog& dog_;
  };
  /// What is watched now is shut down. Thread: any.
  void bite();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  int fd_ = -1;
  std::chrono::steady_clock::time_point deadline_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace term::store
