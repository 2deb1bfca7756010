#pragma once
// A request on its way in, for the two sources of HttpServer that know Beast's HTTP.

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/http_client.h"

namespace term::server {

/// The head, and once it is known what to do with it, the whole body.
struct HttpServer::Parser {
  boost::beast::http::request_parser<boost::beast::http::empty_body> head;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> whole;
};

/// A request's body as a route reads it, piece by piece.
class HttpServer::Incoming final : public Pieces {
 public:
  /// `expects`: the client waits for a 100 before it sends anything. `time`: for each piece.
  Incoming(std::shared_ptr<Client> client, Parser& parser, bool expects, Millis time);
  net::awaitable<Result<std::string>> next() override;
  bool ready() const override;
  /// Nothing of it is left on the connection.
  bool over() const { return parser_.is_done(); }

 private:
  std::shared_ptr<Client> client_;
  boost::beast::http::request_parser<boost::beast::http::buffer_body> parser_;
  bool expects_;
  Millis time_;
};

/// Answers `Expect: 100-continue`.
net::awaitable<boost::system::error_code> say_continue(net::ip::tcp::socket& socket);

/// The head of a response, with `Body`'s body empty.
template <class Body>
boost::beast::http::response<Body> head_of(const Response& response, unsigned version, bool keep) {
  namespace http = boost::beast::http;
  http::response<Body> out{static_cast<http::status>(response.status), version};
  out.set(http::field::server, "terminal-service");
  out.set(http::field::content_type, response.content_type);
  out.set("X-Content-Type-Options", "nosniff");
  out.set("Referrer-Policy", "no-referrer");
  for (const auto& [name, value] : response.headers) out.set(name, value);
  if (out.find(http::field::cache_control) == out.end())
    out.set(http::field::cache_control, "no-store");
  out.keep_alive(keep);
  return out;
}

}  // namespace term::server
