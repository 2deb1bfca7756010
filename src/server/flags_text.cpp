#include "server/flags_text.h"

#include <nlohmann/json.hpp>

#include "server/json_read.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

void put(Json& json, const char* name, const std::optional<bool>& value) {
  if (value) json[name] = *value;
}

Json to_json(const adapter::PortChoice& choice) {
  Json json = Json::object();
  put(json, "sessions", choice.sessions);
  put(json, "streams", choice.streams);
  put(json, "telemetry", choice.telemetry);
  return json;
}

adapter::PortChoice choice_of(const Json& json) {
  if (!json.is_object()) return {};
  return {read_bool(json, "sessions"), read_bool(json, "streams"), read_bool(json, "telemetry")};
}

template <class Key>
void read_choices(const Json& json, const char* name, std::map<Key, adapter::PortChoice>& into) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_object()) return;
  for (const auto& [id, choice] : it->items()) into[id] = choice_of(choice);
}

adapter::FlagOrigin origin_of(const Json& json) {
  adapter::FlagOrigin origin;
  if (!json.is_object()) return origin;
  origin.source = read_string(json, "source").value_or("api");
  origin.who = read_string(json, "who").value_or("");
  origin.reason = read_string(json, "reason").value_or("");
  if (auto since = parse_iso_time(read_string(json, "since").value_or(""))) origin.since = *since;
  return origin;
}

}  // namespace

std::string to_text(const adapter::Flags& flags) {
  Json json{{"version", 1}, {"services", to_json(flags.services)}};
  put(json, "refactor", flags.refactor);
  put(json, "dual_write", flags.dual_write);
  put(json, "auto_rollback", flags.auto_rollback);
  if (flags.percentage) json["percentage"] = *flags.percentage;
  for (const auto& [id, choice] : flags.projects) json["projects"][id] = to_json(choice);
  for (const auto& [id, choice] : flags.sessions) json["sessions"][id] = to_json(choice);
  for (const auto& [name, origin] : flags.origins)
    json["origins"][name] = {{"source", origin.source},
                             {"since", iso_time(origin.since)},
                             {"who", origin.who},
                             {"reason", origin.reason}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

adapter::Flags flags_from_text(std::string_view text, adapter::EnvironmentFlags environment) {
  adapter::Flags flags;
  flags.environment = std::move(environment);
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return flags;
  flags.refactor = read_bool(json, "refactor");
  flags.dual_write = read_bool(json, "dual_write");
  flags.auto_rollback = read_bool(json, "auto_rollback");
  if (auto percentage = read_integer(json, "percentage", 0, 100))
    flags.percentage = static_cast<int>(*percentage);
  if (json.contains("services")) flags.services = choice_of(json["services"]);
  read_choices(json, "projects", flags.projects);
  read_choices(json, "sessions", flags.sessions);
  if (const auto it = json.find("origins"); it != json.end() && it->is_object())
    for (const auto& [name, origin] : it->items()) flags.origins[name] = origin_of(origin);
  return flags;
}

}  // namespace term::server
