#pragma once
// A terminal whose bytes are staged in an arena, and children that die in the middle of a move.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "session/output_ring.h"
#include "session/staging.h"

namespace term::test {

/// Byte `at` of stream `seed`. Half of them are 0xFF or 0x00, the rest is every value; no stretch
/// of a few bytes occurs twice, so whatever is lost, doubled or shifted differs.
inline char byte_at(std::uint64_t seed, Offset at) {
  std::uint64_t x = (at + 1) * 0x9E3779B97F4A7C15ULL ^ (seed + 1) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ x >> 29U) * 0x94D049BB133111EBULL;
  x ^= x >> 32U;
  if ((x & 3U) == 0) return '\xFF';
  if ((x & 3U) == 1) return '\0';
  return static_cast<char>(x >> 8U);
}
inline std::string stream(std::uint64_t seed, Offset from, std::size_t n) {
  std::string bytes(n, '\0');
  for (std::size_t i = 0; i < n; ++i) bytes[i] = byte_at(seed, from + i);
  return bytes;
}

inline bool spin_until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::sched_yield();
  }
  return true;
}

inline int waiting_in(int fd) {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : 0;
}

/// Exactly `n` bytes, or fewer after the deadline.
inline std::string read_exactly(int fd, std::size_t n) {
  std::string bytes;
  std::array<char, 4096> part{};
  while (bytes.size() < n) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 20'000) <= 0) break;
    const ssize_t got = ::read(fd, part.data(), std::min(part.size(), n - bytes.size()));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) break;
    bytes.append(part.data(), static_cast<std::size_t>(got));
  }
  return bytes;
}

/// A pty in raw mode, both ends non-blocking.
struct RawPty {
  RawPty() : pty(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
    std::array<char, 128> path{};
    if (::grantpt(pty.get()) != 0 || ::unlockpt(pty.get()) != 0) std::abort();
    if (::ptsname_r(pty.get(), path.data(), path.size()) != 0) std::abort();
    tty.reset(::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    termios mode{};
    if (::tcgetattr(tty.get(), &mode) != 0) std::abort();
    ::cfmakeraw(&mode);
    if (::tcsetattr(tty.get(), TCSANOW, &mode) != 0) std::abort();
  }
  UniqueFd pty;
  UniqueFd tty;
};

/// What takes part in a move and outlives who makes it: an arena, two pipes, a pty.
struct StagedTerminal {
  static constexpr std::uint32_t kSlot = 1;  ///< Neither the first nor the last.

  explicit StagedTerminal(std::size_t ring_bytes = 4096) {
    arena = Arena::create(3, ring_bytes).value();
    output = Staging::make_pipe().value();
    input = Staging::make_pipe().value();
  }
  ArenaSlot slot() const { return arena->slot(kSlot); }
  SlotHeader& header() const { return slot().header(); }
  OutputRing ring() const { return {slot().ring(), header().first, header().next}; }
  Staging staging() const {
    return {arena->staging(0), UniqueFd(::dup(output.get())), UniqueFd(::dup(input.get()))};
  }
  ArenaClient* client(const std::string& name, Offset written = 0) const {
    return slot().client(name, written, [](std::string_view) { return true; });
  }
  Result<void> recover() const { return Staging::recover(*arena, 0, output.get(), input.get()); }
  /// All that a recovery can see.
  std::string state() const {
    std::string all(reinterpret_cast<const char*>(&arena->staging(0)), sizeof(StagingIntent));
    all.append(reinterpret_cast<const char*>(&header()), sizeof(SlotHeader));
    all.append(slot().ring().data(), slot().ring().size());
    all += std::to_string(waiting_in(output.get())) + " " + std::to_string(waiting_in(input.get()));
    return all;
  }

  std::unique_ptr<Arena> arena;
  UniqueFd output;
  UniqueFd input;
  RawPty terminal;
};

/// Forks, runs `work`, and says how it ended: true when it got through, false when SIGKILL came
/// before. Anything else fails the test.
inline bool survives(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return false;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
  return true;
}

/// How many of the steps that staging.cpp names (or instructions) are left to live.
inline volatile sig_atomic_t steps_left = 0;

/// `work` in a child that is killed with SIGKILL at the `number`th step (from 0) that staging.cpp
/// names. True when it got through.
inline bool run_and_kill_at_step(int number, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    steps_left = number;
    staging_step = [](const char*) {
      if (steps_left == 0) ::kill(::getpid(), SIGKILL);
      steps_left = steps_left - 1;
    };
    work();
    ::_exit(0);
  }
  return survives(child);
}

#if defined(__x86_64__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define TERM_CAN_STEP 1

/// What a recovery can see of `world`, and
/// whether that differs from the last look. No allocation: a signal handler asks.
class Watched {
 public:
  explicit Watched(const StagedTerminal& world) : world_(world) { (void)changed(); }
  bool changed() {
    bool is = false;
    std::size_t at = 0;
    const auto look = [&](const void* memory, std::size_t size) {
      if (std::memcmp(last_.data() + at, memory, size) != 0) {
        std::memcpy(last_.data() + at, memory, size);
        is = true;
      }
      at += size;
    };
    const std::array<int, 2> fill{waiting_in(world_.output.get()), waiting_in(world_.input.get())};
    look(&world_.arena->staging(0), sizeof(StagingIntent));
    look(&world_.header(), sizeof(SlotHeader));
    look(world_.slot().ring().data(), world_.slot().ring().size());
    look(fill.data(), sizeof fill);
    return is;
  }

 private:
  const StagedTerminal& world_;
  std::array<char, 128 * 1024> last_{};
};
inline Watched* watched = nullptr;

/// From here on the processor traps after each instruction of this process. Around the red zone.
inline void begin_stepping() {
  asm volatile("subq $128, %%rsp; pushfq; orq $256, (%%rsp); popfq; addq $128, %%rsp" ::
                   : "memory", "cc");
}
inline void end_stepping() {
  asm volatile("subq $128, %%rsp; pushfq; andq $-257, (%%rsp); popfq; addq $128, %%rsp" ::
                   : "memory", "cc");
}

/// In a child: once it steps, SIGKILL after `number` instructions; with `watch`, after that many
/// changes of what it watches.
inline void kill_when_stepped(int number, Watched* watch) {
  steps_left = number;
  watched = watch;
  struct sigaction action{};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    if (watched != nullptr && !watched->changed()) return;
    steps_left = steps_left - 1;
    if (steps_left == 0) ::kill(::getpid(), SIGKILL);
  };
  static std::array<char, 64 * 1024> memory{};
  stack_t stack{.ss_sp = memory.data(), .ss_flags = 0, .ss_size = memory.size()};
  ::sigaltstack(&stack, nullptr);
  ::sigaction(SIGTRAP, &action, nullptr);
}

/// `work` in a child that is killed with SIGKILL after `number` instructions. The child steps
/// itself, by the processor's trap flag: no tracer is needed, and a step does not cost two switches
/// between processes. True when it got through.
inline bool run_and_kill_after(int number, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    kill_when_stepped(number, nullptr);
    begin_stepping();
    work();
    end_stepping();
    ::_exit(0);
  }
  return survives(child);
}

/// A place in a move or a recovery: after `changes` changes of what a recovery can see, counted
/// from the `step`th step that staging.cpp names (0: from the begin). Every instruction is at one
/// such place or between two, where a kill leaves the same as at the earlier one.
struct Place {
  int step = 0;
  int changes = 0;
  bool operator==(const Place&) const = default;
};
enum class Outcome { killed, no_such_place, got_through };
inline Place place;
inline int steps_seen = 0;

inline void arrive() {
  if (place.changes == 0) ::kill(::getpid(), SIGKILL);
  (void)watched->changed();
  kill_when_stepped(place.changes, watched);
  begin_stepping();
}

/// `work` in a child that is killed with SIGKILL at `at`. Only the instructions of that one step
/// are stepped through: a trap costs many microseconds in a virtual machine.
inline Outcome run_and_kill_at(const StagedTerminal& world, Place at,
                               const std::function<void()>& work) {
  constexpr int kBeyond = 5;
  const auto watch = std::make_unique<Watched>(world);
  const pid_t child = ::fork();
  if (child == 0) {
    place = at;
    watched = watch.get();
    staging_step = [](const char*) {
      if (steps_seen == place.step) ::_exit(kBeyond);
      steps_seen = steps_seen + 1;
      if (steps_seen == place.step) arrive();
    };
    if (at.step == 0) arrive();
    work();
    end_stepping();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return Outcome::killed;
  EXPECT_TRUE(WIFEXITED(status)) << "wait status " << status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kBeyond) return Outcome::no_such_place;
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return Outcome::got_through;
}
#endif

}  // namespace term::test
