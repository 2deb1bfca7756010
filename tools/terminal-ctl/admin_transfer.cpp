// AdminClient's bodies of any size: never more than a piece in memory.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include "admin_client.h"
#include "exchange.h"

namespace term::ctl {

namespace {

namespace http = boost::beast::http;

constexpr Millis kConnectTime{5000};
constexpr Millis kIdleTime{60'000};  ///< Without a byte either way.
constexpr std::size_t kPieceBytes = 64 * 1024;

struct Transfer {
  std::string host;
  std::uint16_t port = 0;
  http::request<http::empty_body> request;
  const AdminClient::Take* take = nullptr;
  const AdminClient::Give* give = nullptr;
  Millis answer_time = kIdleTime;

  AdminClient::Answer answer;
  bool connected = false;
  std::string failure;         ///< Words; empty = there is an answer.
  std::optional<Error> given;  ///< What `give` said.
};

/// Sends what `give` gives, until its end or until an answer comes.
net::awaitable<void> send_body(Transfer& transfer, boost::beast::tcp_stream& stream) {
  for (;;) {
    boost::system::error_code ignored;
    if (stream.socket().available(ignored) > 0) co_return;
    auto piece = (*transfer.give)();
    if (!piece) {
      transfer.given = piece.error();
      co_return;
    }
    stream.expires_after(kIdleTime);
    if (piece->empty()) {
      (void)co_await net::async_write(stream, http::make_chunk_last(), kAnswer);
      co_return;
    }
    const auto bytes = net::buffer(*piece);
    auto [ec, n] = co_await net::async_write(stream, http::make_chunk(bytes), kAnswer);
    if (ec) co_return;  // It may have answered: the reader sees.
  }
}

net::awaitable<void> receive(Transfer& transfer, boost::beast::tcp_stream& stream) {
  boost::beast::flat_buffer buffer;
  buffer.reserve(kPieceBytes);  // Beast reads as much at once as fits.
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  stream.expires_after(transfer.answer_time);
  auto [ec, n] = co_await http::async_read_header(stream, buffer, parser, kAnswer);
  if (!ec) transfer.answer.status = parser.get().result_int();
  std::string piece;
  while (!ec && !parser.is_done()) {
    piece.resize(kPieceBytes);
    auto& body = parser.get().body();
    body.data = piece.data();
    body.size = piece.size();
    stream.expires_after(kIdleTime);
    auto [failed, m] = co_await http::async_read_some(stream, buffer, parser, kAnswer);
    if (failed != http::error::need_buffer) ec = failed;
    piece.resize(piece.size() - body.size);
    if (transfer.take == nullptr || transfer.answer.status != 200) {
      transfer.answer.text += piece;
      if (transfer.answer.text.size() > 64 * 1024 * 1024) ec = http::error::body_limit;
    } else if (!piece.empty() && !(*transfer.take)(piece)) {
      transfer.failure = "its output cannot be written";
      co_return;
    }
  }
  if (ec) transfer.failure = ec.message();
}

/// `transfer` outlives it: the caller runs the loop until the end.
net::awaitable<void> carry_out(Transfer& transfer) {
  boost::beast::tcp_stream stream(co_await net::this_coro::executor);
  transfer.failure = co_await connect(stream, transfer.host, transfer.port, kConnectTime);
  if (!transfer.failure.empty()) co_return;
  transfer.connected = true;
  if (transfer.give != nullptr) transfer.request.chunked(true);
  http::request_serializer<http::empty_body> head(transfer.request);
  stream.expires_after(kIdleTime);
  auto [ec, n] = co_await http::async_write_header(stream, head, kAnswer);
  if (!ec && transfer.give != nullptr) co_await send_body(transfer, stream);
  if (!transfer.given) co_await receive(transfer, stream);
}

void run(Transfer& transfer) {
  net::io_context loop(1);
  // NOLINTNEXTLINE(coroutine): named, and `transfer` outlives run().
  net::co_spawn(loop, carry_out(transfer), [&transfer](const std::exception_ptr& escaped) {
    if (escaped) transfer.failure = "out of memory";
  });
  loop.run();
}

}  // namespace

Result<AdminClient::Answer> AdminClient::download(const std::string& target, const Take& take) {
  Transfer transfer{.host = service_.host, .port = service_.http_port};
  transfer.request = http::request<http::empty_body>(http::verb::get, target, 11);
  for (const auto& [name, value] : fields("GET")) transfer.request.set(name, value);
  transfer.take = &take;
  run(transfer);
  if (!transfer.failure.empty()) return unanswered(transfer.failure, transfer.connected);
  if (auto judged = judge(transfer.answer, target); !judged) return judged.error();
  return std::move(transfer.answer);
}

Result<AdminClient::Answer> AdminClient::upload(const std::string& target, const Give& give,
                                                Millis at_most) {
  Transfer transfer{.host = service_.host, .port = service_.http_port};
  transfer.request = http::request<http::empty_body>(http::verb::post, target, 11);
  for (const auto& [name, value] : fields("POST")) transfer.request.set(name, value);
  transfer.give = &give;
  transfer.answer_time = at_most;
  run(transfer);
  if (transfer.given) return *transfer.given;
  if (!transfer.failure.empty()) return unanswered(transfer.failure, transfer.connected);
  if (auto judged = judge(transfer.answer, target); !judged) return judged.error();
  return std::move(transfer.answer);
}

}  // namespace term::ctl
