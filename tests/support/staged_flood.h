#pragma once
// A terminal under a flood in both directions, whose mover is killed at any moment.

#include <random>

#include "support/staged_terminal.h"

namespace term::test {

/// A child that moves bytes both ways as fast as it can, killed at any moment and begun anew.
class Flood {
 public:
  explicit Flood(std::uint64_t seed, bool exact) : random_(seed), exact_(exact) {
    client_ = world_.client("typist");
  }

  /// A child works while bytes are printed and read, then it is killed.
  void run_and_kill() {
    const Offset begin = world_.header().next.load();
    const pid_t child = ::fork();
    if (child == 0) work();
    // Not by the clock: until so much has come through.
    const Offset until = begin + 1 + random_() % 8'000;
    EXPECT_TRUE(spin_until([&] {
      serve();
      return world_.header().next.load() >= until;
    }));
    ::kill(child, SIGKILL);
    EXPECT_FALSE(survives(child));
    ASSERT_TRUE(world_.recover());
    check_ring();
  }

  /// Everything that was printed is there, and everything that was typed has arrived.
  void finish() {
    printing_ = false;
    const Offset typed = client_->written.load() + 4096;
    Staging staging = world_.staging();
    OutputRing ring = world_.ring();
    EXPECT_TRUE(spin_until([&] {
      serve();
      if (const Offset at = client_->written.load(); at < typed)
        (void)staging.write_input(pty(), world_.slot(), client_, at,
                                  stream(kInput, at, typed - at));
      (void)staging.read_output(pty(), ring, StagedTerminal::kSlot, 65536);
      return ring.next() >= printed_ && got_ >= typed;
    }));
    check_ring();
    EXPECT_EQ(ring.next(), printed_);
    EXPECT_EQ(got_, client_->written.load());
  }
  bool lost_or_doubled() const { return wrong_; }

 private:
  static constexpr std::uint64_t kOutput = 21;
  static constexpr std::uint64_t kInput = 22;
  int pty() const { return world_.terminal.pty.get(); }

  [[noreturn]] void work() {
    Staging staging = world_.staging();
    OutputRing ring = world_.ring();
    for (;;) {
      if (exact_) {
        (void)staging.read_output(pty(), ring, StagedTerminal::kSlot, 65536);
        const Offset at = client_->written.load();
        const std::string part = stream(kInput, at, 512);
        (void)staging.write_input(pty(), world_.slot(), client_, at, part);
      } else {
        const auto space = ring.writable(4096);
        const ssize_t n = ::read(pty(), space.data(), space.size());
        if (n > 0) ring.commit(static_cast<std::size_t>(n));
      }
    }
  }

  /// The program in the session prints what it can and reads what it got.
  void serve() {
    const std::string part = stream(kOutput, printed_, printing_ ? 1000 : 0);
    const ssize_t n = ::write(world_.terminal.tty.get(), part.data(), part.size());
    if (n > 0) printed_ += static_cast<Offset>(n);
    std::array<char, 4096> typed{};
    const ssize_t m = ::read(world_.terminal.tty.get(), typed.data(), typed.size());
    for (ssize_t i = 0; i < m; ++i)
      wrong_ = wrong_ || typed[static_cast<std::size_t>(i)] != byte_at(kInput, got_++);
  }

  void check_ring() {
    const OutputRing ring = world_.ring();
    const bool right =
        ring.copy(ring.first(), ring.size()) == stream(kOutput, ring.first(), ring.size());
    wrong_ = wrong_ || !right;
  }

  std::mt19937_64 random_;
  const bool exact_;
  StagedTerminal world_{16 * 1024};
  ArenaClient* client_ = nullptr;
  Offset printed_ = 0;
  Offset got_ = 0;
  bool printing_ = true;
  bool wrong_ = false;
};

}  // namespace term::test
