// Faults on the service and the holder.

#include <fcntl.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "chaos/faults.h"

namespace term::chaos {

using test::Millis;

bool wait_serving(World& world, const std::string& after) {
  const bool up = world.loop.run_until(
      [&] { return world.service.pid() != 0 || world.service.died(); }, kRecovery);
  if (const auto how = world.service.died()) {
    fail(world,
         "the service ended with " + *how + " after " + after + ": " + world.service.log_tail(600));
    world.service.start();
    return false;
  }
  return up;
}

namespace {

std::string no_holder(World& world) {
  return world.service.holder_pid() == 0 ? "the service has no holder" : "";
}

/// SIGKILL, and a start again after `away`, as by a supervisor.
void kill_and_start(World& world, Millis away) {
  world.service.kill();
  world.loop.run_for(away);
  world.log.away_since = test::SteadyClock::now();
  world.service.start();
}

class Kill final : public Fault {
 public:
  std::string name() const override { return "kill"; }
  unsigned weight() const override { return 3; }
  std::string impossible(World& world) const override { return no_holder(world); }
  std::string run(World& world, const Step& step) override {
    // Mostly at once; sometimes it is away for a while, and programs end meanwhile.
    const Millis away(step.b % 4 == 0 ? step.a % 400 : 0);
    kill_and_start(world, away);
    // One in six comes in the middle of the recovery from the one before.
    if (step.target % 6 == 0) {
      world.loop.run_for(Millis(step.b % 120));
      return "away " + std::to_string(away.count()) + " ms; the next may come in its recovery";
    }
    if (wait_serving(world, "kill")) wait_attached(world, "kill");
    return "away " + std::to_string(away.count()) + " ms";
  }
};

/// SIGSTOP and SIGCONT.
class StopService final : public Fault {
 public:
  std::string name() const override { return "stop-service"; }
  std::string run(World& world, const Step& step) override {
    const pid_t pid = world.service.pid();
    const Millis time(20 + step.a % 600);
    if (pid == 0) return "there is none";
    ::kill(pid, SIGSTOP);
    world.loop.run_for(time);
    ::kill(pid, SIGCONT);
    return std::to_string(time.count()) + " ms";
  }
};

class StopHolder final : public Fault {
 public:
  std::string name() const override { return "stop-holder"; }
  std::string impossible(World& world) const override { return no_holder(world); }
  std::string run(World& world, const Step& step) override {
    const pid_t pid = world.service.holder_pid();
    const Millis time(20 + step.a % 600);
    if (pid == 0) return "there is none";
    ::kill(pid, SIGSTOP);
    world.loop.run_for(time);
    ::kill(pid, SIGCONT);
    return std::to_string(time.count()) + " ms";
  }
};

/// SIGKILL to the holder: the service goes on, and has another one before long.
class KillHolder final : public Fault {
 public:
  std::string name() const override { return "kill-holder"; }
  std::string impossible(World& world) const override { return no_holder(world); }
  std::string run(World& world, const Step&) override {
    if (!wait_serving(world, "the fault before")) return "nobody serves";
    const pid_t before = world.service.holder_pid();
    if (before == 0) return "there is none";
    const pid_t service = world.service.pid();
    const auto disconnects = world.log.disconnects;
    world.fleet.orphan_all();
    ::kill(before, SIGKILL);
    const bool another = world.loop.run_until(
        [&] { return world.service.holder_pid() != 0 && world.service.holder_pid() != before; },
        kRecovery);
    if (!another) fail(world, "no other holder after the holder was killed");
    if (world.service.pid() != service) fail(world, "the service ended with its holder");
    if (world.log.disconnects != disconnects)
      fail(world, "connections ended when the holder was killed");
    return std::to_string(before) + ", then " + std::to_string(world.service.holder_pid());
  }
};

/// The file system of the state directory has no byte left for a while.
class FullDisk final : public Fault {
 public:
  std::string name() const override { return "full-disk"; }
  std::string impossible(World& world) const override {
    struct statvfs fs{};
    if (::statvfs(world.service.state().c_str(), &fs) != 0) return "statvfs";
    const auto size = static_cast<std::uint64_t>(fs.f_blocks) * fs.f_frsize;
    return size > kLargest ? "the state directory is on no file system of its own" : "";
  }
  std::string run(World& world, const Step& step) override {
    const auto file = world.service.state() / "chaos-filler";
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    static const std::array<char, 64 * 1024> kNothing{};
    std::size_t chunk = kNothing.size();
    while (chunk > 0) {
      if (::write(fd, kNothing.data(), chunk) <= 0) chunk /= 2;
    }
    ::close(fd);
    const Millis time(100 + step.a % 900);
    world.loop.run_for(time);
    ::unlink(file.c_str());
    return "for " + std::to_string(time.count()) + " ms";
  }

 private:
  static constexpr std::uint64_t kLargest = 256 * 1024 * 1024;
};

/// The service comes back in a time namespace: its monotonic clock has jumped, as after a suspend.
/// The machine's clock is never touched.
class ClockJump final : public Fault {
 public:
  std::string name() const override { return "clock"; }
  std::string impossible(World& world) const override {
    if (const auto none = no_holder(world); !none.empty()) return none;
    static const bool permitted = [] {
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::execlp("unshare", "unshare", "--time", "--monotonic", "1000", "true", nullptr);
        ::_exit(127);
      }
      int status = 0;
      return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
    }();
    return permitted ? "" : "time namespaces are not permitted here";
  }
  std::string run(World& world, const Step& step) override {
    // No later start may go back behind it: a monotonic clock never does.
    seconds_ += 60 + step.a % 7200;
    world.service.set_wrapper({"unshare", "--time", "--monotonic", std::to_string(seconds_),
                               "--boottime", std::to_string(seconds_), "--"});
    kill_and_start(world, Millis(0));
    if (wait_serving(world, "clock")) wait_attached(world, "clock");
    return std::to_string(seconds_) + " s ahead";
  }

 private:
  std::uint64_t seconds_ = 0;
};

}  // namespace

std::vector<std::unique_ptr<Fault>> service_faults() {
  std::vector<std::unique_ptr<Fault>> faults;
  faults.push_back(std::make_unique<Kill>());
  faults.push_back(std::make_unique<StopService>());
  faults.push_back(std::make_unique<StopHolder>());
  faults.push_back(std::make_unique<KillHolder>());
  faults.push_back(std::make_unique<FullDisk>());
  faults.push_back(std::make_unique<ClockJump>());
  return faults;
}

}  // namespace term::chaos
