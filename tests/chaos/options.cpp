#include "chaos/options.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <sstream>

namespace term::chaos {

namespace {

constexpr const char* kUsage = R"(chaos: numbered sessions, checked byte by byte, under faults

  --binary=PATH         terminal-service
  --other-binary=PATH   another build of it, for upgrades (default: a copy of the first)
  --seed=N              of the schedule (default: any)
  --minutes=N | --steps=N | --kills=N | --handovers=N | --flips=N
                        how long; the last three also leave only that fault in the schedule,
                        unless --faults says otherwise
  --faults=A,B,...      only these: cut, away, stall, flip, kill, restart, rush, upgrade, end, bad-binary,
                        stop-service, stop-holder, stop-program, kill-holder, full-disk, clock
  --sessions=N --viewers=N --flood-mib=N --pause-ms=N --kinds=text,binary,heavy,typing,free
  --control             with exactness switched off: must find losses, and says so
  --bad-binaries=N      each bad binary N times, and nothing else
  --hygiene=N           N shells after start, recovery and hand-over, and nothing else
  --slow-beside-fast=N  a flood of N MiB to a fast client alone, and again with a slow one beside it
  --json=FILE           the totals, for programs
  --log                 print the service's log at the end

ends with 0 if all is exact, 1 if not, 2 for wrong arguments, 77 if the service cannot do it yet
)";

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "chaos: %s\n\n%s", why.c_str(), kUsage);
  std::exit(2);
}

using Setters = std::map<std::string, std::function<void(const std::string&)>>;

Setters setters(Options& o) {
  const auto number = [](auto& to) {
    return [&to](const std::string& value) {
      to = static_cast<std::remove_reference_t<decltype(to)>>(std::stoull(value));
    };
  };
  const auto path = [](std::filesystem::path& to) {
    return [&to](const std::string& value) { to = std::filesystem::absolute(value); };
  };
  return {
      {"--binary", path(o.binary)},
      {"--other-binary", path(o.other_binary)},
      {"--program", path(o.program)},
      {"--json", path(o.json)},
      {"--seed", number(o.seed)},
      {"--minutes", [&](const std::string& value) { o.minutes = std::stod(value); }},
      {"--steps", number(o.steps)},
      {"--kills", number(o.kills)},
      {"--handovers", number(o.handovers)},
      {"--flips", number(o.flips)},
      {"--sessions", number(o.sessions)},
      {"--viewers", number(o.viewers)},
      {"--flood-mib", number(o.flood_mib)},
      {"--pause-ms", number(o.pause_ms)},
      {"--bad-binaries", number(o.bad_binaries)},
      {"--hygiene", number(o.hygiene)},
      {"--slow-beside-fast", number(o.slow_beside_fast)},
      {"--kinds", [&](const std::string& value) { o.kinds = split(value); }},
      {"--faults",
       [&](const std::string& value) {
         for (const auto& name : split(value)) o.faults.insert(name);
       }},
      {"--control", [&](const std::string&) { o.control = true; }},
      {"--log", [&](const std::string&) { o.keep_log = true; }},
  };
}

}  // namespace

Options read_options(int argc, char** argv) {
  Options options;
  options.seed = std::random_device{}();
  options.kinds = {"typing", "text", "binary", "typing", "heavy", "free"};
  const Setters known = setters(options);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help" || argument == "--usage") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    const auto equals = argument.find('=');
    const auto found = known.find(argument.substr(0, equals));
    if (found == known.end()) refuse("no option " + argument);
    try {
      found->second(equals == std::string::npos ? "" : argument.substr(equals + 1));
    } catch (const std::exception&) {
      refuse("unusable value in " + argument);
    }
  }
  if (options.binary.empty()) refuse("--binary is missing");
  if (options.program.empty())
    options.program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "numbered";
  if (options.sessions == 0 || options.kinds.empty()) refuse("no sessions");
  const auto only = [&](std::uint64_t wanted, std::set<std::string> faults) {
    if (wanted > 0 && options.faults.empty()) options.faults = std::move(faults);
  };
  only(options.kills, {"kill"});
  only(options.handovers, {"restart", "upgrade"});
  only(options.flips, {"flip"});
  return options;
}

}  // namespace term::chaos
