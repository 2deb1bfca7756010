#include "server/carry_state.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "session/json_fields.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Stage = CarriedState::Stage;

constexpr int kVersion = 1;
constexpr std::array<std::pair<Stage, std::string_view>, 3> kStages{
    {{Stage::upgrade, "upgrade"}, {Stage::waiting, "waiting"}, {Stage::attached, "attached"}}};

Json window_json(const std::optional<WindowSize>& size) {
  if (!size) return nullptr;
  return {{"cols", size->cols}, {"rows", size->rows}};
}

Json viewer_json(const ViewerState& viewer) {
  return {{"client", bytes_json(viewer.client)},
          {"role", viewer.role == ViewerRole::writer ? "writer" : "viewer"},
          {"sent", viewer.sent},
          {"acked", viewer.acked},
          {"window", viewer.window},
          {"acks", viewer.acks},
          {"exempt", viewer.exempt},
          {"wanted", window_json(viewer.wanted)}};
}

Json news_json(const ViewerNews& news) {
  Json notices = Json::array();
  for (const Notice& notice : news.notices)
    notices.push_back({{"kind", notice.kind},
                       {"message", notice.message},
                       {"eta", notice.eta},
                       {"over", notice.over}});
  Json json{{"resized", window_json(news.resized)},
            {"resizedBy", bytes_json(news.resized_by)},
            {"status", news.status},
            {"engine", news.engine},
            {"notices", std::move(notices)},
            {"closeReason", news.close_reason}};
  if (news.close_code) json["closeCode"] = *news.close_code;
  return json;
}

void read_window(JsonFields& fields, const std::string& key, std::optional<WindowSize>& out) {
  fields.object(key, [&](JsonFields& inner) { inner.window(out.emplace()); });
}

void read_size(JsonFields& fields, const std::string& key, std::size_t& out) {
  std::uint64_t read = out;
  fields.count(key, read);
  out = static_cast<std::size_t>(read);
}

void read_viewer(JsonFields& fields, ViewerState& viewer) {
  fields.bytes("client", viewer.client);
  std::string role = "writer";
  fields.text("role", role);
  if (role != "writer" && role != "viewer") fields.refuse("role", "writer or viewer");
  viewer.role = role == "viewer" ? ViewerRole::viewer : ViewerRole::writer;
  fields.count("sent", viewer.sent);
  fields.count("acked", viewer.acked);
  if (viewer.acked > viewer.sent) fields.refuse("acked", "at most sent");
  read_size(fields, "window", viewer.window);
  fields.boolean("acks", viewer.acks);
  fields.boolean("exempt", viewer.exempt);
  read_window(fields, "wanted", viewer.wanted);
}

void read_news(JsonFields& fields, ViewerNews& news) {
  read_window(fields, "resized", news.resized);
  fields.bytes("resizedBy", news.resized_by);
  fields.boolean("status", news.status);
  fields.boolean("engine", news.engine);
  fields.array("notices", [&](JsonFields& inner) {
    Notice notice;
    inner.text("kind", notice.kind);
    inner.text("message", notice.message);
    inner.text("eta", notice.eta);
    inner.boolean("over", notice.over);
    news.notices.push_back(std::move(notice));
  });
  fields.optional_integer("closeCode", news.close_code, 1000, 4999);
  fields.text("closeReason", news.close_reason);
}

void read_request(JsonFields& fields, CarriedState& state) {
  fields.array("headers", [&](JsonFields& inner) {
    auto& [name, value] = state.headers.emplace_back();
    inner.text("name", name);
    inner.bytes("value", value);
  });
  fields.text("extensions", state.extensions);
  fields.text("dialect", state.dialect);
  fields.text("dialectState", state.dialect_state);
  fields.text("session", state.session);
  fields.text("project", state.project);
  fields.bytes("path", state.path);
  read_window(fields, "size", state.size);
  fields.boolean("create", state.create);
  fields.bytes("token", state.token);
}

void read_stage(JsonFields& fields, CarriedState& state) {
  int version = 0;
  fields.integer("version", version, kVersion, std::numeric_limits<int>::max());
  if (version == 0) fields.refuse("version", "a number");
  std::string name;
  fields.text("stage", name);
  const auto* const found =
      std::ranges::find(kStages, name, [](const auto& entry) { return entry.second; });
  if (found == kStages.end()) return fields.refuse("stage", "upgrade, waiting or attached");
  state.stage = found->first;
}

}  // namespace

std::string to_cbor(const CarriedState& state) {
  const auto* const stage =
      std::ranges::find(kStages, state.stage, [](const auto& entry) { return entry.first; });
  Json headers = Json::array();
  for (const auto& [name, value] : state.headers)
    headers.push_back({{"name", name}, {"value", bytes_json(value)}});
  Json frames = Json::array();
  for (const Frame& frame : state.frames)
    frames.push_back({{"text", frame.text}, {"payload", bytes_json(frame.payload)}});
  Json json{{"version", kVersion},
            {"stage", stage->second},
            {"headers", std::move(headers)},
            {"extensions", state.extensions},
            {"dialect", state.dialect},
            {"dialectState", state.dialect_state},
            {"session", state.session},
            {"project", state.project},
            {"path", bytes_json(state.path)},
            {"size", window_json(state.size)},
            {"create", state.create},
            {"token", bytes_json(state.token)},
            {"received", bytes_json(state.received)},
            {"unsent", bytes_json(state.unsent)},
            {"frames", std::move(frames)},
            {"viewer", viewer_json(state.viewer)},
            {"news", news_json(state.news)},
            {"inputRest", bytes_json(state.input_rest)},
            {"inputNext", state.input_next},
            {"inputTold", state.input_told},
            {"suspendedTold", state.suspended_told},
            {"pingDue", state.ping_due},
            {"quietChecks", state.quiet_checks}};
  if (state.attach_within) json["attachWithin"] = state.attach_within->count();
  std::string out;
  Json::to_cbor(json, out);
  return out;
}

Result<CarriedState> carried_state_from_cbor(std::string_view bytes) {
  const Json json = Json::from_cbor(bytes, /*strict=*/true, /*allow_exceptions=*/false);
  if (!json.is_object()) return Error{Errc::bad_snapshot, "connection: expected a CBOR map"};
  CarriedState state;
  std::optional<Error> error;
  JsonFields fields(json, "connection.", error);
  read_stage(fields, state);
  read_request(fields, state);
  if (fields.has("attachWithin")) fields.millis("attachWithin", state.attach_within.emplace());
  fields.bytes("received", state.received);
  fields.bytes("unsent", state.unsent);
  fields.array("frames", [&](JsonFields& inner) {
    Frame& frame = state.frames.emplace_back();
    inner.boolean("text", frame.text);
    inner.bytes("payload", frame.payload);
  });
  fields.object("viewer", [&](JsonFields& inner) { read_viewer(inner, state.viewer); });
  fields.object("news", [&](JsonFields& inner) { read_news(inner, state.news); });
  fields.bytes("inputRest", state.input_rest);
  fields.count("inputNext", state.input_next);
  fields.count("inputTold", state.input_told);
  fields.boolean("suspendedTold", state.suspended_told);
  fields.boolean("pingDue", state.ping_due);
  fields.count("quietChecks", state.quiet_checks);
  if (error) return *error;
  return state;
}

}  // namespace term::server
