// The only user of Beast's HTTP, beside the handshake of a WebSocket.

#include "server/http_server.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "server/connection.h"
#include "server/http_client.h"
#include "session/ids.h"

namespace term::server {

namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t kMaxHead = 16 * 1024;
constexpr std::size_t kMaxFields = 64;
constexpr auto kBodyTime = std::chrono::seconds(30);
constexpr auto kIdleTime = std::chrono::seconds(30);
constexpr auto kLingerTime = std::chrono::seconds(5);

/// Takes Beast's request apart, so that nothing else needs to know it.
HttpHead to_head(http::request_parser<http::string_body>& parser) {
  HttpHead head;
  head.announces_body = parser.chunked() || parser.content_length().has_value();
  auto request = parser.release();
  head.method = request.method_string();
  head.raw_target = request.target();
  head.version = request.version();
  head.keep_alive = request.keep_alive();
  for (const auto& field : request)
    head.fields.emplace_back(lower_case(field.name_string()), field.value());
  head.body = std::move(request.body());
  return head;
}

bool says_websocket(std::string_view upgrade_field) {
  return lower_case(upgrade_field).find("websocket") != std::string::npos;
}

http::response<http::string_body> to_beast(const Response& response, unsigned version, bool keep) {
  http::response<http::string_body> out{static_cast<http::status>(response.status), version};
  out.set(http::field::server, "terminal-service");
  out.set(http::field::content_type, response.content_type);
  out.set("X-Content-Type-Options", "nosniff");
  out.set("Referrer-Policy", "no-referrer");
  for (const auto& [name, value] : response.headers) out.set(name, value);
  if (out.find(http::field::cache_control) == out.end())
    out.set(http::field::cache_control, "no-store");
  out.keep_alive(keep);
  out.body() = response.body;
  out.prepare_payload();
  return out;
}

}  // namespace

struct HttpServer::Parser {
  http::request_parser<http::string_body> beast;
};

HttpServer::HttpServer(Operations& operations, const Router& router, bool operator_port)
    : operations_(operations),
      router_(router),
      operator_port_(operator_port),
      gate_(operations.config(), operator_port),
      acceptor_(operations.shards().first()),
      thawed_(operations.shards().first().get_executor()) {}

net::awaitable<void> HttpServer::serve(std::shared_ptr<Client> client) {
  const Counted active(active_);
  client->expire_after(operations_.config().handshake_timeout, client);
  for (;;) {
    const bool again = co_await serve_one(client);
    client->answering.reset();
    if (!again || stopping_) break;
    enlist(client);
    client->expire_after(kIdleTime, client);
  }
  if (client->socket.is_open() && !stopping_) co_await linger(client);
  delist(client);
  client->deadline.cancel();
}

net::awaitable<void> HttpServer::linger(std::shared_ptr<Client> client) {
  boost::system::error_code ec;
  client->socket.shutdown(net::ip::tcp::socket::shutdown_send, ec);
  client->lingers = true;
  enlist(client);
  client->expire_after(kLingerTime, client);
  for (std::array<char, 4096> scrap{}; !ec;) {
    auto [error, n] = co_await client->socket.async_read_some(net::buffer(scrap), kNoThrow);
    ec = error;
  }
}

net::awaitable<void> HttpServer::complain(std::shared_ptr<Client> client,
                                          boost::system::error_code ec) {
  if (ec == http::error::end_of_stream ||
      ec.category() != make_error_code(http::error::end_of_stream).category())
    co_return;  // It merely ended.
  Response no = error_response({Errc::bad_argument, "malformed request: " + ec.message()});
  if (ec == http::error::header_limit) no = json_response_text(431, "too_big", "head too large");
  if (ec == http::error::body_limit) no = json_response_text(413, "too_big", "body too large");
  auto message = to_beast(no, 11, false);
  co_await http::async_write(client->socket, message, kNoThrow);
}

net::awaitable<boost::system::error_code> HttpServer::read_head(std::shared_ptr<Client> client,
                                                                std::unique_ptr<Parser>& parser) {
  for (;;) {
    while (frozen_) co_await thawed_.wait();
    parser = std::make_unique<Parser>();
    parser->beast.header_limit(kMaxHead);
    parser->beast.body_limit(operations_.config().max_message_bytes);
    auto [ec, bytes] =
        co_await http::async_read_header(client->socket, client->buffer, parser->beast, kNoThrow);
    // Cut short by freeze(). Beast takes nothing out of the buffer before the head is whole.
    if (ec != net::error::operation_aborted || !frozen_ || !client->socket.is_open()) co_return ec;
  }
}

net::awaitable<std::optional<HttpHead>> HttpServer::receive(std::shared_ptr<Client> client) {
  std::unique_ptr<Parser> kept;
  const auto head_error = co_await read_head(client, kept);
  auto& parser = kept->beast;
  delist(client);
  client->answering.emplace(answering_);
  if (head_error) {
    if (client->timed_out) ++counts_.timeouts;
    co_await complain(client, head_error);
    co_return std::nullopt;
  }
  ++counts_.requests;
  client->expire_after(kBodyTime, client);
  if (!says_websocket(
          parser.get()[http::field::upgrade])) {  // What follows an upgrade is not ours to read.
    auto [body_error, body_bytes] =
        co_await http::async_read(client->socket, client->buffer, parser, kNoThrow);
    if (body_error) {
      co_await complain(client, body_error);
      co_return std::nullopt;
    }
  }
  HttpHead head = to_head(parser);
  head.peer = client->peer;
  head.loopback = client->loopback;
  co_return head;
}

std::optional<Response> HttpServer::refuse(const HttpHead& head, const Result<Target>& target) {
  if (auto sender = gate_.check_sender(head); !sender) {
    ++counts_.refused_origins;
    spdlog::warn("http.refused port={} peer={} why=\"{}\"", port_, head.peer,
                 sender.error().detail);
    return error_response(sender.error());
  }
  if (!target) return error_response(target.error());
  if (head.fields.size() > kMaxFields)
    return json_response_text(431, "too_big", "more than 64 header fields");
  if (wants_websocket(head)) {
    if (head.announces_body)
      return error_response({Errc::bad_argument, "an upgrade request has no body"});
    return std::nullopt;
  }
  // Its body was left unread: it must not be taken for another request.
  if (says_websocket(head.value("upgrade")))
    return error_response({Errc::bad_argument, "an upgrade is a GET with Connection: Upgrade"});
  if (auto may = gate_.check_token(head, target->path); !may) {
    auto response = json_response_text(401, "unauthorized", may.error().detail);
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  return std::nullopt;
}

std::optional<HttpServer::Call> HttpServer::call_of(const HttpHead& head,
                                                    const Result<Target>& target) const {
  constexpr std::size_t kMaxPath = 256;
  if (!on_call_ || head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS")
    return std::nullopt;
  Call call{.method = head.method.substr(0, 16), .path = {}, .peer = head.peer, .body = head.body};
  call.path = (target ? target->path : head.raw_target).substr(0, kMaxPath);
  return call;
}

net::awaitable<bool> HttpServer::serve_one(std::shared_ptr<Client> client) {
  auto head = co_await receive(client);
  if (!head) co_return false;
  auto target = parse_target(head->raw_target);
  const unsigned version = head->version;
  const bool upgrade = wants_websocket(*head);
  auto response = refuse(*head, target);
  auto call = call_of(*head, target);
  const bool keep = head->keep_alive && !upgrade && !(response && response->status != 401);
  if (!response && upgrade) {
    std::string leftover(static_cast<const char*>(client->buffer.data().data()),
                         client->buffer.size());
    response =
        hand_over(*client, to_upgrade(std::move(*head), std::move(*target), std::move(leftover)));
    if (!response) co_return false;  // It is the shard's now.
  }
  if (!response)
    response =
        co_await router_.handle(to_request(std::move(*head), std::move(*target), operator_port_));
  if (call) {
    call->status = response->status;
    on_call_(*call);
  }
  client->expire_after(kBodyTime, client);
  auto message = to_beast(*response, version, keep && !stopping_);
  auto [write_error, written] = co_await http::async_write(client->socket, message, kNoThrow);
  co_return !write_error && keep;
}

std::optional<Response> HttpServer::hand_over(Client& client, Upgrade upgrade) {
  if (operator_port_)
    return error_response({Errc::bad_argument, "no WebSocket here; use the user port"});
  auto choice = choose_dialect(upgrade);
  if (!choice && choice.error().code != Errc::bad_id) return error_response(choice.error());
  SessionId id;
  if (choice) {
    if (choice->session.empty()) choice->session = make_session_id(operations_.now());
    id = choice->session;
  }
  client.deadline.cancel();
  Shard& shard = operations_.shards().of(id);
  const auto protocol = client.socket.local_endpoint().protocol();
  boost::system::error_code ec;
  const int fd = client.socket.release(ec);
  if (ec) return error_response({Errc::internal, "cannot release the socket: " + ec.message()});
  auto go = [this, &shard, protocol, fd, up = std::move(upgrade),
             picked = std::move(choice)]() mutable {
    net::ip::tcp::socket socket(shard.io, protocol, fd);
    if (picked) {
      serve_websocket(shard, operations_, std::move(socket), std::move(up), std::move(*picked));
    } else {
      refuse_websocket(shard, operations_, std::move(socket), std::move(up),
                       close_code(picked.error().code), picked.error().detail);
    }
  };
  net::post(shard.io, std::move(go));
  return std::nullopt;
}

}  // namespace term::server
