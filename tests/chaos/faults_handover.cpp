// Hand-overs, to good binaries and to bad ones.

#include <nlohmann/json.hpp>

#include "chaos/bad_binaries.h"
#include "chaos/faults.h"

namespace term::chaos {

using test::Millis;
using Json = nlohmann::json;

namespace {
constexpr const char* kRoute = "/api/admin/restart";
/// Beyond what the service allows a new process.
constexpr Millis kHandOver{30'000};
}  // namespace

test::HttpAnswer ask_for_hand_over(World& world, const std::string& binary) {
  const std::string body = binary.empty() ? "{}" : Json{{"binary", binary}}.dump();
  return post_meanwhile(world, kRoute, body, kHandOver);
}

bool can_hand_over(World& world) {
  // GET: known routes say that they want another method, or what they know.
  return world.service.get(kRoute).status != 404;
}

/// It stands by for the new one (probation_ms), and waits for answers and rows.
constexpr Millis kOldEnds{60'000};

std::string hand_over(World& world, const std::string& binary, bool rush) {
  if (!wait_serving(world, "the fault before")) return "nobody serves";
  const pid_t before = world.service.pid();
  const pid_t holder = world.service.holder_pid();
  const auto disconnects = world.log.disconnects;
  (void)world.fleet.take_longest_wait();
  const auto answer = ask_for_hand_over(world, binary);
  const Json json = answer.json();
  if (answer.status != 200 || !json.is_object() || !json.value("success", false)) {
    fail(world, "hand-over: " + std::to_string(answer.status) + " " + answer.body.substr(0, 300) +
                    "; log: " + world.service.log_tail(600));
    return "refused";
  }
  // Until each client that waited for output has had some again.
  world.loop.run_for(Millis(100));
  const double stall = static_cast<double>(world.fleet.take_longest_wait().count());
  const double pause = json.value("pause_ms", 0.0);
  world.totals.pauses_ms.push_back(pause);
  world.totals.stalls_ms.push_back(stall);
  if (!rush) world.totals.closed_in_handovers += world.log.disconnects - disconnects;
  const pid_t now = world.service.pid();
  if (now == before || now != json.value("pid", 0))
    fail(world, "hand-over: service.json names " + std::to_string(now) + ", was " +
                    std::to_string(before) + ", answer " + answer.body.substr(0, 200));
  if (!world.loop.run_until([&] { return !test::running(before); }, kOldEnds))
    fail(world, "hand-over: the old process " + std::to_string(before) + " has not ended");
  if (world.service.holder_pid() != holder) fail(world, "hand-over: another holder than before");
  return std::to_string(before) + " to " + std::to_string(now) + ", pause " +
         std::to_string(pause) + " ms, longest wait " + std::to_string(static_cast<int>(stall)) +
         " ms";
}

namespace {

std::string no_hand_over(World& world) {
  return can_hand_over(world) ? "" : "the service has no hand-over";
}

/// A hand-over to the same binary.
class Restart final : public Fault {
 public:
  std::string name() const override { return "restart"; }
  unsigned weight() const override { return 2; }
  std::string impossible(World& world) const override { return no_hand_over(world); }
  std::string run(World& world, const Step&) override { return hand_over(world, ""); }
};

/// Connections that come while everything is handed over: some are cut just before, and knock again
/// at every point of it.
class Rush final : public Fault {
 public:
  std::string name() const override { return "rush"; }
  std::string impossible(World& world) const override { return no_hand_over(world); }
  std::string run(World& world, const Step& step) override {
    const std::size_t cut = 1 + step.a % world.fleet.size();
    for (std::size_t i = 0; i < cut; ++i) {
      Fleet::Member* member = world.fleet.pick(step.target + i);
      if (member != nullptr) member->writer->stay_away(Millis((step.b >> (i % 32)) % 250));
    }
    const std::string what = hand_over(world, "", true);
    wait_attached(world, "a hand-over with a rush");
    return std::to_string(cut) + " coming: " + what;
  }
};

/// To the other binary, and back the next time.
class Upgrade final : public Fault {
 public:
  std::string name() const override { return "upgrade"; }
  unsigned weight() const override { return 2; }
  std::string impossible(World& world) const override { return no_hand_over(world); }
  std::string run(World& world, const Step& step) override {
    const bool up = step.number % 2 == 0;
    return (up ? "up: " : "down: ") +
           hand_over(world, up ? world.options.other_binary : world.options.binary);
  }
};

/// A hand-over to something that will not do.
class BadUpgrade final : public Fault {
 public:
  std::string name() const override { return "bad-binary"; }
  std::string impossible(World& world) const override { return no_hand_over(world); }
  std::string run(World& world, const Step& step) override {
    return try_bad_binary(world, bad_binaries()[step.number % bad_binaries().size()]);
  }
};

}  // namespace

std::vector<std::unique_ptr<Fault>> handover_faults() {
  std::vector<std::unique_ptr<Fault>> faults;
  faults.push_back(std::make_unique<Restart>());
  faults.push_back(std::make_unique<Rush>());
  faults.push_back(std::make_unique<Upgrade>());
  faults.push_back(std::make_unique<BadUpgrade>());
  return faults;
}

}  // namespace term::chaos
