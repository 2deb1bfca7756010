// The chaos harness: options, a service, a fleet of sessions, a schedule of faults, totals.

#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "chaos/bad_binaries.h"
#include "chaos/faults.h"
#include "chaos/hygiene.h"
#include "chaos/slow_beside_fast.h"

namespace {

using namespace term;
using namespace term::chaos;
using test::Millis;

constexpr int kCannotYet = 77;  // What ctest takes as skipped.
volatile std::sig_atomic_t interrupted = 0;

test::ServiceProcess::Options service_options(const Options& options) {
  test::ServiceProcess::Options service;
  service.binary = options.binary;
  service.shell = options.program;
  service.environment = {{"MAX_TERMINAL_CREATIONS_PER_MIN", "1000000"},
                         {"MAX_SESSIONS_PER_PROJECT", "10000"},
                         {"TERMINAL_SHARDS", "2"},
                         {"CHAOS_BINARY", options.binary},
                         {"CHAOS_SECRET", "no shell may see it"}};
  if (options.control) service.environment["TERMINAL_EXACT"] = "false";
  if (options.faults.empty() || options.faults.contains("full-disk")) service.state_size = "192m";
  return service;
}

/// The faults of this run that are possible here; the others are named in the totals.
std::vector<std::unique_ptr<Fault>> choose_faults(World& world) {
  std::vector<std::unique_ptr<Fault>> chosen;
  for (auto make : {client_faults, service_faults, handover_faults}) {
    for (auto& fault : make()) {
      if (!world.options.faults.empty() && !world.options.faults.contains(fault->name())) continue;
      if (const auto why = fault->impossible(world); !why.empty()) {
        std::printf("left out: %s: %s\n", fault->name().c_str(), why.c_str());
        ++world.totals.left_out[fault->name()];
        continue;
      }
      chosen.push_back(std::move(fault));
    }
  }
  return chosen;
}

bool enough(const World& world, test::SteadyClock::time_point started) {
  const Options& o = world.options;
  const auto made = [&](const char* kind) {
    const auto found = world.totals.faults.find(kind);
    return found == world.totals.faults.end() ? 0 : found->second;
  };
  std::uint64_t all = 0;
  for (const auto& [kind, count] : world.totals.faults) all += count;
  const double minutes =
      std::chrono::duration<double>(test::SteadyClock::now() - started).count() / 60;
  if (interrupted != 0 || world.totals.failures.size() > 50) return true;
  return (o.steps > 0 && all >= o.steps) || (o.kills > 0 && made("kill") >= o.kills) ||
         (o.handovers > 0 && made("restart") + made("upgrade") >= o.handovers) ||
         (o.flips > 0 && made("flip") >= o.flips) || (o.minutes > 0 && minutes >= o.minutes);
}

void run_schedule(World& world, const std::vector<std::unique_ptr<Fault>>& faults) {
  std::vector<Schedule::Kind> kinds;
  for (const auto& fault : faults) kinds.push_back({fault->name(), fault->weight()});
  Schedule schedule(world.options.seed, kinds, Millis(world.options.pause_ms));
  const auto started = test::SteadyClock::now();
  for (std::uint64_t n = 1; !enough(world, started); ++n) {
    const Step step = schedule.next();
    world.loop.run_for(step.after);
    const auto now = test::SteadyClock::now();
    const auto failures = world.totals.failures.size();
    const auto fault = std::ranges::find_if(
        faults, [&](const auto& candidate) { return candidate->name() == step.fault; });
    const std::string what = (*fault)->run(world, step);
    ++world.totals.faults[step.fault];
    std::printf("%8.3f %llu %s: %s%s\n", std::chrono::duration<double>(now - started).count(),
                static_cast<unsigned long long>(n), step.fault.c_str(), what.c_str(),
                world.totals.failures.size() > failures ? " FAILED" : "");
  }
}

void run_bad_binaries(World& world) {
  for (std::uint64_t round = 0; round < world.options.bad_binaries && interrupted == 0; ++round) {
    for (const BadBinary& bad : bad_binaries()) {
      std::printf("%s\n", try_bad_binary(world, bad).c_str());
      ++world.totals.faults["bad-binary"];
    }
  }
}

/// In a control run the harness must find what the service is known to lose.
int verdict(const Options& options, const Totals& totals, const test::ClientLog& log) {
  if (!options.control) return exact(totals, log) ? 0 : 1;
  const bool found = totals.inexact() > 0;
  std::printf("control: %s\n",
              found ? "the losses were found" : "NO LOSS FOUND: the harness proves nothing");
  return found ? 0 : 1;
}

int run(Options options) {
  std::printf("chaos: seed %llu\n", static_cast<unsigned long long>(options.seed));
  test::ServiceProcess service(service_options(options));
  if (options.other_binary.empty()) {
    options.other_binary = service.directory() / "other" / options.binary.filename();
    std::filesystem::create_directory(service.directory() / "other");
    for (const auto& entry : std::filesystem::directory_iterator(options.binary.parent_path()))
      if (entry.is_regular_file())
        std::filesystem::copy_file(entry, service.directory() / "other" / entry.path().filename());
  }
  service.start();
  if (!service.wait_ready()) {
    std::printf("the service did not start: %s\n", service.log().c_str());
    return 1;
  }
  test::EventLoop loop;
  test::ClientLog log;
  Totals totals;
  const bool no_fleet = options.hygiene > 0 || options.slow_beside_fast > 0;
  Fleet fleet(loop, log, totals,
              {.port = service.ws_port(),
               .reports = service.home(),
               .seed = options.seed,
               .sessions = no_fleet ? 0 : options.sessions,
               .viewers = options.viewers,
               .flood_bytes_per_second = options.flood_mib << 20,
               .kinds = options.kinds});
  World world{loop, service, fleet, log, totals, options};
  const bool control_possible = service.holder_pid() != 0;
  if ((options.control && !control_possible) ||
      (options.bad_binaries > 0 && !can_hand_over(world))) {
    std::printf("the service cannot do this yet\n");
    return kCannotYet;
  }
  if (options.hygiene > 0) {
    run_hygiene(world, options.hygiene);
  } else if (options.slow_beside_fast > 0) {
    run_slow_beside_fast(world, options.slow_beside_fast);
  } else {
    wait_attached(world, "the start");
    if (options.bad_binaries > 0) {
      run_bad_binaries(world);
    } else if (const auto faults = choose_faults(world); !faults.empty()) {
      run_schedule(world, faults);
    }
    fleet.finish(options.control ? Millis(6'000) : Millis(20'000));
  }
  std::printf("%s", to_table(totals, log).c_str());
  if (!options.json.empty()) {
    nlohmann::json json = to_json(totals, log);
    json["seed"] = options.seed;
    std::ofstream(options.json) << json.dump(2) << "\n";
  }
  const int status = verdict(options, totals, log);
  if (options.keep_log) std::printf("log of the service:\n%s", service.log().c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGPIPE, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { interrupted = 1; });
  try {
    return run(read_options(argc, argv));
  } catch (const std::exception& error) {
    std::printf("chaos: %s\n", error.what());
    return 1;
  }
}
