#pragma once
// One thread's loop over many sockets, for clients by the hundred.

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace term::test {

using Millis = std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

/// epoll, and a beat for everything that goes by time. Thread: one.
class EventLoop {
 public:
  /// Told when its descriptor is ready; may not destroy itself in there.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void ready(std::uint32_t events) = 0;
  };

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void watch(int fd, std::uint32_t events, Handler& handler);
  void change(int fd, std::uint32_t events, Handler& handler);
  void forget(int fd);

  /// Called every few milliseconds between two rounds of events.
  void on_beat(std::function<void()> beat) { beats_.push_back(std::move(beat)); }

  /// Serves events and beats until `done` holds; false after `at_most`.
  bool run_until(const std::function<bool()>& done, Millis at_most);
  void run_for(Millis time);
  /// Makes run_until look at its condition. From any thread.
  void wake();

 private:
  void turn(Millis at_most);

  int epoll_;
  int wake_;  ///< An eventfd.
  std::vector<std::function<void()>> beats_;
  SteadyClock::time_point next_beat_{};
};

}  // namespace term::test
