// terminal-ctl status and health: is it there, and is it well?

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "admin_client.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;

Json part(const Json& object, const char* name) {
  return object.contains(name) && object.at(name).is_object() ? object.at(name) : Json::object();
}

void print_reasons(const Json& health) {
  if (!health.contains("reasons") || !health.at("reasons").is_array()) return;
  for (const auto& reason : health.at("reasons"))
    if (reason.is_string()) std::printf("  %s\n", printable(reason.get<std::string>()).c_str());
}

/// `3 (attached 2, detached 1)`
std::string counts(const Json& sessions) {
  std::string text = text_of(sessions, "total");
  std::string each;
  const Json by_status = part(sessions, "by_status");
  for (const auto& [name, count] : by_status.items())
    if (count.is_number() && count != 0)
      each += (each.empty() ? "" : ", ") + printable(name) + " " + count.dump();
  return each.empty() ? text : text + " (" + each + ")";
}

Result<AdminClient::Answer> ask(const ServiceInfo& service) {
  auto answer = AdminClient(service).get("/api/health/terminal");
  if (answer && answer->status != 200 && answer->status != 503)
    return Error{Errc::os_error,
                 "no health from process " + std::to_string(service.pid) + ": " + answer->error()};
  return answer;
}

Result<int> status(const Context& context) {
  const auto service = find_service(context);
  if (!service) return service.error();
  const auto answer = ask(*service);
  if (!answer) return answer.error();
  const Json health = answer->json();
  if (context.json) {
    print({{"pid", service->pid},
           {"version", service->version},
           {"host", service->host},
           {"ws_port", service->ws_port},
           {"http_port", service->http_port},
           {"holder_pid", service->holder_pid},
           {"state_dir", service->state_dir.string()},
           {"health", health}});
    return kDone;
  }
  std::printf("running: process %d, version %s, since %s\n", service->pid, service->version.c_str(),
              text_of(health, "started").c_str());
  std::printf("page and WebSocket http://%s:%d/, API http://%s:%d/, state in %s\n",
              service->host.c_str(), service->ws_port, service->host.c_str(), service->http_port,
              service->state_dir.c_str());
  const Json holder = part(health, "holder");
  std::printf("sessions: %s; new ones on %s\n", counts(part(health, "sessions")).c_str(),
              text_of(part(health, "engine"), "streams").c_str());
  std::printf("holder: %s, %s\n", text_of(holder, "status").c_str(),
              text_of(holder, "detail").c_str());
  std::printf("health: %s\n", text_of(health, "status").c_str());
  print_reasons(health);
  return kDone;
}

Result<int> health(const Context& context) {
  const auto service = find_service(context);
  if (!service) return service.error();
  const auto answer = ask(*service);
  if (!answer) return answer.error();
  const Json health = answer->json();
  if (context.json) {
    print(health);
  } else {
    std::printf("%s\n", text_of(health, "status").c_str());
    print_reasons(health);
  }
  return answer->status == 200 ? kDone : kFailed;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  app.add_subcommand("status", "Processes, ports, sessions, health; 1 if no service answers")
      ->callback([&context] { context.run = [&context] { return status(context); }; });
}

void add_health(CLI::App& app, Context& context) {
  app.add_subcommand("health", "healthy, degraded or unhealthy and why; 1 if unhealthy")
      ->callback([&context] { context.run = [&context] { return health(context); }; });
}

}  // namespace term::ctl
