#include "server/handover_state.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "server/handover_channel.h"
#include "server/json_read.h"
#include "session/json_fields.h"
#include "session/sha256.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

Error wrong(const std::string& what) {
  return {Errc::bad_snapshot, "the state of the hand-over: " + what};
}

const Json& array_in(const Json& json, const char* name) {
  static const Json none = Json::array();
  const auto it = json.find(name);
  return it != json.end() && it->is_array() ? *it : none;
}

Result<void> read_books(const Json& json, HandoverState& state) {
  for (const Json& entry : array_in(json, "sessions")) {
    const auto slot = read_integer(entry, "slot", 0, 65535);
    const auto books = read_string(entry, "books");
    if (!slot || !books) return wrong("sessions must hold {slot, books}");
    state.books[static_cast<std::uint32_t>(*slot)] = *books;
  }
  return {};
}

Result<void> read_connections(const Json& json, HandoverState& state) {
  for (const Json& entry : array_in(json, "connections")) {
    const auto session = read_string(entry, "session");
    auto carried = bytes_in(entry, "state");
    if (!session || !carried) return wrong("connections must hold {session, state}");
    state.connections.push_back({*session, std::move(*carried)});
  }
  for (const Json& entry : array_in(json, "requests")) {
    auto received = bytes_in(entry, "received");
    if (!received) return wrong("requests must hold {received}");
    state.requests.push_back(
        {read_bool(entry, "operator_port").value_or(false), std::move(*received)});
  }
  return {};
}

}  // namespace

std::vector<SessionProof> proofs_of(Shard& shard) {
  std::vector<SessionProof> proofs;
  for (const auto& session : shard.sessions->all()) {
    if (!session->started()) continue;
    std::string line = std::to_string(session->pid()) + " " +
                       std::to_string(session->ring().first()) + "-" +
                       std::to_string(session->ring().next());
    if (const auto stream = session->streams().export_session(session->id()))
      for (const auto& [client, offsets] : stream->input)
        line += " " + client + "=" + std::to_string(offsets.accepted) + "," +
                std::to_string(offsets.written);
    proofs.push_back({session->id(), std::move(line)});
  }
  return proofs;
}

std::string sha256_of(std::vector<SessionProof> proofs) {
  std::ranges::sort(proofs, {}, &SessionProof::id);
  std::string text;
  for (const auto& proof : proofs) text += proof.id + " " + proof.line + "\n";
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

std::string to_cbor(const HandoverState& state) {
  Json json{
      {"version", kStateVersion},     {"host", state.host},           {"ws_port", state.ws_port},
      {"http_port", state.http_port}, {"locked", state.locked},       {"sessions", Json::array()},
      {"projects", Json::array()},    {"connections", Json::array()}, {"requests", Json::array()}};
  for (const auto& [slot, books] : state.books)
    json["sessions"].push_back({{"slot", slot}, {"books", books}});
  for (const auto& project : state.projects) json["projects"].push_back(to_json(project));
  for (const auto& connection : state.connections)
    json["connections"].push_back(
        {{"session", connection.session}, {"state", bytes_json(connection.state)}});
  for (const auto& request : state.requests)
    json["requests"].push_back(
        {{"operator_port", request.operator_port}, {"received", bytes_json(request.received)}});
  std::string out;
  Json::to_cbor(json, out);
  return out;
}

Result<HandoverState> handover_state_from_cbor(std::string_view bytes) {
  const Json json = Json::from_cbor(bytes, /*strict=*/true, /*allow_exceptions=*/false);
  if (!json.is_object()) return wrong("not a CBOR map");
  const auto version = read_integer(json, "version", 0, 1'000'000);
  if (!version || *version < kOldestStateVersion || *version > kStateVersion)
    return wrong("version " + std::to_string(version.value_or(-1)) + "; this program reads " +
                 std::to_string(kOldestStateVersion) + " to " + std::to_string(kStateVersion));
  HandoverState state;
  state.host = read_string(json, "host").value_or("");
  state.ws_port = static_cast<std::uint16_t>(read_integer(json, "ws_port", 0, 65535).value_or(0));
  state.http_port =
      static_cast<std::uint16_t>(read_integer(json, "http_port", 0, 65535).value_or(0));
  state.locked = read_bool(json, "locked").value_or(false);
  if (auto read = read_books(json, state); !read) return read.error();
  for (const Json& entry : array_in(json, "projects")) {
    auto project = project_from_json(entry);
    if (!project) return project.error();
    state.projects.push_back(std::move(*project));
  }
  if (auto read = read_connections(json, state); !read) return read.error();
  return state;
}

}  // namespace term::server
