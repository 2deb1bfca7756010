// The listening half of HttpServer: sockets, who is half way in, and hand-overs.

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "server/http_client.h"
#include "server/let_go.h"

namespace term::server {

namespace {
void close_on_exec(int fd) {
  ::fcntl(fd, F_SETFD, ::fcntl(fd, F_GETFD) | FD_CLOEXEC);  // NOLINT: variadic by POSIX
}
}  // namespace

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

Result<void> HttpServer::listen_on(UniqueFd listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return Error{Errc::os_error,
                 "getsockname of an inherited listener: " + std::generic_category().message(errno)};
  close_on_exec(listener.get());
  boost::system::error_code ec;
  acceptor_.assign(address.ss_family == AF_INET6 ? net::ip::tcp::v6() : net::ip::tcp::v4(),
                   listener.get(), ec);
  if (ec) return Error{Errc::os_error, "cannot use an inherited listener: " + ec.message()};
  (void)listener.release();
  port_ = acceptor_.local_endpoint(ec).port();
  return {};
}

void HttpServer::start() { spawn_logged(acceptor_.get_executor(), "accept", accept_loop()); }

void HttpServer::stop() {
  stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (const auto& weak : half_open_)
    if (const auto client = weak.lock()) client->drop();
  for (const auto& transfer : transfers_) {
    if (const auto client = transfer.client.lock()) client->drop();
    if (const auto pieces = transfer.pieces.lock(); pieces && pieces->endless()) pieces->stop();
  }
}

void HttpServer::freeze() {
  frozen_ = true;
  for (const auto& transfer : transfers_)
    if (const auto pieces = transfer.pieces.lock(); pieces && pieces->endless()) pieces->stop();
  boost::system::error_code ignored;
  acceptor_.cancel(ignored);
  for (const auto& weak : half_open_)
    if (const auto client = weak.lock(); client && !client->lingers) client->socket.cancel(ignored);
}

void HttpServer::thaw() {
  frozen_ = false;
  thawed_.notify_all();
}

std::vector<HttpServer::Waiting> HttpServer::waiting() const {
  std::vector<Waiting> all;
  for (const auto& weak : half_open_) {
    const auto client = weak.lock();
    if (!client || client->lingers || !client->socket.is_open()) continue;
    const auto data = client->buffer.data();
    all.push_back({client->socket.native_handle(),
                   std::string(static_cast<const char*>(data.data()), data.size())});
  }
  return all;
}

Result<void> HttpServer::adopt(UniqueFd socket, const std::string& received) {
  net::ip::tcp::socket ours(acceptor_.get_executor());
  boost::system::error_code ec;
  const auto protocol = acceptor_.local_endpoint(ec).protocol();
  if (!ec) ours.assign(protocol, socket.get(), ec);
  if (ec) return Error{Errc::os_error, "cannot adopt a connection: " + ec.message()};
  (void)socket.release();
  auto client = std::make_shared<Client>(std::move(ours));
  client->buffer.commit(
      net::buffer_copy(client->buffer.prepare(received.size()), net::buffer(received)));
  welcome(std::move(client));
  return {};
}

void HttpServer::forget() {
  stopping_ = true;
  let_go(acceptor_);
  for (const auto& weak : half_open_)
    if (const auto client = weak.lock()) let_go(client->socket);
}

net::awaitable<void> HttpServer::accept_loop() {
  while (!stopping_) {
    while (frozen_) co_await thawed_.wait();
    auto [ec, socket] = co_await acceptor_.async_accept(kNoThrow);
    if (ec == net::error::operation_aborted && frozen_) continue;
    if (ec == net::error::operation_aborted) co_return;
    if (ec) {
      // Out of descriptors: what is there goes on, new ones wait in the backlog.
      spdlog::error("http.accept port={} ERROR {}", port_, ec.message());
      net::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(200));
      co_await pause.async_wait(kNoThrow);
      continue;
    }
    welcome(std::make_shared<Client>(std::move(socket)));
  }
}

void HttpServer::welcome(std::shared_ptr<Client> client) {
  auto& socket = client->socket;
  close_on_exec(socket.native_handle());
  boost::system::error_code ignored;
  socket.set_option(net::ip::tcp::no_delay(true), ignored);
  socket.set_option(net::socket_base::keep_alive(true), ignored);
  const auto endpoint = socket.remote_endpoint(ignored);
  client->peer = endpoint.address().to_string();
  client->loopback = endpoint.address().is_loopback();
  enlist(client);
  spawn_logged(acceptor_.get_executor(), "http", serve(client));
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

}  // namespace term::server
