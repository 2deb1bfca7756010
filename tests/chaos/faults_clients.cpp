// Faults on the clients' side, and flips.

#include <signal.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "chaos/faults.h"

namespace term::chaos {

using test::Millis;

test::HttpAnswer post_meanwhile(World& world, const std::string& target, const std::string& body,
                                Millis at_most) {
  test::HttpAnswer answer;
  std::atomic<bool> done{false};
  std::thread call([&, port = world.service.http_port()] {
    answer = test::http_exchange(port, "POST", target, body, at_most);
    done = true;
    world.loop.wake();
  });
  world.loop.run_until([&] { return done.load(); }, at_most + Millis(2000));
  call.join();
  return answer;
}

void fail(World& world, const std::string& text) { world.totals.failures.push_back(text); }

bool wait_attached(World& world, const std::string& after) {
  const Options& o = world.options;
  const Millis patience = kRecovery + Millis(60 * (o.sessions + o.viewers));
  if (world.loop.run_until([&] { return world.fleet.all_attached(); }, patience)) return true;
  fail(world,
       "not all clients were attached " + std::to_string(patience.count()) + " ms after " + after);
  return false;
}

namespace {

/// A connection is cut: at once, or at a byte of a frame that is being sent or received. The byte
/// moves on with each cut, so that all of a frame's first bytes have their turn.
class Cut final : public Fault {
 public:
  std::string name() const override { return "cut"; }
  unsigned weight() const override { return 4; }
  std::string run(World& world, const Step& step) override {
    Fleet::Member* member = world.fleet.pick(step.target);
    if (member == nullptr) return "nobody there";
    auto& socket = member->writer->socket();
    const std::size_t byte = 1 + step.number / 4 % 48;
    const std::string whose = member->id;
    const auto before = world.log.disconnects;
    switch (step.number % 4) {
      case 0:
        socket.cut(step.a % 2 == 0);
        return whose + " at once by " + (step.a % 2 == 0 ? "RST" : "FIN");
      case 1:
      case 2:
        socket.cut_after_sending(byte);
        break;
      default:
        socket.cut_after_receiving(byte);
    }
    world.loop.run_until([&] { return world.log.disconnects > before; }, Millis(2000));
    return whose + " at byte " + std::to_string(byte) +
           (step.number % 4 == 3 ? " of what it receives" : " of what it sends");
  }
};

/// A client comes back late. Of a session that prints on unasked it must be told what is gone; of
/// any other it must get all.
class Away final : public Fault {
 public:
  std::string name() const override { return "away"; }
  std::string run(World& world, const Step& step) override {
    Fleet::Member* member = world.fleet.pick(step.target);
    if (member == nullptr) return "nobody there";
    const Millis time(100 + step.a % 4000);
    member->writer->stay_away(time);
    return member->id + " for " + std::to_string(time.count()) + " ms";
  }
};

/// A client does not read for a while.
class Stall final : public Fault {
 public:
  std::string name() const override { return "stall"; }
  std::string run(World& world, const Step& step) override {
    Fleet::Member* member = world.fleet.pick(step.target);
    if (member == nullptr) return "nobody there";
    const std::string id = member->id;
    const Millis time(50 + step.a % 700);
    member->writer->socket().pause_reading(true);
    world.loop.run_for(time);
    // It may have ended and be gone by now.
    member = world.fleet.find(id);
    if (member != nullptr) member->writer->socket().pause_reading(false);
    return id + " did not read for " + std::to_string(time.count()) + " ms";
  }
};

/// A session's program ends by itself, a little later: perhaps while the service is away.
class End final : public Fault {
 public:
  std::string name() const override { return "end"; }
  unsigned weight() const override { return 2; }
  std::string run(World& world, const Step& step) override {
    Fleet::Member* member = world.fleet.pick(step.target);
    if (member == nullptr) return "nobody there";
    test::Ending ending{.delay_ms = static_cast<int>(step.b % 600)};
    if (step.a % 4 == 0) {
      ending.signal = step.a % 8 == 0 ? SIGKILL : SIGTERM;
    } else {
      ending.code = static_cast<int>(step.a % 200);
    }
    world.fleet.end(*member, ending);
    return member->id + " by " + (ending.signal != 0 ? "signal " : "status ") +
           std::to_string(ending.signal != 0 ? ending.signal : ending.code) + " after " +
           std::to_string(ending.delay_ms) + " ms";
  }
};

/// SIGSTOP and SIGCONT to a session's program.
class StopProgram final : public Fault {
 public:
  std::string name() const override { return "stop-program"; }
  std::string run(World& world, const Step& step) override {
    Fleet::Member* member = world.fleet.pick(step.target);
    if (member == nullptr) return "nobody there";
    const std::string id = member->id;
    const pid_t pid = world.fleet.program(*member);
    if (pid == 0) return id + " has no program";
    const Millis time(50 + step.a % 500);
    ::kill(pid, SIGSTOP);
    world.loop.run_for(time);
    ::kill(pid, SIGCONT);
    return id + " stopped for " + std::to_string(time.count()) + " ms";
  }
};

/// All sessions to the other engine, or one of the three ports.
class Flip final : public Fault {
 public:
  std::string name() const override { return "flip"; }
  unsigned weight() const override { return 3; }
  std::string run(World& world, const Step& step) override {
    if (!wait_serving(world, "the fault before")) return "nobody serves";
    nlohmann::json body{{"force", true}, {"reason", "chaos"}};
    const bool refactored = step.number % 2 != 0;
    static constexpr std::array kPorts{"sessions", "streams", "telemetry"};
    const char* port = step.a % 3 == 0 ? kPorts[step.b % 3] : "all";
    if (step.a % 3 == 0) {
      body["services"] = {{port, refactored}};
    } else {
      body["terminal_refactor"] = refactored;
    }
    const auto answer =
        post_meanwhile(world, "/api/admin/feature-flags", body.dump(), Millis(10'000));
    const auto json = answer.json();
    const auto flip = json.is_object() ? json.value("flip", nlohmann::json::object()) : json;
    const bool good = answer.status == 200 && flip.is_object() && flip.value("good", true) &&
                      flip.value("lost", 0) == 0 &&
                      flip.value("failed", nlohmann::json::array()).empty();
    if (!good) fail(world, "flip " + std::to_string(answer.status) + " " + answer.body);
    return std::string(port) + " to " + (refactored ? "refactored" : "legacy");
  }
};

}  // namespace

std::vector<std::unique_ptr<Fault>> client_faults() {
  std::vector<std::unique_ptr<Fault>> faults;
  faults.push_back(std::make_unique<Cut>());
  faults.push_back(std::make_unique<Away>());
  faults.push_back(std::make_unique<Stall>());
  faults.push_back(std::make_unique<End>());
  faults.push_back(std::make_unique<StopProgram>());
  faults.push_back(std::make_unique<Flip>());
  return faults;
}

}  // namespace term::chaos
