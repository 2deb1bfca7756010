// /api/admin/routing: which engine of which service serves a session.

#include <nlohmann/json.hpp>

#include "server/engine_cache.h"
#include "server/owners_json.h"
#include "server/routes.h"
#include "server/service.h"
#include "session/ids.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;
using Verdict = EngineCache::Verdict;

struct Judged {
  Verdict verdict = Verdict::miss;
  std::optional<CachedRoute> route;  ///< What the cache said, where that was an entry.
};

Judged judge(const EngineCache::Lookup& lookup, const std::optional<Owners>& truth,
             const std::string& self) {
  if (lookup.failed) return {Verdict::error, {}};
  if (!lookup.text) return {Verdict::miss, {}};
  auto route = route_from_text(*lookup.text);
  if (!route) return {Verdict::wrong, {}};
  const bool right = truth ? *route == CachedRoute{*truth, self} : route->instance != self;
  return {right ? Verdict::hit : Verdict::wrong, std::move(route)};
}

Json route_json(const SessionId& id, const CachedRoute& route, bool verified, Verdict verdict) {
  constexpr const char* kVerdicts[] = {"hit", "miss", "wrong", "error"};
  return {{"sessionId", id},
          {"engine", owners_json(route.owners)},
          {"instance", route.instance},
          {"verified", verified},
          {"cache", kVerdicts[static_cast<std::size_t>(verdict)]}};
}

Reply route(Service& service, Request request) {
  const SessionId id = request.query("sessionId");
  if (!valid_session_id(id))
    co_return error_response({Errc::bad_id, "sessionId must be 1 to 128 of A-Z a-z 0-9 _ . -"});
  EngineCache& cache = service.cache();
  const auto lookup = co_await cache.find(id);
  auto ask = [id](Shard& shard) -> std::optional<Owners> {
    const auto session = shard.sessions->find(id);
    if (!session || !shard.sessions->registered(id)) return std::nullopt;
    return session->owners();
  };
  const auto truth = co_await service.shards().on(service.shards().of(id), std::move(ask));
  const Judged judged = judge(lookup, truth, cache.instance());
  cache.count(judged.verdict);
  if (truth) {
    if (judged.verdict != Verdict::hit) cache.put(id, *truth);
    const CachedRoute true_route{*truth, cache.instance()};
    co_return json_response(200, route_json(id, true_route, true, judged.verdict));
  }
  if (judged.verdict == Verdict::wrong) cache.erase(id);
  // Another service says that it has it; only that one can verify it.
  if (judged.verdict == Verdict::hit)
    co_return json_response(200, route_json(id, *judged.route, false, judged.verdict));
  co_return error_response(no_such_session(id));
}

}  // namespace

void add_routing_routes(Router& router, Service& service) {
  router.add("GET", "/api/admin/routing",
             [&service](Request r) { return route(service, std::move(r)); });
}

}  // namespace term::server
