// GET /api/admin/audit: who did what, newest first (PROTOCOLS.md 4).

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/routes.h"
#include "server/service.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Rows = Result<std::vector<store::AuditRow>>;

constexpr std::size_t kMaxRows = 10'000;
constexpr std::chrono::seconds kAnswerTime{5};

/// The writer's thread leaves the answer here and wakes the waiting shard.
struct Waiting {
  explicit Waiting(net::io_context& io) : io(io), timer(io, kAnswerTime) {}
  net::io_context& io;
  net::steady_timer timer;
  std::optional<Rows> rows;
};

net::awaitable<Rows> newest(Service& service, std::size_t limit) {
  auto waiting = std::make_shared<Waiting>(service.shards().first());
  service.persistence()->writer().ask([waiting, limit](Result<store::Store*> store) {
    auto rows = store ? (*store)->audit(limit) : Rows(store.error());
    net::post(waiting->io, [waiting, rows = std::move(rows)]() mutable {
      waiting->rows = std::move(rows);
      waiting->timer.cancel();
    });
  });
  if (!waiting->rows) co_await waiting->timer.async_wait(kNoThrow);
  if (!waiting->rows)
    co_return Error{Errc::store_unavailable,
                    "the store does not answer: " + service.persistence()->status().reason,
                    std::chrono::duration_cast<Millis>(kAnswerTime)};
  co_return std::move(*waiting->rows);
}

net::awaitable<Response> audit(Service& service, Request request) {
  const std::string text = request.query("limit", "100");
  std::size_t limit = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (wrong != std::errc() || end != text.data() + text.size() || limit > kMaxRows)
    co_return error_response(
        {Errc::bad_argument, "limit must be a number from 0 to " + std::to_string(kMaxRows)});
  if (service.persistence() == nullptr)
    co_return error_response(
        {Errc::store_unavailable, "there is no store: the service has no TERMINAL_STATE_DIR"});
  const auto rows = co_await newest(service, limit);
  if (!rows) co_return error_response(rows.error());
  Json list = Json::array();
  for (const auto& row : *rows)
    list.push_back({{"sequence", row.sequence},
                    {"at", iso_time(row.at)},
                    {"who", row.who},
                    {"from", row.from},
                    {"action", row.action},
                    {"detail", row.detail},
                    {"result", row.result}});
  co_return json_response(200, {{"audit", list}});
}

}  // namespace

void add_audit_routes(Router& router, Service& service) {
  router.add("GET", "/api/admin/audit",
             [&service](Request request) { return audit(service, std::move(request)); });
}

}  // namespace term::server
