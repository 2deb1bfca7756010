#pragma once
// What the subcommands of terminal-ctl share (STATE.md 5).
//
// A subcommand is one source: it adds itself to the command line and, if it was the one asked for,
// sets `Context::run`. A new one is a source, a line here and a line in main.cpp.

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "session/types.h"

namespace CLI {
class App;
}

namespace term::ctl {

enum Exit : int { kDone = 0, kFailed = 1, kUsage = 2, kPartlyDone = 3 };

/// The options that come before every subcommand, and what the parsing of one decided to do.
struct Context {
  std::filesystem::path state_dir;   ///< As given; empty = found as the service finds it.
  bool json = false;                 ///< One JSON object on stdout and nothing else.
  std::function<Result<int>()> run;  ///< Gives the exit status; an error is printed and means 1.
};

void add_restart(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_health(CLI::App& app, Context& context);
void add_sessions(CLI::App& app, Context& context);
void add_flags(CLI::App& app, Context& context);
void add_api(CLI::App& app, Context& context);
void add_monitor(CLI::App& app, Context& context);
void add_state(CLI::App& app, Context& context);
void add_db(CLI::App& app, Context& context);
void add_db_file(CLI::App& db, Context& context);
void add_rollback(CLI::App& app, Context& context);
void add_collect(CLI::App& app, Context& context);
void add_recover_connections(CLI::App& app, Context& context);

/// To stdout, as one line.
void print(const nlohmann::json& value);
/// A line for whoever looks on: to stderr, if that is a terminal.
void progress(const Context& context, const std::string& line);
/// Without what would move the cursor or colour the terminal of the operator.
std::string printable(const std::string& text);
/// A text field of an object, made printable; `fallback` if it is not there.
std::string text_of(const nlohmann::json& object, const char* name,
                    const std::string& fallback = "-");

}  // namespace term::ctl
