#include "server/handover_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/cbor.h"
#include "server/handover_channel.h"
#include "session/sha256.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

void read_sessions(CborReader& in, HandoverState& state) {
  in.array([&] {
    std::uint64_t slot = 65536;
    std::string books;
    in.object([&](std::string_view key) {
      if (key == "slot") in.count(slot, 65535);
      if (key == "books") in.text(books);
    });
    if (slot > 65535 || books.empty()) in.refuse("{slot, books}");
    state.books.emplace(static_cast<std::uint32_t>(slot), std::move(books));
  });
}

void read_connections(CborReader& in, HandoverState& state) {
  in.array([&] {
    auto& connection = state.connections.emplace_back();
    in.object([&](std::string_view key) {
      if (key == "session") in.text(connection.session);
      if (key == "state") in.bytes(connection.state);
    });
    if (connection.session.empty()) in.refuse("{session, state}");
  });
}

void read_requests(CborReader& in, HandoverState& state) {
  in.array([&] {
    auto& request = state.requests.emplace_back();
    in.object([&](std::string_view key) {
      if (key == "operator_port") in.boolean(request.operator_port);
      if (key == "received") in.bytes(request.received);
    });
  });
}

void read_projects(CborReader& in, HandoverState& state) {
  in.array([&] {
    const Json json = Json::from_cbor(in.raw(), /*strict=*/true, /*allow_exceptions=*/false);
    auto project = project_from_json(json);
    if (!project) return in.refuse("a project: " + project.error().detail);
    state.projects.push_back(std::move(*project));
  });
}

void read_port(CborReader& in, std::uint16_t& port) {
  std::uint64_t read = port;
  in.count(read, 65535);
  port = static_cast<std::uint16_t>(read);
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
  std::size_t size = 4096;
  for (const auto& [slot, books] : state.books) size += books.size() + 32;
  for (const auto& connection : state.connections) size += connection.state.size() + 192;
  std::string text;
  text.reserve(size);
  CborWriter out(text);
  out.map(9);
  out.count("version", kStateVersion);
  out.text("host", state.host);
  out.count("ws_port", state.ws_port);
  out.count("http_port", state.http_port);
  out.boolean("locked", state.locked);
  out.text("sessions");
  out.array(state.books.size());
  for (const auto& [slot, books] : state.books) {
    out.map(2);
    out.count("slot", slot);
    out.text("books", books);
  }
  out.text("projects");
  out.array(state.projects.size());
  for (const auto& project : state.projects) {
    std::string one;
    Json::to_cbor(to_json(project), one);
    out.raw(one);
  }
  out.text("connections");
  out.array(state.connections.size());
  for (const auto& connection : state.connections) {
    out.map(2);
    out.text("session", connection.session);
    out.bytes("state", connection.state);
  }
  out.text("requests");
  out.array(state.requests.size());
  for (const auto& request : state.requests) {
    out.map(2);
    out.boolean("operator_port", request.operator_port);
    out.bytes("received", request.received);
  }
  return text;
}

Result<HandoverState> handover_state_from_cbor(std::string_view bytes) {
  HandoverState state;
  std::uint64_t version = 0;
  CborReader in(bytes, "the state of the hand-over: ");
  in.map([&](std::string_view key) {
    if (key == "version") in.count(version);
    if (key == "host") in.text(state.host);
    if (key == "ws_port") read_port(in, state.ws_port);
    if (key == "http_port") read_port(in, state.http_port);
    if (key == "locked") in.boolean(state.locked);
    if (key == "sessions") read_sessions(in, state);
    if (key == "projects") read_projects(in, state);
    if (key == "connections") read_connections(in, state);
    if (key == "requests") read_requests(in, state);
  });
  in.end();
  if (in.ok() && (version < kOldestStateVersion || version > kStateVersion))
    in.refuse("version", std::to_string(kOldestStateVersion) + " to " +
                             std::to_string(kStateVersion) + "; it has " + std::to_string(version));
  if (!in.ok()) return *in.error();
  return state;
}

}  // namespace term::server
