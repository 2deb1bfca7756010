// GET /api/admin/sessions: what an operator compares before and after a procedure.

#include <map>
#include <nlohmann/json.hpp>

#include "server/owners_json.h"
#include "server/routes.h"
#include "server/service.h"
#include "session/types.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

/// A session as this shard has it at this moment.
Json session_json(const Session& session) {
  Json input = Json::object();
  if (const auto record = session.streams().export_session(session.id()))
    for (const auto& [client, offsets] : record->input) input[client] = offsets.written;
  return {{"id", session.id()},
          {"project", session.project()},
          {"pid", session.pid()},
          {"engine", owners_json(session.owners())},
          {"first_offset", session.ring().first()},
          {"next_offset", session.ring().next()},
          {"input", input},
          {"viewers", session.viewers().size()}};
}

net::awaitable<Response> sessions(Service& service, Request) {
  using Part = std::map<SessionId, Json>;
  auto take = [](Shard& shard) {
    Part part;
    for (const auto& session : shard.sessions->live()) part[session->id()] = session_json(*session);
    return part;
  };
  auto parts = co_await service.shards().gather(std::move(take));
  Part sorted;
  for (Part& part : parts) sorted.merge(part);
  Json all = Json::array();
  for (auto& [id, session] : sorted) all.push_back(std::move(session));
  co_return json_response(200, {{"count", all.size()}, {"sessions", all}});
}

}  // namespace

void add_session_routes(Router& router, Service& service) {
  router.add("GET", "/api/admin/sessions",
             [&service](Request request) { return sessions(service, std::move(request)); });
}

}  // namespace term::server
