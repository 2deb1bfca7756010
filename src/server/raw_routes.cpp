// /terminals: what pages around @xterm/addon-attach call (reference/peers.md 1.15).

#include <charconv>

#include "server/routes.h"
#include "server/service.h"
#include "session/ids.h"

namespace term::server {

namespace {

using Reply = net::awaitable<Response>;

Result<WindowSize> size_of(const Request& request) {
  const auto number = [&](const char* name, std::uint16_t fallback) -> std::uint16_t {
    const std::string text = request.query(name);
    if (text.empty()) return fallback;
    std::uint16_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc{} && end == text.data() + text.size() ? value : std::uint16_t{0};
  };
  const WindowSize size{.rows = number("rows", 24), .cols = number("cols", 80)};
  if (!valid(size)) return Error{Errc::bad_argument, "cols and rows must be 1 to 1000"};
  return size;
}

Response plain(std::string text) {
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

Reply create(Service& service, Request request) {
  auto size = size_of(request);
  if (!size) co_return error_response(size.error());
  OpenRequest open;
  open.id = make_session_id(service.now());
  open.size = *size;
  const auto record = co_await service.operations().create(std::move(open));
  if (!record) co_return error_response(record.error());
  co_return plain(record->id);
}

Reply resize(Service& service, Request request) {
  auto size = size_of(request);
  if (!size) co_return error_response(size.error());
  const auto done = co_await service.operations().resize(request.parts.at("id"), *size);
  if (!done) co_return error_response(done.error());
  co_return plain("");
}

}  // namespace

void add_raw_routes(Router& router, Service& service) {
  router.add("POST", "/terminals",
             [&service](Request request) { return create(service, std::move(request)); });
  router.add("POST", "/terminals/{id}/size",
             [&service](Request request) { return resize(service, std::move(request)); });
}

}  // namespace term::server
