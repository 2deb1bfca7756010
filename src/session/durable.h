#pragma once
// A number in memory that another process may read after this one was killed.

#include <atomic>
#include <cstdint>

namespace term {

/// Stored in one instruction, in the order of the program. A kill is a precise interrupt: what was
/// stored before it is there, and nothing after it. All-zero memory is a zero.
class Durable {
 public:
  std::uint64_t load() const { return value_.load(std::memory_order_relaxed); }
  void store(std::uint64_t value) {
    // Fences for the compiler alone: it must not move other stores over this one.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    value_.store(value, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};
static_assert(sizeof(Durable) == 8 && std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace term
