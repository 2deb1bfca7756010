#include "server/http.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>

namespace term::server {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

/// Decoded segments of an already decoded path would let `%2F` make new ones, so patterns are
/// matched against segments split here and nothing else; ids with a slash cannot match.
std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  std::size_t at = 1;
  while (at <= path.size()) {
    const auto slash = std::min(path.find('/', at), path.size());
    segments.emplace_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return segments;
}

bool is_part(const std::string& pattern) { return pattern.size() > 2 && pattern.front() == '{'; }

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  return std::ranges::equal(pattern, segments,
                            [](const std::string& want, const std::string& segment) {
                              return is_part(want) || want == segment;
                            });
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
  const auto bad = [&] {
    return Error{Errc::bad_argument, "malformed request target \"" +
                                         std::string(target.substr(0, 200)) +
                                         "\": expected /path with valid %XX escapes"};
  };
  if (target.empty() || target.front() != '/') return bad();
  const auto mark = target.find('?');
  Target parsed;
  auto path = percent_decode(target.substr(0, mark), false);
  if (!path || path->find('\0') != std::string::npos) return bad();
  parsed.path = std::move(*path);
  if (mark == std::string_view::npos) return parsed;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, end);
    const auto equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                  : percent_decode(pair.substr(equals + 1), true);
    if (!name || !value) return bad();
    if (!name->empty()) parsed.query[*name] = *value;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return parsed;
}

std::string_view Request::header(const std::string& lower_case_name) const {
  const auto it = headers.find(lower_case_name);
  return it == headers.end() ? std::string_view{} : std::string_view(it->second);
}

std::string Request::query(std::string_view name, std::string_view fallback) const {
  const auto it = target.query.find(name);
  return it == target.query.end() ? std::string(fallback) : it->second;
}

Response json_response(unsigned status, const nlohmann::json& body) {
  Response response;
  response.status = status;
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

Response json_response_text(unsigned status, std::string_view code, std::string_view error) {
  return json_response(status, {{"success", false}, {"error", error}, {"code", code}});
}

Response error_response(const Error& error) {
  Response response = json_response(
      http_status(error.code),
      {{"success", false}, {"error", error.detail}, {"code", std::string(to_string(error.code))}});
  if (error.retry_after.count() > 0)
    response.headers.emplace_back("Retry-After",
                                  std::to_string((error.retry_after.count() + 999) / 1000));
  return response;
}

void Router::add(std::string method, std::string pattern, Handler handler, Body body) {
  routes_.push_back({std::move(method), segments_of(pattern), std::move(handler), body});
}

bool Router::in_pieces(std::string_view method, std::string_view path) const {
  const auto segments = segments_of(path);
  return std::ranges::any_of(routes_, [&](const Route& route) {
    return route.body == Body::in_pieces && route.method == method &&
           matches(route.segments, segments);
  });
}

net::awaitable<Response> Router::handle(Request request) const {
  const auto segments = segments_of(request.target.path);
  std::string allow;
  for (const Route& route : routes_) {
    if (!matches(route.segments, segments)) continue;
    if (route.method != request.method) {
      allow += (allow.empty() ? "" : ", ") + route.method;
      continue;
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::string& want = route.segments[i];
      if (is_part(want)) request.parts[want.substr(1, want.size() - 2)] = segments[i];
    }
    co_return co_await route.handler(std::move(request));
  }
  if (!allow.empty()) {
    Response response = json_response_text(405, "method_not_allowed", "use " + allow);
    response.headers.emplace_back("Allow", allow);
    co_return response;
  }
  co_return json_response_text(404, "not_found", "no such route: " + request.target.path);
}

unsigned http_status(Errc code) {
  switch (code) {
    case Errc::no_such_session:
      return 404;
    case Errc::session_exists:
    case Errc::bad_transition:
    case Errc::busy:
    case Errc::overridden:
      return 409;
    case Errc::bad_id:
    case Errc::bad_argument:
    case Errc::bad_snapshot:
      return 400;
    case Errc::limit_reached:
    case Errc::rate_limited:
      return 429;
    case Errc::breaker_open:
    case Errc::no_shell:
    case Errc::os_error:
    case Errc::maintenance:
    case Errc::not_admitted:
    case Errc::store_unavailable:
      return 503;
    case Errc::not_permitted:
      return 403;
    case Errc::internal:
      return 500;
  }
  return 500;
}

int close_code(Errc code) {
  switch (code) {
    case Errc::no_such_session:
      return 4404;
    case Errc::bad_id:
    case Errc::bad_argument:
    case Errc::not_permitted:
      return 1008;
    case Errc::limit_reached:
    case Errc::rate_limited:
    case Errc::breaker_open:
    case Errc::busy:
    case Errc::session_exists:
    case Errc::maintenance:
    case Errc::not_admitted:
    case Errc::store_unavailable:
      return 1013;
    case Errc::no_shell:
    case Errc::os_error:
      return 4000;
    case Errc::bad_transition:
    case Errc::bad_snapshot:
    case Errc::overridden:
    case Errc::internal:
      return 1011;
  }
  return 1011;
}

}  // namespace term::server
