// /api/admin/maintenance/* and /api/admin/traffic (PROTOCOLS.md 4).

#include <nlohmann/json.hpp>

#include "server/json_read.h"
#include "server/routes.h"
#include "server/service.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;

constexpr std::size_t kMaxBody = 64 * 1024;
constexpr std::size_t kMaxMessage = 1024;
constexpr std::size_t kMaxEta = 256;

Response answer(Service& service) {
  return json_response(
      200, {{"success", true}, {"admission", admission_json(service.admission().rules())}});
}

Result<std::string> read_text(const Json& body, const char* name, std::size_t most) {
  if (!body.contains(name)) return std::string{};
  auto text = read_string(body, name);
  if (!text || text->size() > most)
    return Error{Errc::bad_argument, std::string(name) + " must be a string of at most " +
                                         std::to_string(most) + " bytes"};
  return std::move(*text);
}

Result<Json> read_body(const Request& request, std::initializer_list<std::string_view> known) {
  auto body =
      request.body.empty() ? Result<Json>(Json::object()) : parse_object(request.body, kMaxBody);
  if (!body) return body;
  for (const auto& [name, value] : body->items())
    if (std::ranges::find(known, name) == known.end())
      return Error{Errc::bad_argument, "unknown field \"" + name.substr(0, 64) + "\""};
  return body;
}

Reply enable(Service& service, Request request) {
  const auto body = read_body(request, {"message", "eta"});
  if (!body) co_return error_response(body.error());
  auto message = read_text(*body, "message", kMaxMessage);
  auto eta = read_text(*body, "eta", kMaxEta);
  if (!message) co_return error_response(message.error());
  if (!eta) co_return error_response(eta.error());
  co_await service.admission().enable(std::move(*message), std::move(*eta), request.peer);
  co_return answer(service);
}

Reply disable(Service& service, Request request) {
  co_await service.admission().disable(request.peer);
  co_return answer(service);
}

Reply traffic(Service& service, Request request) {
  const auto body = read_body(request, {"percentage"});
  if (!body) co_return error_response(body.error());
  const auto percentage = read_integer(*body, "percentage", 0, 100);
  if (!percentage)
    co_return error_response(
        {Errc::bad_argument, "percentage must be there and be a whole number, 0 to 100"});
  co_await service.admission().admit_share(static_cast<int>(*percentage), request.peer);
  co_return answer(service);
}

Reply get(Service& service, Request) {
  co_return json_response(200, admission_json(service.admission().rules()));
}

}  // namespace

void add_admission_routes(Router& router, Service& service) {
  using Function = Reply (*)(Service&, Request);
  const auto add = [&](const char* method, const char* path, Function function) {
    router.add(method, path, [&service, function](Request request) {
      return function(service, std::move(request));
    });
  };
  add("POST", "/api/admin/maintenance/enable", enable);
  add("POST", "/api/admin/maintenance/disable", disable);
  add("POST", "/api/admin/traffic", traffic);
  add("GET", "/api/admin/maintenance", get);
  add("GET", "/api/admin/traffic", get);
}

}  // namespace term::server
