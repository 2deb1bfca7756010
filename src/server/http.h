#pragma once
// HTTP as the routes see it: plain values, no library.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/types.h"

namespace term::server {

namespace net = boost::asio;

using Query = std::map<std::string, std::string, std::less<>>;

/// A request target, split and percent-decoded once.
struct Target {
  std::string path;  ///< Decoded; begins with `/`.
  Query query;       ///< Last occurrence of a name wins.
};
/// Errors: bad_argument (a broken escape, a NUL, not origin-form).
Result<Target> parse_target(std::string_view target);

/// A body in pieces, asked for one at a time: the next one is made or read once the last one is
/// sent or used, so whoever is slower sets the pace. Thread: the first shard's.
class Pieces {
 public:
  virtual ~Pieces() = default;
  /// The next piece; an empty one is the end. Not called again after the end or an error.
  /// Errors: of a response, whatever stopped it: the connection is cut, so that the receiver knows
  /// that something is missing. Of a request: bad_argument (malformed), os_error (it broke off).
  virtual net::awaitable<Result<std::string>> next() = 0;
  /// A part of the next piece is here already. False if nobody can tell.
  virtual bool ready() const { return false; }
  /// Has no end of its own (server-sent events): it is stopped when the receiver goes away, for a
  /// hand-over, and at the end of the service.
  virtual bool endless() const { return false; }
  /// Makes the next() that waits, and every later one, give the end. Called only if endless().
  virtual void stop() {}
};

struct Request {
  std::string method;
  Target target;
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;
  /// The body instead, where the route was added with Body::in_pieces. What is left of it unread
  /// when the answer is given is dropped with the connection.
  std::shared_ptr<Pieces> pieces;
  std::map<std::string, std::string> parts;  ///< What `{name}` in the route's pattern matched.
  std::string peer;                          ///< Address of the other end.
  bool operator_port = false;                ///< Came in on :4000.

  std::string_view header(const std::string& lower_case_name) const;
  std::string query(std::string_view name, std::string_view fallback = {}) const;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<Pieces> pieces;  ///< The body instead: sent chunked, as it comes.
};

/// An upgrade request, kept whole: what accepting the WebSocket needs, wherever that happens.
struct Upgrade {
  std::string raw_target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string leftover;                ///< Bytes after the request's head, already read.
  std::vector<std::string> protocols;  ///< Offered subprotocols, in order.
  Target target;
  std::string bearer;  ///< From `Authorization: Bearer`, if any.
};

Response json_response(unsigned status, const nlohmann::json& body);
/// `{"success": false, error, code}` for statuses that no Errc stands for.
Response json_response_text(unsigned status, std::string_view code, std::string_view error);
/// `{"success": false, "error", "code"}` with the status of STYLE.md's table, and Retry-After.
Response error_response(const Error& error);

using Handler = std::function<net::awaitable<Response>(Request)>;

/// How a route takes the bodies of its requests: whole and bounded by the configuration, or as they
/// come and unbounded (Request::pieces).
enum class Body : std::uint8_t { whole, in_pieces };

/// Routes by method and pattern; `{name}` matches one segment.
class Router {
 public:
  void add(std::string method, std::string pattern, Handler handler, Body body = Body::whole);
  /// Does a route take the body of this request in pieces?
  bool in_pieces(std::string_view method, std::string_view path) const;
  /// 404 or 405 (with Allow) when nothing matches.
  net::awaitable<Response> handle(Request request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
    Body body = Body::whole;
  };
  std::vector<Route> routes_;
};

/// The one table from errors to HTTP statuses and to WebSocket close codes.
unsigned http_status(Errc code);
int close_code(Errc code);

}  // namespace term::server
