// /api/admin/parity: do both engines say the same of each session?

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>
#include <nlohmann/json.hpp>

#include "server/parity.h"
#include "server/report.h"
#include "server/routes.h"
#include "server/service.h"
#include "server/table_parity.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;

/// Comparisons before the shard's other work gets its turn; one takes some 10 µs.
constexpr std::size_t kPerTurn = 32;

net::awaitable<bool> check(Shard& shard) {
  // The round that ticks began may be half done; the second one has seen everything.
  for (int round = 0; round < 2; ++round)
    while (shard.sessions->compare_some(kPerTurn)) co_await net::post(shard.io, kNoThrow);
  co_return true;
}

Json difference_json(const adapter::ParityDifference& difference) {
  return {{"id", difference.id},
          {"field", difference.field},
          {"legacy", difference.legacy},
          {"refactored", difference.refactored}};
}

net::awaitable<std::vector<SessionId>> live_ids(Service& service) {
  auto take = [](Shard& shard) {
    std::vector<SessionId> ids;
    for (const auto& session : shard.sessions->live()) ids.push_back(session->id());
    return ids;
  };
  std::vector<SessionId> all;
  for (auto& part : co_await service.shards().gather(std::move(take)))
    std::ranges::move(part, std::back_inserter(all));
  co_return all;
}

Reply show(Service& service, Request) {
  const Report report = co_await gather_report(service, false);
  co_return json_response(200, parity_json(report.mirror));
}

Reply run(Service& service, Request) {
  Shards& shards = service.shards();
  for (std::size_t i = 0; i < shards.size(); ++i)
    co_await shards.run(shards.at(i), check(shards.at(i)));
  const Report report = co_await gather_report(service, false);
  Json json = parity_json(report.mirror);
  if (report.mirror.on && service.writer() != nullptr) {
    auto ids = co_await live_ids(service);
    const TableParity tables = co_await check_tables(*service.writer(), std::move(ids));
    json["tables"] = {
        {"compared", tables.compared}, {"differing", tables.differing}, {"error", tables.error}};
    for (const auto& difference : tables.differences)
      json["differences"].push_back(difference_json(difference));
  }
  co_return json_response(200, json);
}

}  // namespace

Json parity_json(const adapter::MirrorReport& report) {
  Json differences = Json::array();
  for (const auto& difference : report.differences)
    differences.push_back(difference_json(difference));
  return {{"enabled", report.on},
          {"sessions", report.mirrored},
          {"compared", report.compared},
          {"found", report.found},
          {"differing", report.differing},
          {"differences", differences},
          {"failed_operations", report.failures},
          {"newest_failure", report.newest_failure}};
}

void add_parity_routes(Router& router, Service& service) {
  router.add("GET", "/api/admin/parity",
             [&service](Request r) { return show(service, std::move(r)); });
  router.add("POST", "/api/admin/parity",
             [&service](Request r) { return run(service, std::move(r)); });
}

}  // namespace term::server
