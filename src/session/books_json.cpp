#include <nlohmann/json.hpp>

#include "session/books.h"
#include "session/json_fields.h"
#include "session/snapshot_json.h"

namespace term {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

Error wrong(const std::string& what) { return {Errc::bad_snapshot, "books: " + what}; }

std::optional<Engine> engine_of(const Json& owners, const char* port) {
  const auto it = owners.find(port);
  if (it == owners.end() || !it->is_string()) return std::nullopt;
  for (const Engine engine : {Engine::legacy, Engine::refactored})
    if (it->get<std::string>() == to_string(engine)) return engine;
  return std::nullopt;
}

Result<Owners> owners_of(const Json& json) {
  const auto it = json.find("owners");
  if (it == json.end() || !it->is_object()) return wrong("owners must be an object");
  const auto sessions = engine_of(*it, "sessions");
  const auto streams = engine_of(*it, "streams");
  const auto telemetry = engine_of(*it, "telemetry");
  if (!sessions || !streams || !telemetry)
    return wrong("owners must name legacy or refactored for sessions, streams and telemetry");
  return Owners{*sessions, *streams, *telemetry};
}

Result<std::vector<InputQueue::Run>> queued_of(const Json& json) {
  std::vector<InputQueue::Run> runs;
  const auto it = json.find("queued");
  if (it == json.end()) return runs;
  if (!it->is_array()) return wrong("queued must be an array");
  for (const Json& run : *it) {
    const bool shaped = run.is_object() && run.contains("client") && run["client"].is_string() &&
                        run.contains("first") && run["first"].is_number_unsigned() &&
                        run.contains("bytes") && run["bytes"].is_string();
    if (!shaped) return wrong("queued must hold {client, first, bytes}");
    auto bytes = base64_decode(run["bytes"].get<std::string>());
    if (!bytes) return wrong("queued.bytes must be base64");
    runs.push_back({run["client"].get<std::string>(), run["first"].get<Offset>(), *bytes});
  }
  return runs;
}

}  // namespace

Result<Books> books_of(const Session& session, bool queued) {
  auto snapshot = session.snapshot(/*with_data=*/false);
  if (!snapshot) return snapshot.error();
  Books books{.owners = session.owners(), .snapshot = std::move(*snapshot), .queued = {}};
  books.snapshot.stream.viewers.clear();
  if (queued) books.queued = session.queued_runs();
  return books;
}

std::string to_text(const Books& books) {
  std::string text = "{\"version\":" + std::to_string(kVersion) + ",\"owners\":{\"sessions\":\"";
  text += to_string(books.owners.sessions);
  text += "\",\"streams\":\"";
  text += to_string(books.owners.streams);
  text += "\",\"telemetry\":\"";
  text += to_string(books.owners.telemetry);
  text += "\"},\"session\":";
  append_json(text, books.snapshot);
  if (!books.queued.empty()) {
    Json queued = Json::array();
    for (const auto& run : books.queued)
      queued.push_back(
          {{"client", run.client}, {"first", run.first}, {"bytes", base64_encode(run.bytes)}});
    text += ",\"queued\":" + queued.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text += '}';
}

Result<Books> books_from_text(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("session"))
    return wrong("no text, or not a JSON object with a session");
  auto owners = owners_of(json);
  if (!owners) return owners.error();
  auto snapshot = snapshot_from_json(json["session"]);
  if (!snapshot) return snapshot.error();
  auto queued = queued_of(json);
  if (!queued) return queued.error();
  return Books{*owners, std::move(*snapshot), std::move(*queued)};
}

}  // namespace term
