// terminal-ctl: what an operator asks of a running service (STATE.md 5).

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "command.h"

namespace {

using namespace term::ctl;

constexpr const char* kFooter = R"(
The service is found through service.json in its state directory: --state-dir, TERMINAL_STATE_DIR in the
environment or .env, or the default of the service. Where it asks for a token, put it into
TERMINAL_ADMIN_TOKEN (environment or .env); it is never an argument.

Exit status: 0 done, 1 failed, 2 usage, 3 partly done.
terminal-ctl COMMAND --help tells more about one command.)";

int fail(const Context& context, const term::Error& error) {
  if (context.json)
    print({{"success", false}, {"error", error.detail}, {"code", term::to_string(error.code)}});
  else
    std::fprintf(stderr, "terminal-ctl: %s\n", printable(error.detail).c_str());
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  // What the layers below have to say must not get into what is printed for programs.
  spdlog::set_default_logger(spdlog::stderr_logger_st("terminal-ctl"));
  CLI::App app("Asks and steers a running terminal-service.", "terminal-ctl");
  Context context;
  std::string state_dir;
  app.add_option("--state-dir", state_dir, "State directory of the service")->type_name("DIR");
  app.add_flag("--json", context.json, "One JSON object on stdout and nothing else");
  app.set_version_flag("--version", std::string("terminal-ctl ") + TERM_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  add_restart(app, context);
  add_status(app, context);
  add_health(app, context);
  add_sessions(app, context);
  add_flags(app, context);
  add_api(app, context);
  add_monitor(app, context);
  add_state(app, context);
  add_db(app, context);
  add_recover_connections(app, context);
  add_rollback(app, context);
  add_collect(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  context.state_dir = state_dir;
  const auto status = context.run();
  return status ? *status : fail(context, status.error());
}
