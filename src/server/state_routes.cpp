// GET and POST /api/admin/state: the export document (STATE.md 4, PROTOCOLS.md 4).

#include <nlohmann/json.hpp>

#include "server/archive.h"
#include "server/routes.h"
#include "server/service.h"
#include "session/ids.h"

namespace term::server {

namespace {

using Reply = net::awaitable<Response>;

Result<ExportFilter> read_filter(const Request& request) {
  ExportFilter filter;
  for (const auto& [name, value] : request.target.query) {
    if (name == "project" && valid_project_id(value)) {
      filter.project = value;
    } else if (name == "session" && valid_session_id(value)) {
      filter.session = value;
    } else if (name == "live" && (value == "true" || value == "false")) {
      filter.live_only = value == "true";
    } else if (name == "reason" && value.size() <= 1024) {
      filter.reason = value;
    } else {
      return Error{Errc::bad_argument,
                   "\"" + name.substr(0, 64) + "=" + value.substr(0, 64) +
                       "\": expected project=ID, session=ID, live=true|false, reason=TEXT"};
    }
  }
  return filter;
}

Result<std::optional<Engine>> read_engine(const Request& request) {
  for (const auto& [name, value] : request.target.query) {
    if (name == "each" && (value == "true" || value == "false")) continue;
    if (name == "engine" && (value == "legacy" || value == "refactored")) continue;
    return Error{Errc::bad_argument,
                 "\"" + name.substr(0, 64) + "=" + value.substr(0, 64) +
                     "\": expected engine=legacy, engine=refactored or each=true"};
  }
  const std::string name = request.query("engine");
  if (name.empty()) return std::optional<Engine>{};
  return std::optional(name == "legacy" ? Engine::legacy : Engine::refactored);
}

Reply export_state(Service& service, Request request) {
  auto filter = read_filter(request);
  if (!filter) co_return error_response(filter.error());
  auto document = co_await service.archive().export_state(std::move(*filter));
  if (!document) co_return error_response(document.error());
  Response response;
  response.pieces = std::move(*document);
  co_return response;
}

Reply restore_state(Service& service, Request request) {
  const auto engine = read_engine(request);
  if (!engine) co_return error_response(engine.error());
  const auto report = co_await service.archive().restore(request.pieces, *engine);
  if (!report) co_return error_response(report.error());
  auto json = store::to_json(*report, request.query("each") == "true");
  json["success"] = report->failed.empty();
  co_return json_response(200, json);
}

}  // namespace

void add_state_routes(Router& router, Service& service) {
  router.add("GET", "/api/admin/state",
             [&service](Request request) { return export_state(service, std::move(request)); });
  router.add(
      "POST", "/api/admin/state",
      [&service](Request request) { return restore_state(service, std::move(request)); },
      Body::in_pieces);
}

}  // namespace term::server
