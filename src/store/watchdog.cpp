#include "store/watchdog.h"

#include <sys/socket.h>

namespace term::store {

Watchdog::Watchdog() : thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Watchdog::Guard::Guard(Watchdog& dog, int fd, std::chrono::milliseconds limit) : dog_(dog) {
  {
    const std::lock_guard lock(dog_.mutex_);
    dog_.fd_ = fd;
    dog_.deadline_ = std::chrono::steady_clock::now() + limit;
  }
  dog_.changed_.notify_all();
}

Watchdog::Guard::~Guard() {
  const std::lock_guard lock(dog_.mutex_);
  dog_.fd_ = -1;
}

void Watchdog::bite() {
  const std::lock_guard lock(mutex_);
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    if (fd_ < 0) {
      changed_.wait(lock);
      continue;
    }
    changed_.wait_until(lock, deadline_);
    if (fd_ < 0 || over_ || std::chrono::steady_clock::now() < deadline_) continue;
    ::shutdown(fd_, SHUT_RDWR);
    fd_ = -1;
  }
}

}  // namespace term::store
