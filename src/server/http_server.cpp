// The only user of Beast's HTTP, beside the handshake of a WebSocket.

#include "server/http_server.h"

#include <fcntl.h>
#include <openssl/crypto.h>
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
#include "session/ids.h"

namespace term::server {

namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t kMaxHead = 16 * 1024;
constexpr std::size_t kMaxFields = 64;
constexpr auto kBodyTime = std::chrono::seconds(30);
constexpr auto kIdleTime = std::chrono::seconds(30);
constexpr auto kLingerTime = std::chrono::seconds(5);

using HttpRequest = http::request<http::string_body>;

void close_on_exec(int fd) {
  ::fcntl(fd, F_SETFD, ::fcntl(fd, F_GETFD) | FD_CLOEXEC);  // NOLINT: variadic by POSIX
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return out;
}

/// Comma separated items, blanks trimmed; linear (reliability.md 1, header cost).
std::vector<std::string> list_items(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    auto item = text.substr(0, end);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

bool wants_websocket(const HttpRequest& request) {
  const auto upgrade = list_items(lower(request[http::field::upgrade]));
  const auto connection = list_items(lower(request[http::field::connection]));
  return request.method() == http::verb::get &&
         std::ranges::find(upgrade, "websocket") != upgrade.end() &&
         std::ranges::find(connection, "upgrade") != connection.end();
}

std::string bearer(const HttpRequest& request) {
  const std::string_view value = request[http::field::authorization];
  constexpr std::string_view kBearer = "Bearer ";
  return value.starts_with(kBearer) ? std::string(value.substr(kBearer.size())) : std::string{};
}

bool same_secret(std::string_view a, const std::optional<std::string>& b) {
  return b && a.size() == b->size() && CRYPTO_memcmp(a.data(), b->data(), a.size()) == 0;
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

struct HttpServer::Client {
  explicit Client(net::ip::tcp::socket s) : socket(std::move(s)), deadline(socket.get_executor()) {}

  /// The connection ends unless the deadline is moved in time.
  void expire_after(std::chrono::milliseconds time, const std::shared_ptr<Client>& self) {
    deadline.expires_after(time);
    deadline.async_wait([weak = std::weak_ptr(self)](const boost::system::error_code& ec) {
      if (const auto client = weak.lock(); client && !ec) client->drop(/*late=*/true);
    });
  }
  void drop(bool late = false) {
    timed_out = late;
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  net::ip::tcp::socket socket;
  net::steady_timer deadline;
  boost::beast::flat_buffer buffer;
  HttpRequest request;
  std::string peer;
  bool loopback = false;
  bool timed_out = false;  ///< Dropped for being slow, not for being the oldest.
  std::list<std::weak_ptr<Client>>::iterator place;
  bool listed = false;
};

HttpServer::HttpServer(Operations& operations, const Router& router, bool operator_port)
    : operations_(operations),
      router_(router),
      operator_port_(operator_port),
      acceptor_(operations.shards().first()) {}

Result<void> HttpServer::listen(const std::string& host, std::uint16_t port) {
  using net::ip::tcp;
  const auto failed = [&](const boost::system::error_code& ec, const char* what) {
    return Error{Errc::os_error,
                 std::string(what) + " " + host + ":" + std::to_string(port) + ": " + ec.message()};
  };
  boost::system::error_code ec;
  tcp::resolver resolver(acceptor_.get_executor());
  const auto found = resolver.resolve(host, std::to_string(port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, ec);
  if (ec || found.empty()) return failed(ec, "cannot resolve");
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), ec);
  if (ec) return failed(ec, "cannot open a socket for");
  close_on_exec(acceptor_.native_handle());
  acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  acceptor_.bind(endpoint, ec);
  if (ec) return failed(ec, "cannot bind");
  acceptor_.listen(4096, ec);
  if (ec) return failed(ec, "cannot listen on");
  port_ = acceptor_.local_endpoint(ec).port();
  return {};
}

void HttpServer::allow(std::vector<Origin> origins, std::vector<std::string> hosts) {
  origins_ = std::move(origins);
  hosts_ = std::move(hosts);
}

void HttpServer::start() { spawn_logged(acceptor_.get_executor(), "accept", accept_loop()); }

void HttpServer::stop() {
  stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (const auto& weak : half_open_)
    if (const auto client = weak.lock()) client->drop();
}

net::awaitable<void> HttpServer::accept_loop() {
  while (!stopping_) {
    auto [ec, socket] = co_await acceptor_.async_accept(kNoThrow);
    if (ec == net::error::operation_aborted) co_return;
    if (ec) {
      // Out of descriptors: what is there goes on, new ones wait in the backlog.
      spdlog::error("http.accept port={} ERROR {}", port_, ec.message());
      net::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(200));
      co_await pause.async_wait(kNoThrow);
      continue;
    }
    close_on_exec(socket.native_handle());
    boost::system::error_code ignored;
    socket.set_option(net::ip::tcp::no_delay(true), ignored);
    socket.set_option(net::socket_base::keep_alive(true), ignored);
    auto client = std::make_shared<Client>(std::move(socket));
    const auto endpoint = client->socket.remote_endpoint(ignored);
    client->peer = endpoint.address().to_string();
    client->loopback = endpoint.address().is_loopback();
    enlist(client);
    spawn_logged(acceptor_.get_executor(), "http", serve(client));
  }
}

void HttpServer::enlist(const std::shared_ptr<Client>& client) {
  if (half_open_.size() >= operations_.config().max_half_open) {
    // The oldest is the likeliest never to finish; a real client takes milliseconds.
    if (const auto oldest = half_open_.front().lock()) {
      oldest->drop();
      delist(oldest);
    } else {
      half_open_.pop_front();
    }
    ++counts_.half_open_dropped;
  }
  client->place = half_open_.insert(half_open_.end(), client);
  client->listed = true;
}

void HttpServer::delist(const std::shared_ptr<Client>& client) {
  if (!client->listed) return;
  half_open_.erase(client->place);
  client->listed = false;
}

net::awaitable<void> HttpServer::serve(std::shared_ptr<Client> client) {
  ++active_;
  client->expire_after(operations_.config().handshake_timeout, client);
  for (;;) {
    const bool again = co_await serve_one(client);
    if (!again || stopping_) break;
    enlist(client);
    client->expire_after(kIdleTime, client);
  }
  if (client->socket.is_open() && !stopping_) co_await linger(client);
  delist(client);
  client->deadline.cancel();
  --active_;
}

net::awaitable<void> HttpServer::linger(std::shared_ptr<Client> client) {
  boost::system::error_code ec;
  client->socket.shutdown(net::ip::tcp::socket::shutdown_send, ec);
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

net::awaitable<bool> HttpServer::serve_one(std::shared_ptr<Client> client) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(kMaxHead);
  parser.body_limit(operations_.config().max_message_bytes);
  auto [head_error, head_bytes] =
      co_await http::async_read_header(client->socket, client->buffer, parser, kNoThrow);
  delist(client);
  if (head_error) {
    if (client->timed_out) ++counts_.timeouts;
    co_await complain(client, head_error);
    co_return false;
  }
  ++counts_.requests;
  client->expire_after(kBodyTime, client);
  const bool upgrade = wants_websocket(parser.get());
  const bool plain = !parser.chunked() && !parser.content_length().has_value();
  if (!upgrade) {
    auto [body_error, body_bytes] =
        co_await http::async_read(client->socket, client->buffer, parser, kNoThrow);
    if (body_error) {
      co_await complain(client, body_error);
      co_return false;
    }
  }
  client->request = parser.release();
  const unsigned version = client->request.version();
  bool keep = client->request.keep_alive() && !upgrade;

  Request request;
  request.operator_port = operator_port_;
  Response response;
  auto target = parse_target(client->request.target());
  if (auto sender = check_sender(*client); !sender) {
    ++counts_.refused_origins;
    spdlog::warn("http.refused port={} peer={} why=\"{}\"", port_, client->peer,
                 sender.error().detail);
    response = error_response(sender.error());
    keep = false;
  } else if (!target) {
    response = error_response(target.error());
    keep = false;
  } else if (std::distance(client->request.begin(), client->request.end()) >
             static_cast<std::ptrdiff_t>(kMaxFields)) {
    response = json_response_text(431, "too_big", "more than 64 header fields");
    keep = false;
  } else if (upgrade && !plain) {
    response = error_response({Errc::bad_argument, "an upgrade request has no body"});
  } else if (upgrade) {
    Upgrade up;
    up.raw_target = client->request.target();
    for (const auto& field : client->request)
      up.headers.emplace_back(field.name_string(), field.value());
    up.leftover =
        std::string(static_cast<const char*>(client->buffer.data().data()), client->buffer.size());
    for (auto [it, last] = client->request.equal_range(http::field::sec_websocket_protocol);
         it != last; ++it)
      for (auto& item : list_items(it->value())) up.protocols.push_back(std::move(item));
    up.target = std::move(*target);
    up.bearer = bearer(client->request);
    up.operator_port = operator_port_;
    auto refused = hand_over(*client, std::move(up));
    if (!refused) co_return false;  // It is the shard's now.
    response = std::move(*refused);
  } else {
    request.method = client->request.method_string();
    request.target = std::move(*target);
    for (const auto& field : client->request)
      request.headers[lower(field.name_string())] = field.value();
    request.body = std::move(client->request.body());
    request.peer = client->peer;
    if (auto may = check_token(request, *client); !may) {
      response = json_response_text(401, "unauthorized", may.error().detail);
      response.headers.emplace_back("WWW-Authenticate", "Bearer");
    } else {
      response = co_await router_.handle(std::move(request));
    }
  }
  client->expire_after(kBodyTime, client);
  auto message = to_beast(response, version, keep && !stopping_);
  auto [write_error, written] = co_await http::async_write(client->socket, message, kNoThrow);
  co_return !write_error && keep;
}

Result<void> HttpServer::check_sender(const Client& client) const {
  const auto refuse = [](std::string why) { return Error{Errc::not_permitted, std::move(why)}; };
  const auto count = [&](http::field name) {
    const auto [first, last] = client.request.equal_range(name);
    return std::distance(first, last);
  };
  if (count(http::field::host) != 1 || !host_allowed(client.request[http::field::host], hosts_))
    return refuse("Host is not one of ours; add it with TERMINAL_ALLOWED_ORIGINS");
  if (count(http::field::origin) > 1) return refuse("more than one Origin");
  if (count(http::field::origin) == 1 &&
      !origin_allowed(client.request[http::field::origin], origins_))
    return refuse("Origin is not allowed; add it to TERMINAL_ALLOWED_ORIGINS");
  return {};
}

Result<void> HttpServer::check_token(const Request& request, const Client& client) const {
  const Config& config = operations_.config();
  const auto& path = request.target.path;
  const bool api =
      path.starts_with("/api/") || path.starts_with("/terminals") || path == "/metrics";
  const bool probe = path == "/api/health/live" || path == "/api/health/ready";
  if (!api || probe) return {};
  const std::string given = bearer(client.request);
  const bool admin_ok = same_secret(given, config.admin_token);
  if (operator_port_) {
    const bool user_api = path.starts_with("/api/terminal/") || path.starts_with("/terminals");
    if (admin_ok || (user_api && same_secret(given, config.token))) return {};
    if (!config.admin_token && client.loopback) return {};
    return Error{Errc::not_permitted, "send Authorization: Bearer with TERMINAL_ADMIN_TOKEN"};
  }
  if (!config.token || same_secret(given, config.token) || admin_ok) return {};
  return Error{Errc::not_permitted, "send Authorization: Bearer with TERMINAL_TOKEN"};
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
