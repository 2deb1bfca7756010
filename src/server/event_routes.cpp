// GET /api/events: what happens, as server-sent events.

#include "server/monitor.h"
#include "server/routes.h"
#include "server/service.h"

namespace term::server {

namespace {

net::awaitable<Response> events(Service& service, Request) {
  auto listener = service.monitor().events().listen();
  if (!listener) co_return error_response(listener.error());
  Response response;
  response.content_type = "text/event-stream";
  response.pieces = std::move(*listener);
  co_return response;
}

}  // namespace

void add_event_routes(Router& router, Service& service) {
  router.add("GET", "/api/events",
             [&service](Request request) { return events(service, std::move(request)); });
}

}  // namespace term::server
