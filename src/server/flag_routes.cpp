// /api/admin/feature-flags and the journal of flips (PROTOCOLS.md 4).

#include <nlohmann/json.hpp>

#include "server/flip_json.h"
#include "server/json_read.h"
#include "server/owners_json.h"
#include "server/routes.h"
#include "server/service.h"
#include "session/ids.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;

template <class T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json choice_json(const adapter::PortChoice& choice) {
  return {{"sessions", nullable(choice.sessions)},
          {"streams", nullable(choice.streams)},
          {"telemetry", nullable(choice.telemetry)}};
}

Json origin_json(const adapter::FlagOrigin& origin) {
  return {{"source", origin.source},
          {"since", iso_time(origin.since)},
          {"who", origin.who},
          {"reason", origin.reason}};
}

/// A flag with its value and where that comes from.
Json flag_json(const adapter::Flags& flags, const std::string& name, const Json& value,
               const std::string& source) {
  Json json{{"value", value}, {"source", source}};
  if (const auto it = flags.origins.find(name); it != flags.origins.end())
    json.update(origin_json(it->second));
  return json;
}

Json flags_json(const adapter::Flags& flags) {
  const auto& env = flags.environment;
  const Owners fresh = flags.choose({}, {});
  Json json{
      {"TERMINAL_LEGACY_MODE", {{"value", env.legacy_mode}, {"source", env.legacy_mode_source}}},
      {"TERMINAL_REFACTOR_ENABLED",
       {{"value", nullable(env.refactor_enabled)}, {"source", env.refactor_enabled_source}}}};
  json["terminal_refactor"] =
      flag_json(flags, "terminal_refactor",
                !env.legacy_mode && flags.refactor.value_or(env.refactor_enabled.value_or(true)),
                env.refactor_enabled_source);
  if (env.legacy_mode) json["terminal_refactor"]["source"] = env.legacy_mode_source;
  json["services"] = flag_json(flags, "services", choice_json(flags.services), "default");
  json["refactored_percentage"] =
      flag_json(flags, "refactored_percentage", nullable(flags.percentage), "default");
  json["terminal_dual_write"] =
      flag_json(flags, "terminal_dual_write", flags.dual_write_on(), env.dual_write_source);
  json["auto_rollback"] =
      flag_json(flags, "auto_rollback", flags.auto_rollback_on(), env.auto_rollback_source);
  Json projects = Json::object();
  for (const auto& [id, choice] : flags.projects)
    projects[id] = flag_json(flags, "projects." + id, choice_json(choice), "api");
  Json sessions = Json::object();
  for (const auto& [id, choice] : flags.sessions)
    sessions[id] = flag_json(flags, "sessions." + id, choice_json(choice), "api");
  json["projects"] = projects;
  json["sessions"] = sessions;
  return {{"flags", json}, {"newSessions", owners_json(fresh)}};
}

/// Absent is fine; present and of another type is not.
Result<std::optional<bool>> optional_bool(const Json& body, const char* name) {
  if (!body.contains(name)) return std::optional<bool>{};
  const auto value = read_bool(body, name);
  if (!value) return Error{Errc::bad_argument, std::string(name) + " must be true or false"};
  return value;
}

Result<adapter::PortChoice> read_services(const Json& body) {
  adapter::PortChoice choice;
  const auto it = body.find("services");
  if (it == body.end()) return choice;
  if (!it->is_object())
    return Error{Errc::bad_argument, "services must be an object of sessions, streams, telemetry"};
  for (const auto& [name, value] : it->items()) {
    if (name != "sessions" && name != "streams" && name != "telemetry")
      return Error{Errc::bad_argument, "services has no \"" + name.substr(0, 64) +
                                           "\"; use sessions, streams, telemetry"};
    if (!value.is_boolean())
      return Error{Errc::bad_argument, "services." + name + " must be true or false"};
    auto& slot = name == "sessions"  ? choice.sessions
                 : name == "streams" ? choice.streams
                                     : choice.telemetry;
    slot = value.get<bool>();
  }
  return choice;
}

constexpr const char* kKnown[] = {"terminal_refactor",
                                  "force",
                                  "services",
                                  "project",
                                  "session",
                                  "refactored_percentage",
                                  "terminal_dual_write",
                                  "auto_rollback",
                                  "reason",
                                  "dry_run"};

Result<void> check_names(const Json& body) {
  for (const auto& [name, value] : body.items()) {
    bool known = false;
    for (const char* candidate : kKnown) known = known || name == candidate;
    if (!known) return Error{Errc::bad_argument, "unknown field \"" + name.substr(0, 64) + "\""};
  }
  return {};
}

Result<void> read_scope(const Json& body, adapter::FlagChange& change) {
  for (const char* name : {"project", "session"}) {
    if (!body.contains(name)) continue;
    const auto value = read_string(body, name);
    if (!value || !valid_session_id(*value))
      return Error{Errc::bad_id, std::string(name) + " must be 1 to 128 of A-Z a-z 0-9 _ . -"};
    (std::string_view(name) == "project" ? change.project : change.session) = *value;
  }
  return {};
}

Result<adapter::FlagChange> read_change(const Request& request) {
  auto body =
      request.body.empty() ? Result<Json>(Json::object()) : parse_object(request.body, 64 * 1024);
  if (!body) return body.error();
  if (auto known = check_names(*body); !known) return known.error();
  adapter::FlagChange change;
  auto refactor = optional_bool(*body, "terminal_refactor");
  auto dual_write = optional_bool(*body, "terminal_dual_write");
  auto rollback = optional_bool(*body, "auto_rollback");
  auto force = optional_bool(*body, "force");
  auto dry_run = optional_bool(*body, "dry_run");
  for (const auto* flag : {&refactor, &dual_write, &rollback, &force, &dry_run})
    if (!*flag) return flag->error();
  auto services = read_services(*body);
  if (!services) return services.error();
  if (auto scope = read_scope(*body, change); !scope) return scope.error();
  if (body->contains("refactored_percentage")) {
    const auto value = read_integer(*body, "refactored_percentage", 0, 100);
    if (!value)
      return Error{Errc::bad_argument, "refactored_percentage must be a whole number, 0 to 100"};
    change.percentage = static_cast<int>(*value);
  }
  change.refactor = *refactor;
  change.dual_write = *dual_write;
  change.auto_rollback = *rollback;
  change.force = force->value_or(false);
  change.dry_run = dry_run->value_or(false);
  change.services = *services;
  change.reason = read_string(*body, "reason").value_or("").substr(0, 1024);
  change.who = request.peer;
  return change;
}

Reply get_flags(Service& service, Request) {
  co_return json_response(200, flags_json(service.flips().flags()));
}

Reply post_flags(Service& service, Request request) {
  auto change = read_change(request);
  if (!change) co_return error_response(change.error());
  const auto outcome = co_await service.flips().change(std::move(*change));
  if (!outcome) co_return error_response(outcome.error());
  Json json{{"success", true}, {"dry_run", outcome->dry_run}};
  json.update(flags_json(*outcome->flags));
  if (outcome->flip) json["flip"] = flip_json(*outcome->flip);
  co_return json_response(200, json);
}

Reply get_flips(Service& service, Request) {
  Json flips = Json::array();
  const auto& entries = service.flips().journal().entries();
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) flips.push_back(flip_json(*it));
  co_return json_response(200, {{"flips", flips},
                                {"running", service.flips().running()},
                                {"dropped", service.flips().journal().dropped()}});
}

Reply get_flip(Service& service, Request request) {
  const std::string& id = request.parts.at("id");
  const auto* entry = service.flips().journal().find(id);
  if (entry == nullptr)
    co_return json_response_text(404, "not_found", "no flip " + id.substr(0, 64));
  co_return json_response(200, flip_json(*entry));
}

}  // namespace

void add_flag_routes(Router& router, Service& service) {
  using Function = Reply (*)(Service&, Request);
  const auto add = [&](const char* method, const char* path, Function function) {
    router.add(method, path, [&service, function](Request request) {
      return function(service, std::move(request));
    });
  };
  add("GET", "/api/admin/feature-flags", get_flags);
  add("POST", "/api/admin/feature-flags", post_flags);
  add("GET", "/api/admin/flips", get_flips);
  add("GET", "/api/admin/flips/{id}", get_flip);
}

}  // namespace term::server
