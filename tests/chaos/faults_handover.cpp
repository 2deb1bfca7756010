// Hand-overs, to good binaries and to bad ones.

#include <sys/stat.h>

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
constexpr Millis kServesAgain{3'000};

std::string body_for(const std::string& binary) {
  return binary.empty() ? "{}" : Json{{"binary", binary}}.dump();
}
}  // namespace

bool can_hand_over(World& world) {
  // GET: known routes say that they want another method, or what they know.
  return world.service.get(kRoute).status != 404;
}

std::string hand_over(World& world, const std::string& binary) {
  if (!wait_serving(world, "the fault before")) return "nobody serves";
  const pid_t before = world.service.pid();
  const pid_t holder = world.service.holder_pid();
  const auto disconnects = world.log.disconnects;
  (void)world.fleet.take_longest_wait();
  const auto answer = post_meanwhile(world, kRoute, body_for(binary), kHandOver);
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
  world.totals.closed_in_handovers += world.log.disconnects - disconnects;
  const pid_t now = world.service.pid();
  if (now == before || now != json.value("pid", 0))
    fail(world, "hand-over: service.json names " + std::to_string(now) + ", was " +
                    std::to_string(before) + ", answer " + answer.body.substr(0, 200));
  if (!world.loop.run_until([&] { return !test::running(before); }, Millis(5000)))
    fail(world, "hand-over: the old process " + std::to_string(before) + " has not ended");
  if (world.service.holder_pid() != holder) fail(world, "hand-over: another holder than before");
  return std::to_string(before) + " to " + std::to_string(now) + ", pause " +
         std::to_string(pause) + " ms, longest wait " + std::to_string(static_cast<int>(stall)) +
         " ms";
}

const std::vector<BadBinary>& bad_binaries() {
  static const std::vector<BadBinary> all{
      {"missing", "", 0},
      {"not executable", "#!/bin/sh\nexit 0\n", 0600},
      {"exits 1", "#!/bin/sh\nexit 1\n", 0700},
      {"crashes in 1 s", "#!/bin/sh\nsleep 1\nkill -SEGV $$\n", 0700},
      {"hangs", "#!/bin/sh\nexec sleep 600\n", 0700},
      {"refuses the state",
       "#!/bin/sh\necho 'terminal-service: state of another version' >&2\nexit 65\n", 0700},
      {"older version", "#!/bin/sh\necho \"terminal-service: unknown argument $1\" >&2\nexit 78\n",
       0700},
  };
  return all;
}

std::string try_bad_binary(World& world, const BadBinary& bad) {
  const auto path = world.service.directory() / ("bad-" + bad.name);
  if (bad.mode != 0) {
    FILE* file = std::fopen(path.c_str(), "we");
    if (file == nullptr) return "cannot write it";
    std::fputs(bad.script.c_str(), file);
    std::fclose(file);
    ::chmod(path.c_str(), bad.mode);
  }
  if (!wait_serving(world, "the fault before")) return "nobody serves";
  const pid_t before = world.service.pid();
  const auto disconnects = world.log.disconnects;
  (void)world.fleet.take_longest_wait();
  const auto started = test::SteadyClock::now();
  const auto answer = post_meanwhile(world, kRoute, body_for(path), kHandOver);
  const auto took = std::chrono::duration_cast<Millis>(test::SteadyClock::now() - started).count();
  if (answer.status < 400)
    fail(world, bad.name + ": answered " + std::to_string(answer.status) + " " + answer.body);
  world.loop.run_for(Millis(100));
  const Millis wait = world.fleet.take_longest_wait();
  if (wait > kServesAgain)
    fail(world, bad.name + ": clients waited " + std::to_string(wait.count()) + " ms");
  if (world.service.pid() != before) fail(world, bad.name + ": another process serves");
  if (world.log.disconnects != disconnects) fail(world, bad.name + ": connections ended");
  if (world.service.get("/api/health/live").status != 200)
    fail(world, bad.name + ": the old process does not answer");
  world.totals.stalls_ms.push_back(static_cast<double>(wait.count()));
  return bad.name + ": " + std::to_string(answer.status) + " after " + std::to_string(took) +
         " ms, longest wait of a client " + std::to_string(wait.count()) + " ms";
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
  faults.push_back(std::make_unique<Upgrade>());
  faults.push_back(std::make_unique<BadUpgrade>());
  return faults;
}

}  // namespace term::chaos
