#include "support/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace term::test {

namespace {
constexpr Millis kBeat{5};
}

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (epoll_ < 0 || wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0)
    throw std::runtime_error("epoll");
}

EventLoop::~EventLoop() {
  ::close(wake_);
  ::close(epoll_);
}

void EventLoop::wake() { ::eventfd_write(wake_, 1); }

void EventLoop::watch(int fd, std::uint32_t events, Handler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll_ctl");
}

void EventLoop::change(int fd, std::uint32_t events, Handler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::forget(int fd) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

bool EventLoop::run_until(const std::function<bool()>& done, Millis at_most) {
  const auto end = SteadyClock::now() + at_most;
  while (!done()) {
    const auto left = std::chrono::duration_cast<Millis>(end - SteadyClock::now());
    if (left <= Millis(0)) return done();
    turn(left);
  }
  return true;
}

void EventLoop::run_for(Millis time) {
  run_until([] { return false; }, time);
}

void EventLoop::turn(Millis at_most) {
  auto now = SteadyClock::now();
  if (now >= next_beat_) {
    next_beat_ = now + kBeat;
    for (const auto& beat : beats_) beat();
    now = SteadyClock::now();
  }
  const auto to_beat = std::chrono::ceil<Millis>(next_beat_ - now);
  const auto wait = std::clamp(to_beat, Millis(0), at_most);
  std::array<epoll_event, 64> events{};
  const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                             static_cast<int>(wait.count()));
  for (int i = 0; i < n; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      eventfd_t ignored = 0;
      ::eventfd_read(wake_, &ignored);
      continue;
    }
    static_cast<Handler*>(event.data.ptr)->ready(event.events);
  }
}

}  // namespace term::test
