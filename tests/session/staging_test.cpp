// kill -9 between any two instructions of a move, and in the middle of the recovery from that:
// every byte is where it should be, once. Real ptys, real pipes, real kills.

#include "session/staging.h"

#include <gtest/gtest.h>

#include <set>

#include "support/staged_flood.h"
#include "support/staged_terminal.h"

namespace term::test {
namespace {

constexpr std::uint64_t kOutput = 1;
constexpr std::uint64_t kInput = 2;
constexpr std::uint64_t kFill = 3;
/// Written at the end of each trial: whatever is lost or doubled shifts it.
constexpr std::size_t kTail = 48;
/// Kills that do not look where they hit come so many instructions apart, a prime number.
[[maybe_unused]] constexpr int kStride = 127;

/// What a client types in one write.
struct Typed {
  std::string client;  ///< Empty: numbered by nobody.
  Offset base = 0;
  std::size_t bytes = 0;
};

/// One or two moves, and what was there before them.
struct Scenario {
  std::string name;
  Offset next = 0;  ///< Of the ring, which is full below it.
  std::size_t printed = 0;
  std::vector<Typed> typed;
  int room = -1;  ///< Of the pty's input, in writes of 256 bytes; -1: it is empty.
  std::size_t ring = 4096;
  bool twice = false;  ///< The recovery is killed, too; at each named step it is in every scenario.
};

const std::vector<Scenario> kScenarios{
    {.name = "AnEmptyRingAndAnEmptyPty"},
    {.name = "FirstBytesOfARing", .printed = 700},
    {.name = "AFullRingLosesItsOldest", .next = 40'960, .printed = 4095},
    {.name = "TheRingWrapsWithinTheBytes", .next = 4096 * 9 - 300, .printed = 1000, .twice = true},
    {.name = "OneByteBeforeTheWrap", .next = 4096 * 9 - 1, .printed = 2},
    {.name = "MoreThanTheTtyGivesAtOnce",
     .next = 4096 * 9,
     .printed = 4095 + 2100,
     .ring = std::size_t{3} * 4096,
     .twice = true},
    {.name = "TwoClientsType", .typed = {{"a", 1000, 500}, {"b", 0, 333}}},
    {.name = "AClientTypesMoreThanAPipeTakesAtOnce", .typed = {{"a", 7, 5000}}},
    {.name = "ThePtyTakesAPart", .typed = {{"a", 12345, 700}}, .room = 1, .twice = true},
    {.name = "ThePtyTakesNothing", .typed = {{"a", 99, 700}}, .room = 0},
    {.name = "BytesOfNobody", .typed = {{"", 0, 600}}, .twice = true},
    {.name = "OutputAndInput",
     .next = 8192 - 100,
     .printed = 64,
     .typed = {{"a", (1ULL << 40U), 64}}},
};

/// Fills the pty's input until nothing more is taken, then makes room for `room` writes. How many
/// bytes are in it. With a full line discipline nothing moves in the kernel by itself any more.
std::size_t fill_input(const RawPty& terminal, int room) {
  const auto fill = [](const RawPty& full, int writes) {
    std::size_t at = 0;
    const auto put = [&](std::size_t n) {
      const std::string part = stream(kFill, at, n);
      const ssize_t done = ::write(full.pty.get(), part.data(), n);
      if (done > 0) at += static_cast<std::size_t>(done);
      return done == static_cast<ssize_t>(n);
    };
    EXPECT_TRUE(put(4095));
    EXPECT_TRUE(spin_until([&] { return waiting_in(full.tty.get()) == 4095; }));
    int whole = 0;
    while (whole != writes && put(256)) ++whole;
    return std::pair(whole, at);
  };
  static const int kMost = fill(RawPty(), -1).first;
  if (room == 0) return fill(terminal, -1).second;
  return fill(terminal, kMost - room).second;
}

/// A scenario up to a kill, and what must be true after it.
class Trial {
 public:
  explicit Trial(const Scenario& scenario)
      : scenario_(scenario), world_(scenario.ring), ring_(world_.ring()) {
    const Offset begin = scenario.next < scenario.ring ? 0 : scenario.next - scenario.ring;
    world_.header().first.store(begin);
    world_.header().next.store(begin);
    ring_.append(stream(kOutput, begin, scenario.next - begin));
    first_before_ = ring_.first();
    for (const Typed& typed : scenario.typed) {
      clients_.push_back(typed.client.empty() ? nullptr : world_.client(typed.client, typed.base));
      bytes_.push_back(stream(kInput, typed.base, typed.bytes));
    }
    if (scenario.room >= 0) filled_ = fill_input(world_.terminal, scenario.room);
    print(scenario.printed);
  }

  StagedTerminal& world() { return world_; }

  /// In the child: as a session does it.
  void work() {
    for (int i = 0; i < 2; ++i)
      if (staging_.read_output(pty(), ring_, StagedTerminal::kSlot, 65536) < 0) break;
    for (std::size_t i = 0; i < scenario_.typed.size(); ++i) {
      for (std::size_t at = 0; at < bytes_[i].size();) {
        const ssize_t n =
            staging_.write_input(pty(), world_.slot(), clients_[i], scenario_.typed[i].base + at,
                                 std::span(bytes_[i]).subspan(at));
        if (n <= 0) return;
        at += static_cast<std::size_t>(n);
      }
    }
  }

  /// After the last recovery: every byte printed is in the ring or still in the pty, every byte
  /// typed reached the tty or is still the client's, none twice.
  void check() {
    const OutputRing found = world_.ring();
    const Offset end = scenario_.next + scenario_.printed;
    ASSERT_LE(found.next(), end);
    ASSERT_GE(found.next(), scenario_.next);
    EXPECT_LE(found.first(),
              std::max(first_before_, end < scenario_.ring ? 0 : end - scenario_.ring));
    expect_ring(found);
    EXPECT_EQ(world_.state().substr(sizeof(StagingIntent) + sizeof(SlotHeader) + scenario_.ring),
              "0 0");
    print(kTail);
    drain_output(end + kTail);
    check_input();
  }

 private:
  int pty() const { return world_.terminal.pty.get(); }
  int tty() const { return world_.terminal.tty.get(); }

  /// The program in the session prints; returns once all of it can be read.
  void print(std::size_t n) {
    const std::string bytes = stream(kOutput, scenario_.next + printed_, n);
    if (n == 0) return;
    const int before = waiting_in(pty());
    ASSERT_EQ(::write(tty(), bytes.data(), n), static_cast<ssize_t>(n));
    ASSERT_TRUE(spin_until([&] {
      const int now = waiting_in(pty());
      return now == 4095 || now == before + static_cast<int>(n);
    }));
    printed_ += n;
  }

  static void expect_ring(const OutputRing& ring) {
    ASSERT_LE(ring.first(), ring.next());
    ASSERT_LE(ring.size(), ring.capacity());
    EXPECT_TRUE(ring.copy(ring.first(), ring.size()) == stream(kOutput, ring.first(), ring.size()))
        << "the ring's bytes from " << ring.first() << " to " << ring.next();
  }

  void drain_output(Offset end) {
    OutputRing ring = world_.ring();
    while (ring.next() < end) {
      const ssize_t n = staging_.read_output(pty(), ring, StagedTerminal::kSlot, 65536);
      pollfd ready{.fd = pty(), .events = POLLIN, .revents = 0};
      if (n < 0 && ::poll(&ready, 1, 20'000) <= 0) break;
    }
    EXPECT_EQ(ring.next(), end);
    expect_ring(ring);
  }

  /// The tty reads again, and every client types what it does not know to be written.
  void check_input() {
    const std::string tail = stream(kInput + 7, 0, kTail);
    std::string expected = stream(kFill, 0, filled_);
    std::string got;
    bool known = true;
    for (std::size_t i = 0; i < scenario_.typed.size(); ++i) {
      const Typed& typed = scenario_.typed[i];
      known = clients_[i] != nullptr;
      if (!known) break;
      const Offset written = clients_[i]->written.load();
      ASSERT_GE(written, typed.base);
      ASSERT_LE(written, typed.base + typed.bytes);
      type(clients_[i], typed.base, bytes_[i], written - typed.base, got);
      expected += bytes_[i];
    }
    type(nullptr, 0, tail, 0, got);
    if (known) {
      expected += tail;
      if (got.size() < expected.size()) got += read_exactly(tty(), expected.size() - got.size());
      EXPECT_TRUE(got == expected) << "the tty got " << got.size() << " of " << expected.size();
    } else {  // Nobody can tell how much went; it is a begin of it, once.
      while (!got.ends_with(tail)) {
        const std::string more = read_exactly(tty(), 1);
        if (more.empty()) break;
        got += more;
      }
      ASSERT_TRUE(got.ends_with(tail));
      got.resize(got.size() - tail.size());
      EXPECT_TRUE(bytes_[0].starts_with(got)) << got.size();
    }
    EXPECT_EQ(waiting_in(tty()), 0);
  }

  void type(ArenaClient* client, Offset base, const std::string& bytes, std::size_t at,
            std::string& got) {
    while (at < bytes.size()) {
      const ssize_t n = staging_.write_input(pty(), world_.slot(), client, base + at,
                                             std::span(bytes).subspan(at));
      if (n > 0) at += static_cast<std::size_t>(n);
      if (n < 0) got += read_exactly(tty(), 1);
    }
  }

  Scenario scenario_;
  StagedTerminal world_;
  OutputRing ring_;
  Staging staging_ = world_.staging();
  std::vector<ArenaClient*> clients_;
  std::vector<std::string> bytes_;
  Offset first_before_ = 0;
  std::size_t filled_ = 0;
  std::size_t printed_ = 0;
};

class StagingTest : public testing::TestWithParam<Scenario> {
 protected:
  /// The recovery in a child, so that it can be killed, too.
  static void recover(const StagedTerminal& world) {
    const auto done = world.recover();
    if (!done) ::_exit(3);
  }
};

TEST_P(StagingTest, SurvivesAKillAtEveryNamedStepAndAtEveryStepOfTheRecovery) {
  for (int first = 0;; ++first) {
    for (int second = 0;; ++second) {
      Trial trial(GetParam());
      const bool whole = run_and_kill_at_step(first, [&] { trial.work(); });
      const bool recovered = run_and_kill_at_step(second, [&] { recover(trial.world()); });
      if (!recovered) ASSERT_TRUE(trial.world().recover());
      trial.check();
      ASSERT_FALSE(HasFailure()) << "killed at step " << first << ", recovery at step " << second;
      if (recovered && whole) return;
      if (recovered) break;
    }
  }
}

#ifdef TERM_CAN_STEP
/// Whatever is called for the first time is bound then, by some thousand instructions.
void bind_all(const Scenario& scenario) {
  Trial trial(scenario);
  trial.work();
  ASSERT_TRUE(trial.world().recover());
  trial.check();
}

/// Calls `trial` for every place there is, until it says that its child got through.
void at_every_place(const std::function<Outcome(Place)>& trial) {
  for (Place place;;) {
    const Outcome outcome = trial(place);
    if (outcome == Outcome::got_through || testing::Test::HasFailure()) return;
    if (outcome == Outcome::killed)
      ++place.changes;
    else
      place = {.step = place.step + 1, .changes = 0};
  }
}

/// What decides the way of a recovery.
std::string way_of(const StagedTerminal& world) {
  const StagingIntent& intent = world.arena->staging(0);
  return std::to_string(intent.output_phase.load()) + std::to_string(intent.input_phase.load()) +
         (waiting_in(world.output.get()) > 0 ? "o" : "") +
         (waiting_in(world.input.get()) > 0 ? "i" : "");
}

TEST_P(StagingTest, SurvivesAKillBetweenAnyTwoInstructionsAndASecondOneInTheRecovery) {
  bind_all(GetParam());
  std::set<std::string> ways;
  int kills = 0;
  at_every_place([&](Place first) {
    Outcome outcome = Outcome::no_such_place;
    at_every_place([&](Place second) {
      Trial trial(GetParam());
      const StagedTerminal& world = trial.world();
      outcome = run_and_kill_at(world, first, [&] { trial.work(); });
      if (outcome == Outcome::no_such_place) return Outcome::got_through;
      Outcome recovered = Outcome::got_through;
      // Every place of a recovery, once for each way that it can go.
      if (second != Place{} || (GetParam().twice && ways.insert(way_of(world)).second))
        recovered = run_and_kill_at(world, second, [&] { recover(world); });
      EXPECT_TRUE(world.recover());
      trial.check();
      ++kills;
      EXPECT_FALSE(HasFailure()) << "killed at " << first.step << "+" << first.changes
                                 << ", the recovery at " << second.step << "+" << second.changes;
      return recovered;
    });
    return outcome;
  });
  RecordProperty("kills", kills);
  EXPECT_GT(kills, 5);
}

TEST_P(StagingTest, SurvivesAKillAfterInstructionsCountedBlindly) {
  bind_all(GetParam());
  // An instruction that repeats itself is stepped through once for each byte that it clears.
  const int stride = GetParam().room < 0 ? kStride : 10 * kStride;
  for (int first = 1;; first += stride) {
    Trial trial(GetParam());
    const bool whole = run_and_kill_after(first, [&] { trial.work(); });
    const bool recovered =
        run_and_kill_after(1 + first * 7 % (4 * kStride), [&] { recover(trial.world()); });
    if (!recovered) ASSERT_TRUE(trial.world().recover());
    trial.check();
    ASSERT_FALSE(HasFailure()) << "killed after " << first << " instructions";
    if (whole) return;
  }
}

/// The test can fail: read(2) and then a store, as one would write it.
TEST(StagingControl, AKillBetweenReadAndCommitLosesBytesForGood) {
  bind_all(kScenarios[1]);
  bool lost = false;
  for (int steps = 1; !lost; steps += 5) {
    StagedTerminal world;
    OutputRing ring = world.ring();
    const std::string printed = stream(kOutput, 0, 500);
    ASSERT_EQ(::write(world.terminal.tty.get(), printed.data(), printed.size()), 500);
    ASSERT_TRUE(spin_until([&] { return waiting_in(world.terminal.pty.get()) == 500; }));
    const bool whole = run_and_kill_after(steps, [&] {
      const auto space = ring.writable(500);
      const ssize_t n = ::read(world.terminal.pty.get(), space.data(), space.size());
      ring.commit(static_cast<std::size_t>(n));
    });
    ASSERT_TRUE(world.recover());
    lost = ring.next() + static_cast<Offset>(waiting_in(world.terminal.pty.get())) < 500;
    ASSERT_FALSE(whole) << "no kill lost anything";
  }
}
#endif

INSTANTIATE_TEST_SUITE_P(, StagingTest, testing::ValuesIn(kScenarios),
                         [](const auto& scenario) { return scenario.param.name; });

TEST(StagingFlood, TwoHundredKillsLoseAndDoubleNothing) {
  Flood flood(1, /*exact=*/true);
  for (int kill = 0; kill < 200; ++kill) {
    flood.run_and_kill();
    ASSERT_FALSE(HasFatalFailure() || flood.lost_or_doubled()) << "kill " << kill;
  }
  flood.finish();
  EXPECT_FALSE(flood.lost_or_doubled());
}

TEST(StagingFlood, WithoutStagingTheSameKillsLoseBytes) {
  Flood flood(1, /*exact=*/false);
  int kills = 0;
  while (kills < 2000 && !flood.lost_or_doubled()) {
    flood.run_and_kill();
    ++kills;
  }
  EXPECT_TRUE(flood.lost_or_doubled()) << "this test cannot fail";
}

}  // namespace
}  // namespace term::test
