// Bodies in pieces, both ways: each piece is done with before the next one is asked for.

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include "server/http_incoming.h"

namespace term::server {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
/// Of a body that is read: as much as there is, up to this.
constexpr std::size_t kTakenBytes = 256 * 1024;
/// Of a piece that is sent: in one write. An export took a sixth less than with 64 KiB.
constexpr std::size_t kSentBytes = 256 * 1024;
/// Fewer bytes may be the frame of a chunk whose content never comes.
constexpr std::size_t kSurelyBody = 4096;

/// Nothing more will come: not data, but the end.
bool gone(int fd) {
  char byte = 0;
  const auto n = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace

net::awaitable<boost::system::error_code> say_continue(net::ip::tcp::socket& socket) {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  auto [ec, sent] =
      co_await net::async_write(socket, net::buffer(kContinue.data(), kContinue.size()), kNoThrow);
  co_return ec;
}

HttpServer::Incoming::Incoming(std::shared_ptr<Client> client, Parser& parser, bool expects,
                               Millis time)
    : client_(std::move(client)),
      parser_(std::move(parser.head)),
      expects_(expects && !parser_.is_done()),
      time_(time) {}

net::awaitable<Result<std::string>> HttpServer::Incoming::next() {
  std::string piece;
  boost::system::error_code ec;
  client_->expire_after(time_, client_);
  if (std::exchange(expects_, false)) ec = co_await say_continue(client_->socket);
  client_->buffer.reserve(kPieceBytes);  // Beast reads as much at once as fits.
  std::size_t have = 0;
  for (bool more = true; more && !ec && !parser_.is_done();) {
    piece.resize(std::max(piece.size(), have + kPieceBytes));
    auto& body = parser_.get().body();
    body.data = piece.data() + have;
    body.size = piece.size() - have;
    auto [failed, n] =
        co_await http::async_read_some(client_->socket, client_->buffer, parser_, kNoThrow);
    if (failed != http::error::need_buffer) ec = failed;
    have = piece.size() - body.size;
    more = have == 0 || (have + kPieceBytes <= kTakenBytes && ready());
  }
  piece.resize(have);
  client_->deadline.cancel();
  if (!ec) co_return piece;
  const bool malformed = ec.category() == make_error_code(http::error::end_of_stream).category() &&
                         ec != http::error::partial_message && ec != http::error::end_of_stream;
  if (malformed) co_return Error{Errc::bad_argument, "malformed request body: " + ec.message()};
  co_return Error{Errc::os_error, "the request's body broke off: " + ec.message()};
}

bool HttpServer::Incoming::ready() const {
  boost::system::error_code ignored;
  return client_->buffer.size() + client_->socket.available(ignored) >= kSurelyBody;
}

net::awaitable<void> HttpServer::watch(std::shared_ptr<Client> client,
                                       std::shared_ptr<Pieces> pieces) {
  const int fd = client->socket.native_handle();
  auto [ec] = co_await client->socket.async_wait(net::ip::tcp::socket::wait_read, kNoThrow);
  // Another request, sent ahead, is none of our business; a write will tell then.
  if (ec == net::error::operation_aborted && client->socket.is_open()) co_return;
  if (!client->socket.is_open() || gone(fd)) pieces->stop();
}

net::awaitable<boost::system::error_code> HttpServer::send_piece(std::shared_ptr<Client> client,
                                                                 std::string_view piece,
                                                                 bool chunked) {
  boost::system::error_code ec;
  while (!ec && !piece.empty()) {  // A slow receiver has its time for each part.
    client->expire_after(body_time_, client);
    const auto part = net::buffer(piece.data(), std::min(piece.size(), kSentBytes));
    if (chunked) {
      auto [failed, sent] =
          co_await net::async_write(client->socket, http::make_chunk(part), kNoThrow);
      ec = failed;
    } else {
      auto [failed, sent] = co_await net::async_write(client->socket, part, kNoThrow);
      ec = failed;
    }
    piece.remove_prefix(part.size());
  }
  co_return ec;
}

net::awaitable<bool> HttpServer::send_pieces(std::shared_ptr<Client> client, Response response,
                                             unsigned version, bool keep) {
  const bool chunked = version >= 11;
  auto message = head_of<http::empty_body>(response, version, keep && chunked);
  message.chunked(chunked);
  http::response_serializer<http::empty_body> head(message);
  auto [ec, n] = co_await http::async_write_header(client->socket, head, kNoThrow);
  const auto& pieces = response.pieces;
  if (!ec && pieces->endless())
    spawn_logged(client->socket.get_executor(), "watch", watch(client, pieces));
  while (!ec) {
    client->deadline.cancel();
    const auto piece = co_await pieces->next();
    if (!piece) spdlog::error("http.cut peer={} ERROR {}", client->peer, piece.error().detail);
    if (!piece || !client->socket.is_open()) break;
    if (piece->empty()) {
      client->expire_after(body_time_, client);
      if (chunked) {
        auto [end_error, end] =
            co_await net::async_write(client->socket, http::make_chunk_last(), kNoThrow);
        ec = end_error;
      }
      if (pieces->endless()) client->socket.cancel(ec);  // Ends watch().
      co_return !ec && keep && chunked;
    }
    ec = co_await send_piece(client, *piece, chunked);
  }
  if (pieces->endless()) pieces->stop();
  client->drop();  // Cut, so that nobody takes the part for the whole.
  co_return false;
}

}  // namespace term::server
