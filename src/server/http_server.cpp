// Requests and whole bodies by Beast's HTTP; bodies in pieces are in http_pieces.cpp.

#include "server/http_server.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include "server/connection.h"
#include "server/http_incoming.h"
#include "session/ids.h"

namespace term::server {

namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t kMaxHead = 16 * 1024;
constexpr std::size_t kMaxFields = 64;
constexpr auto kIdleTime = std::chrono::seconds(30);
constexpr auto kLingerTime = std::chrono::seconds(5);

/// Takes Beast's request apart, so that nothing else needs to know it.
HttpHead to_head(const http::request_parser<http::empty_body>& parser) {
  HttpHead head;
  const auto& request = parser.get();
  head.announces_body = parser.chunked() || parser.content_length().has_value();
  head.method = request.method_string();
  head.raw_target = request.target();
  head.version = request.version();
  head.keep_alive = request.keep_alive();
  for (const auto& field : request)
    head.fields.emplace_back(lower_case(field.name_string()), field.value());
  return head;
}

bool says_websocket(std::string_view upgrade_field) {
  return lower_case(upgrade_field).find("websocket") != std::string::npos;
}

http::response<http::string_body> to_beast(const Response& response, unsigned version, bool keep) {
  auto out = head_of<http::string_body>(response, version, keep);
  out.body() = response.body;
  out.prepare_payload();
  return out;
}

bool expects_continue(const HttpHead& head) {
  return head.version >= 11 && lower_case(head.value("expect")) == "100-continue";
}

}  // namespace

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
                                                                std::shared_ptr<Parser>& parser) {
  for (;;) {
    while (frozen_) co_await thawed_.wait();
    parser = std::make_shared<Parser>();
    parser->head.header_limit(kMaxHead);
    parser->head.body_limit(boost::none);  // Which limit there is, the route says.
    auto [ec, bytes] =
        co_await http::async_read_header(client->socket, client->buffer, parser->head, kNoThrow);
    // Cut short by freeze(). Beast takes nothing out of the buffer before the head is whole.
    if (ec != net::error::operation_aborted || !frozen_ || !client->socket.is_open()) co_return ec;
  }
}

net::awaitable<boost::system::error_code> HttpServer::receive_body(std::shared_ptr<Client> client,
                                                                   std::shared_ptr<Parser> parser,
                                                                   bool expects) {
  const std::uint64_t limit = operations_.config().max_message_bytes;
  if (parser->head.content_length().value_or(0) > limit) co_return http::error::body_limit;
  if (expects && !parser->head.is_done())
    if (const auto failed = co_await say_continue(client->socket)) co_return failed;
  parser->whole.emplace(std::move(parser->head));
  parser->whole->body_limit(limit);
  auto [ec, n] =
      co_await http::async_read(client->socket, client->buffer, *parser->whole, kNoThrow);
  co_return ec;
}

net::awaitable<std::optional<HttpServer::Received>> HttpServer::receive(
    std::shared_ptr<Client> client) {
  std::shared_ptr<Parser> parser;
  const auto head_error = co_await read_head(client, parser);
  delist(client);
  client->answering.emplace(answering_);
  if (head_error) {
    if (client->timed_out) ++counts_.timeouts;
    co_await complain(client, head_error);
    co_return std::nullopt;
  }
  ++counts_.requests;
  client->expire_after(body_time_, client);
  Received received{.head = to_head(parser->head), .body = nullptr};
  received.head.peer = client->peer;
  received.head.loopback = client->loopback;
  const bool expects = expects_continue(received.head);
  // What follows an upgrade is not ours to read.
  if (says_websocket(received.head.value("upgrade"))) co_return received;
  if (takes_pieces(received.head)) {
    client->deadline.cancel();
    received.body = std::make_shared<Incoming>(client, *parser, expects, body_time_);
    co_return received;
  }
  if (const auto ec = co_await receive_body(client, parser, expects)) {
    co_await complain(client, ec);
    co_return std::nullopt;
  }
  received.head.body = std::move(parser->whole->get().body());
  // An answer takes as long as it takes: an export behind a database that is slow, a flip of very
  // many.
  client->deadline.cancel();
  co_return received;
}

bool HttpServer::takes_pieces(const HttpHead& head) const {
  const auto target = parse_target(head.raw_target);
  return target && router_.in_pieces(head.method, target->path);
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
  auto received = co_await receive(client);
  if (!received) co_return false;
  HttpHead& head = received->head;
  auto target = parse_target(head.raw_target);
  const unsigned version = head.version;
  const bool upgrade = wants_websocket(head);
  auto response = refuse(head, target);
  auto call = call_of(head, target);
  bool keep = head.keep_alive && !upgrade && !(response && response->status != 401);
  if (!response && upgrade) {
    std::string leftover(static_cast<const char*>(client->buffer.data().data()),
                         client->buffer.size());
    response =
        hand_over(*client, to_upgrade(std::move(head), std::move(*target), std::move(leftover)));
    if (!response) co_return false;  // It is the shard's now.
  }
  if (!response) {
    Request request = to_request(std::move(head), std::move(*target), operator_port_);
    request.pieces = received->body;
    const auto place = begin_transfer(client, request.pieces);
    response = co_await router_.handle(std::move(request));
    end_transfer(place);
  }
  if (received->body && !received->body->over()) keep = false;
  received.reset();
  if (call) {
    call->status = response->status;
    on_call_(*call);
  }
  co_return co_await send(client, std::move(*response), version, keep && !stopping_);
}

std::optional<HttpServer::Transfers::iterator> HttpServer::begin_transfer(
    const std::shared_ptr<Client>& client, const std::shared_ptr<Pieces>& pieces) {
  if (!pieces) return std::nullopt;
  return transfers_.insert(transfers_.end(), {client, pieces});
}

void HttpServer::end_transfer(std::optional<Transfers::iterator> transfer) {
  if (transfer) transfers_.erase(*transfer);
}

net::awaitable<bool> HttpServer::send(std::shared_ptr<Client> client, Response response,
                                      unsigned version, bool keep) {
  client->expire_after(body_time_, client);
  if (response.pieces) {
    const auto place = begin_transfer(client, response.pieces);
    const bool again = co_await send_pieces(client, std::move(response), version, keep);
    end_transfer(place);
    co_return again;
  }
  auto message = to_beast(response, version, keep);
  auto [ec, written] = co_await http::async_write(client->socket, message, kNoThrow);
  co_return !ec && keep;
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
