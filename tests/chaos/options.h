#pragma once
// What the command line asks for.

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace term::chaos {

struct Options {
  std::filesystem::path binary;
  std::filesystem::path other_binary;  ///< For upgrades; a copy of `binary` if there is none.
  std::filesystem::path program;       ///< What runs in the sessions.
  std::uint64_t seed = 0;
  double minutes = 0;           ///< The run ends after this, or
  std::uint64_t steps = 0;      ///< after so many faults, or
  std::uint64_t kills = 0;      ///< after so many of that kind.
  std::uint64_t handovers = 0;  ///< The same, half of them to the other binary.
  std::uint64_t flips = 0;      ///< The same.
  std::size_t sessions = 12;
  std::size_t viewers = 0;
  std::uint64_t flood_mib = 6;
  unsigned pause_ms = 150;       ///< Longest pause between faults.
  std::set<std::string> faults;  ///< Empty: all.
  std::vector<std::string> kinds;
  bool control = false;                ///< Exactness switched off: the run must find losses.
  std::uint64_t bad_binaries = 0;      ///< Another kind of run: each so many times.
  std::size_t hygiene = 0;             ///< Another kind of run: so many shells.
  std::uint64_t slow_beside_fast = 0;  ///< Another kind of run: MiB of flood.
  std::filesystem::path json;
  bool keep_log = false;  ///< Print the service's log at the end.
};

/// Errors: prints what is wrong and ends the process with 2; `--help` ends it with 0.
Options read_options(int argc, char** argv);

}  // namespace term::chaos
