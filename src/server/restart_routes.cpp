// POST /api/admin/restart: everything to a new process (PROTOCOLS.md 4).

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "server/json_read.h"
#include "server/routes.h"
#include "server/service.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

Result<Handover::Request> read_request(const Request& http) {
  auto body = http.body.empty() ? Result<Json>(Json::object()) : parse_object(http.body, 64 * 1024);
  if (!body) return body.error();
  Handover::Request request{.own_requests = 1};
  for (const auto& [name, value] : body->items())
    if (name != "binary" && name != "probation_ms")
      return Error{Errc::bad_argument, "unknown field \"" + name.substr(0, 64) + "\""};
  if (body->contains("binary")) {
    const auto binary = read_string(*body, "binary");
    if (!binary || !binary->starts_with('/') || binary->find('\0') != std::string::npos)
      return Error{Errc::bad_argument, "binary must be an absolute path"};
    request.binary = *binary;
  }
  if (body->contains("probation_ms")) {
    const auto probation = read_integer(*body, "probation_ms", 0, 60'000);
    if (!probation) return Error{Errc::bad_argument, "probation_ms must be 0 to 60000"};
    request.probation = Millis(*probation);
  }
  return request;
}

net::awaitable<Response> restart(Service& service, Request http) {
  auto request = read_request(http);
  if (!request) co_return error_response(request.error());
  const auto report = co_await service.handover().run(std::move(*request));
  if (!report) co_return error_response(report.error());
  co_return json_response(200, {{"success", true},
                                {"pid", report->pid},
                                {"from", {{"pid", ::getpid()}, {"version", service.version()}}},
                                {"to", {{"pid", report->pid}, {"version", report->version}}},
                                {"sessions", report->sessions},
                                {"connections", report->connections},
                                {"pause_ms", report->pause.count()}});
}

}  // namespace

void add_restart_routes(Router& router, Service& service) {
  router.add("POST", "/api/admin/restart",
             [&service](Request request) { return restart(service, std::move(request)); });
}

}  // namespace term::server
