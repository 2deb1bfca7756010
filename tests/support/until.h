#pragma once
// Waiting on a condition.

#include <chrono>
#include <functional>
#include <thread>

namespace term::test {

/// How long a test waits for what has to come.
inline constexpr auto kDeadline = std::chrono::seconds(30);

/// Asks until `done()` says yes; false after the deadline.
inline bool until(const std::function<bool()>& done, std::chrono::milliseconds within = kDeadline) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace term::test
