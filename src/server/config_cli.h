#pragma once
// The command line of terminal-service, turned into what load_config() takes.

#include <map>
#include <string>

namespace term::server {

/// What the command line asks for.
struct CommandLine {
  enum class Action {
    run,              ///< Load the configuration and serve.
    print_and_exit,   ///< Write `text` to stdout and end with 0 (help, version, key table).
    print_state_dir,  ///< Load the configuration, print Config::state_dir, end with 0.
    take_over,        ///< Go on with what the process at the other end of `handover_fd` has.
    stop,             ///< Stop the service of this configuration's state directory.
    refuse,           ///< Write `text` to stderr and end with 78.
  };
  Action action = Action::run;
  std::string text;
  std::map<std::string, std::string> flags;  ///< Keyed by ConfigKey::name.
  int handover_fd = -1;
  bool end_sessions = false;  ///< With `stop`: the shells, too.
};

/// Parses `--terminal-ws-port=4001` (or with a blank) for every key, `--shards` as a short form,
/// `stop [--end-sessions]`, --help, --version, --print-config-table and --print-state-dir. Values
/// are checked later. Overwrites the values of secret flags in `argv`, so that they do not stay in
/// /proc/*/cmdline; whoever executes the program again passes those by the environment.
CommandLine parse_command_line(int argc, char** argv, const std::string& version);

}  // namespace term::server
