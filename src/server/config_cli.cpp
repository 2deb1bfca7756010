#include "server/config_cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>

#include "server/config.h"

namespace term::server {

namespace {

/// `terminal-foo=bar` to TERMINAL_FOO, as load_config() names it when it refuses it.
std::string key_of(std::string_view argument) {
  std::string key;
  for (const char c : argument.substr(0, argument.find('='))) {
    key += c == '-' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return key;
}

/// Overwrites what follows the `=`, or the next argument, of every secret flag.
void wipe_secrets(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    for (const ConfigKey& key : config_keys()) {
      if (!key.secret || !argument.starts_with(flag_name(key))) continue;
      char* rest = argv[i] + flag_name(key).size();
      if (*rest == '=') {
        std::memset(rest + 1, 'x', std::strlen(rest + 1));
      } else if (*rest == '\0' && i + 1 < argc) {
        std::memset(argv[i + 1], 'x', std::strlen(argv[i + 1]));
      }
    }
  }
}

CommandLine refuse(const std::string& why) {
  return {.action = CommandLine::Action::refuse,
          .text = "terminal-service: " + why + "\nterminal-service --help lists the options.\n"};
}

CommandLine print(std::string text) {
  return {.action = CommandLine::Action::print_and_exit, .text = std::move(text)};
}

}  // namespace

CommandLine parse_command_line(int argc, char** argv, const std::string& version) {
  CLI::App app("Browser terminals over WebSocket, with their HTTP API and dashboard");
  app.set_help_flag();
  app.allow_extras();
  bool help = false;
  int handover_fd = -1;
  bool end_sessions = false;
  auto* stop = app.add_subcommand("stop")->fallthrough();
  stop->add_flag("--end-sessions", end_sessions);
  app.add_option("--handover-fd", handover_fd);
  bool print_version = false;
  bool print_table = false;
  bool print_state_dir = false;
  app.add_flag("-h,--help", help);
  app.add_flag("--version", print_version);
  app.add_flag("--print-config-table", print_table);
  app.add_flag("--print-state-dir", print_state_dir);

  std::map<std::string, std::string> values;
  for (const ConfigKey& key : config_keys()) {
    std::string names = flag_name(key);
    if (key.name == "TERMINAL_SHARDS") names += ",--shards";
    if (key.name == "TERMINAL_HOLDER") names += ",--holder";
    app.add_option(names, values[std::string(key.name)])
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  CommandLine line;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    wipe_secrets(argc, argv);
    return refuse(error.what());
  }
  wipe_secrets(argc, argv);

  if (help) {
    return print(
        "Usage: terminal-service [--key=value ...]\n"
        "       terminal-service stop [--end-sessions] [--key=value ...]\n\n" +
        app.get_description() +
        ".\n\n"
        "  --help                this text\n"
        "  --version             the version\n"
        "  --print-config-table  the keys as the table of docs/configuration.md\n"
        "  --print-state-dir     the state directory in use\n"
        "  stop                  stops the service of the state directory; its shells go on\n"
        "  stop --end-sessions   stops it and ends the shells and the holder\n\n" +
        config_help() + "\nExit status: 0 after a planned end, 78 for a refused configuration.\n");
  }
  if (print_version) return print("terminal-service " + version + "\n");
  if (print_table) return print(config_table());
  // What follows an unknown flag may be its value, perhaps a secret: only the flag is named then.
  std::string stray;
  for (const std::string& extra : app.remaining()) {
    if (extra.starts_with("--")) {
      line.flags.emplace(key_of(std::string_view(extra).substr(2)), "");
    } else if (stray.empty()) {
      stray = extra;
    }
  }
  if (!stray.empty() && line.flags.empty()) return refuse("unexpected argument \"" + stray + "\"");
  for (const ConfigKey& key : config_keys()) {
    if (app.get_option(flag_name(key))->count() == 0) continue;
    line.flags.emplace(key.name, values[std::string(key.name)]);
  }
  if (print_state_dir) line.action = CommandLine::Action::print_state_dir;
  if (stop->parsed()) line.action = CommandLine::Action::stop;
  if (handover_fd >= 0) line.action = CommandLine::Action::take_over;
  line.handover_fd = handover_fd;
  line.end_sessions = end_sessions;
  return line;
}

}  // namespace term::server
