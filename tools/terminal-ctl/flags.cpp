// terminal-ctl flags: which engine serves, seen and changed (DESIGN.md 7).

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "admin_client.h"
#include "server/config_values.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;

constexpr const char* kRoute = "/api/admin/feature-flags";

struct Arguments {
  std::vector<std::string> changes;
  std::string reason;
  bool force = false;
  bool dry_run = false;
};

/// `name=value` into the request; false if that is no flag of the API.
bool add_change(Json& body, const std::string& change) {
  const auto equals = change.find('=');
  if (equals == std::string::npos) return false;
  const std::string name = change.substr(0, equals);
  const std::string value = change.substr(equals + 1);
  if (name == "refactored_percentage") {
    const auto number = server::parse_number(value);
    if (number && *number <= 100) body[name] = *number;
    return number && *number <= 100;
  }
  const auto on = server::parse_boolean(value);
  if (!on) return false;
  if (name == "sessions" || name == "streams" || name == "telemetry")
    body["services"][name] = *on;
  else if (name == "terminal_refactor" || name == "terminal_dual_write" || name == "auto_rollback")
    body[name] = *on;
  else
    return false;
  return true;
}

Result<int> show(const Context& context, AdminClient& client) {
  const auto answer = client.get(kRoute);
  if (!answer) return answer.error();
  if (answer->status != 200) return Error{Errc::os_error, "no flags: " + answer->error()};
  const Json json = answer->json();
  if (context.json) {
    print(json);
    return kDone;
  }
  const Json flags = json.value("flags", Json::object());
  for (const auto& [name, flag] : flags.items())
    if (flag.is_object() && flag.contains("value"))
      std::printf("%-28s %-10s %s\n", printable(name).c_str(), text_of(flag, "value").c_str(),
                  text_of(flag, "source").c_str());
  return kDone;
}

Result<int> change(const Context& context, AdminClient& client, const Arguments& arguments) {
  Json body = Json::object();
  for (const auto& text : arguments.changes) add_change(body, text);
  if (arguments.force) body["force"] = true;
  if (arguments.dry_run) body["dry_run"] = true;
  if (!arguments.reason.empty()) body["reason"] = arguments.reason;
  const auto answer = client.post(kRoute, body, Millis(300'000));
  if (!answer) return answer.error();
  if (answer->status != 200) return Error{Errc::os_error, "nothing changed: " + answer->error()};
  const Json json = answer->json();
  const Json flip = json.value("flip", Json::object());
  const bool good = flip.value("failed", Json::array()).empty() && flip.value("lost", 0) == 0;
  if (context.json) {
    print(json);
  } else {
    std::printf("%s: %s sessions, %s moved, %zu failed, %s lost, %s ms\n",
                text_of(flip, "id").c_str(), text_of(flip, "sessions").c_str(),
                text_of(flip, "moved").c_str(), flip.value("failed", Json::array()).size(),
                text_of(flip, "lost").c_str(), text_of(flip, "duration_ms").c_str());
    for (const auto& failed : flip.value("failed", Json::array()))
      std::printf("  %s: %s\n", text_of(failed, "id").c_str(), text_of(failed, "error").c_str());
  }
  return good ? kDone : kPartlyDone;
}

}  // namespace

void add_flags(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("flags", "Shows the flags, or sets those given as NAME=VALUE");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("changes", arguments->changes,
                   "terminal_refactor, sessions, streams, telemetry, terminal_dual_write or "
                   "auto_rollback =true|false; refactored_percentage=0..100")
      ->type_name("NAME=VALUE")
      ->check([](const std::string& text) {
        Json scratch = Json::object();
        return add_change(scratch, text) ? std::string{} : "\"" + text + "\" is no flag and value";
      });
  command->add_flag("--force", arguments->force, "Move the sessions that live, too");
  command->add_flag("--dry-run", arguments->dry_run, "Change nothing, say what would");
  command->add_option("--reason", arguments->reason, "For the journal")->type_name("TEXT");
  command->callback([&context, arguments] {
    context.run = [&context, arguments]() -> Result<int> {
      const auto service = find_service(context);
      if (!service) return service.error();
      AdminClient client(*service);
      return arguments->changes.empty() ? show(context, client)
                                        : change(context, client, *arguments);
    };
  });
}

}  // namespace term::ctl
