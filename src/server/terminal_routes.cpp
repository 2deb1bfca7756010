// /api/terminal/*: the user API, in the superset of both generations (reference/origin.md 4.1).

#include <nlohmann/json.hpp>

#include "server/json_read.h"
#include "server/routes.h"
#include "server/service.h"
#include "session/ids.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;

constexpr std::size_t kMaxBody = 256 * 1024;
constexpr std::size_t kMaxLayout = 4 * 1024;

Response missing(const char* name) {
  return error_response({Errc::bad_argument, std::string(name) + " is required"});
}

Json list_json(const SessionRecord& record) {
  Json json = to_json(record);
  json["isFocused"] = record.focused;
  json["active"] = record.status == SessionState::attached;
  json["wsConnected"] = record.status == SessionState::attached;
  return json;
}

std::string ws_url(const Service& service, const SessionRecord& record) {
  return "ws://localhost:" + std::to_string(service.ws_port()) + "/?sessionId=" + record.id +
         "&projectId=" + record.project_id;
}

/// Body as an object; an empty one is `{}`, whatever its Content-Type says.
Result<Json> body_of(const Request& request) {
  if (request.body.empty()) return Json::object();
  return parse_object(request.body, kMaxBody);
}

/// From the body, else from the query.
std::string field(const Request& request, const Json& body, const char* name) {
  if (auto value = read_string(body, name)) return *value;
  return request.query(name);
}

Result<OpenRequest> read_create(const Request& request, WallTime now) {
  auto body = body_of(request);
  if (!body) return body.error();
  OpenRequest open;
  open.project = field(request, *body, "projectId");
  if (open.project.empty()) return Error{Errc::bad_argument, "projectId is required"};
  if (!valid_project_id(open.project))
    return Error{Errc::bad_id, "projectId must be at most 128 of A-Z a-z 0-9 _ . -"};
  open.id = field(request, *body, "sessionId");
  if (open.id.empty()) open.id = make_session_id(now);
  if (!valid_session_id(open.id))
    return Error{Errc::bad_id, "sessionId must be 1 to 128 of A-Z a-z 0-9 _ . - and not dots only"};
  open.path = field(request, *body, "projectPath");
  open.tab_name = field(request, *body, "tabName").substr(0, 255);
  const auto mode = read_string(*body, "mode").value_or("normal");
  const auto type = read_string(*body, "type").value_or("terminal");
  if (mode != "normal" && mode != "claude" && mode != "system")
    return Error{Errc::bad_argument, "mode is \"" + mode + "\"; use normal, claude or system"};
  if (type != "terminal" && type != "system" && type != "claude")
    return Error{Errc::bad_argument, "type is \"" + type + "\"; use terminal, system or claude"};
  open.mode = mode;
  open.type = type;
  if (body->contains("cols") || body->contains("rows")) {
    const auto size = read_window(*body);
    if (!size) return Error{Errc::bad_argument, "cols and rows must be whole numbers, 1 to 1000"};
    open.size = *size;
  }
  return open;
}

Reply create(Service& service, Request request) {
  auto open = read_create(request, service.now());
  if (!open) co_return error_response(open.error());
  const ProjectId project = open->project;
  auto record = co_await service.operations().create(std::move(*open));
  if (!record) co_return error_response(record.error());
  const auto focused = co_await service.operations().focused(project);
  Json session = list_json(*record);
  const auto now = record->created_at.time_since_epoch().count();
  co_return json_response(
      200, {{"success", true},
            {"session", session},
            {"websocketReady", true},
            {"focusState", {{"focused", focused}, {"version", now}, {"timestamp", now}}},
            {"storageMode", "memory"},
            {"sessionId", record->id},
            {"projectId", record->project_id},
            {"type", record->type},
            {"tabName", record->tab_name},
            {"status", "created"},
            {"wsUrl", ws_url(service, *record)}});
}

Reply list(Service& service, Request request) {
  const std::string project = request.query("projectId");
  std::optional<ProjectId> only;
  if (!project.empty()) only = project;
  const auto records = co_await service.operations().list(only);
  Json sessions = Json::array();
  Json focused{{"system", nullptr}, {"claude", nullptr}};
  for (const auto& record : records) {
    sessions.push_back(list_json(record));
    if (record.focused) focused[record.mode == "claude" ? "claude" : "system"] = record.id;
  }
  co_return json_response(200, {{"success", true}, {"sessions", sessions}, {"focused", focused}});
}

Reply close(Service& service, Request request) {
  const SessionId id = request.parts.at("id");
  if (!valid_session_id(id))
    co_return error_response({Errc::bad_id, "session id must be 1 to 128 of A-Z a-z 0-9 _ . -"});
  // Closing what is not there is done already.
  const auto closed = co_await service.operations().close(id, "closed through the API");
  Json json{{"success", true}, {"sessionId", id}, {"status", "closed"}};
  json["message"] = closed.has_value() ? "session closed" : "no such session; nothing to close";
  co_return json_response(200, json);
}

Json focus_details(const std::vector<SessionRecord>& records) {
  Json details = Json::array();
  for (const auto& r : records) {
    if (!r.focused) continue;
    details.push_back({{"id", r.id},
                       {"type", r.type},
                       {"tabName", r.tab_name},
                       {"status", dialect_status(r.status)},
                       {"isFocused", true}});
  }
  return details;
}

Reply get_focus(Service& service, Request request) {
  const std::string project = request.query("projectId");
  if (project.empty()) co_return missing("projectId");
  const auto focused = co_await service.operations().focused(project);
  co_return json_response(200, {{"success", true},
                                {"projectId", project},
                                {"focusedSessions", focused},
                                {"totalFocused", focused.size()},
                                {"maxFocused", service.config().max_focused_per_project}});
}

Reply set_focus(Service& service, Request request) {
  auto body = body_of(request);
  if (!body) co_return error_response(body.error());
  const std::string id = field(request, *body, "sessionId");
  if (id.empty()) co_return missing("sessionId");
  const bool focused = read_bool(*body, "focused").value_or(true);
  const auto record = co_await service.operations().find(id);
  if (!record) co_return error_response(record.error());
  const auto before = co_await service.operations().focused(record->project_id);
  const auto update = co_await service.operations().focus(id, focused);
  if (!update) co_return error_response(update.error());
  const auto all = co_await service.operations().focused(record->project_id);
  const auto records = co_await service.operations().list(record->project_id);
  Json json{{"success", true},
            {"sessionId", id},
            {"projectId", record->project_id},
            {"message", focused ? "focused" : "unfocused"},
            {"focusedSessions", all},
            {"focusedSessionDetails", focus_details(records)},
            {"totalFocused", all.size()},
            {"maxFocused", service.config().max_focused_per_project},
            {"previousFocus", nullptr}};
  if (!before.empty()) json["previousFocus"] = before.back();
  co_return json_response(200, json);
}

Reply suspend(Service& service, Request request) {
  auto body = body_of(request);
  if (!body) co_return error_response(body.error());
  const std::string project = field(request, *body, "projectId");
  if (project.empty()) co_return missing("projectId");
  if (const auto it = body->find("uiState"); it != body->end() && it->is_object()) {
    std::string layout = it->dump();
    if (layout.size() > kMaxLayout)
      co_return error_response({Errc::bad_argument, "uiState is larger than 4 KiB"});
    co_await service.operations().save_layout(project, std::move(layout));
  }
  const auto count = co_await service.operations().suspend(project, {});
  co_return json_response(200, {{"success", true},
                                {"suspendedSessionCount", count},
                                {"projectId", project},
                                {"timestamp", service.now().time_since_epoch().count()}});
}

Reply resume(Service& service, Request request) {
  auto body = body_of(request);
  if (!body) co_return error_response(body.error());
  const std::string project = field(request, *body, "projectId");
  if (project.empty()) co_return missing("projectId");
  const auto resumed = co_await service.operations().resume(project, {});
  const auto records = co_await service.operations().list(project);
  Json sessions = Json::array();
  for (const auto& record : records) {
    Json json = list_json(record);
    json["workingDirectory"] = record.current_path;
    json["bufferedOutput"] = Json::array();  // Output was never held back.
    json["suspendedAt"] = nullptr;
    for (const auto& was : resumed)
      if (was.id == record.id && was.suspension)
        json["suspendedAt"] = iso_time(was.suspension->suspended_at);
    sessions.push_back(std::move(json));
  }
  const std::string layout = co_await service.operations().layout(project);
  Json ui = layout.empty() ? Json{{"currentLayout", "1x1"}}
                           : Json::parse(layout, nullptr, /*allow_exceptions=*/false);
  co_return json_response(200, {{"success", true},
                                {"resumed", !resumed.empty()},
                                {"sessions", sessions},
                                {"uiState", ui},
                                {"timestamp", service.now().time_since_epoch().count()}});
}

Reply status(Service& service, Request request) {
  const std::string id = request.query("sessionId");
  if (id.empty()) co_return missing("sessionId");
  const auto record = co_await service.operations().find(id);
  if (!record) co_return error_response(record.error());
  co_return json_response(200, {{"success", true},
                                {"session", list_json(*record)},
                                {"websocketReady", record->status == SessionState::attached}});
}

Reply cleanup(Service& service, Request request) {
  auto body = body_of(request);
  if (!body) co_return error_response(body.error());
  const std::string project = field(request, *body, "projectId");
  if (project.empty()) co_return missing("projectId");
  const auto records = co_await service.operations().list(project);
  std::size_t closed = 0;
  Json errors = Json::array();
  for (const auto& record : records) {
    const auto done = co_await service.operations().close(record.id, "project cleaned up");
    if (done) ++closed;
    if (!done) errors.push_back({{"id", record.id}, {"error", done.error().detail}});
  }
  co_return json_response(200, {{"success", true},
                                {"projectId", project},
                                {"closedSessions", closed},
                                {"closedCount", closed},
                                {"errors", errors},
                                {"message", std::to_string(closed) + " sessions closed"}});
}

Reply rename(Service& service, Request request) {
  auto body = body_of(request);
  if (!body) co_return error_response(body.error());
  const auto name = read_string(*body, "name");
  if (!name || name->empty() || name->size() > 255)
    co_return error_response({Errc::bad_argument, "name must be a string of 1 to 255 bytes"});
  const SessionId id = request.parts.at("id");
  const auto renamed = co_await service.operations().rename(id, *name);
  if (!renamed) co_return error_response(renamed.error());
  const auto record = co_await service.operations().find(id);
  if (!record) co_return error_response(record.error());
  co_return json_response(200, {{"success", true}, {"session", list_json(*record)}});
}

}  // namespace

void add_terminal_routes(Router& router, Service& service) {
  using Function = Reply (*)(Service&, Request);
  const auto add = [&](const char* method, const char* path, Function function) {
    router.add(method, path, [&service, function](Request request) {
      return function(service, std::move(request));
    });
  };
  add("POST", "/api/terminal/create", create);
  add("GET", "/api/terminal/list", list);
  add("DELETE", "/api/terminal/close/{id}", close);
  add("GET", "/api/terminal/focus", get_focus);
  add("PUT", "/api/terminal/focus", set_focus);
  add("POST", "/api/terminal/focus", set_focus);
  add("POST", "/api/terminal/suspend", suspend);
  add("POST", "/api/terminal/resume", resume);
  add("GET", "/api/terminal/status", status);
  add("DELETE", "/api/terminal/cleanup", cleanup);
  add("PUT", "/api/terminal/rename/{id}", rename);
}

}  // namespace term::server
