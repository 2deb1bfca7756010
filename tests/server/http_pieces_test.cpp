// Bodies in pieces, over real sockets: the slower end sets the pace, and a part is never a whole.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <future>

#include "support/state_dir.h"
#include "support/test_server.h"

namespace term::test {
namespace {

namespace net = boost::asio;
using server::Pieces;
using server::Request;
using server::Response;

/// So many pieces of so many bytes, then the end, or an error.
class Made final : public Pieces {
 public:
  Made(std::size_t pieces, std::size_t bytes, bool fails)
      : pieces_(pieces), bytes_(bytes), fails_(fails) {}
  net::awaitable<Result<std::string>> next() override {
    if (made >= pieces_ && fails_) co_return Error{Errc::internal, "the source failed"};
    if (made >= pieces_) co_return std::string{};
    co_return std::string(bytes_, static_cast<char>('a' + made++ % 26));
  }
  std::atomic<std::size_t> made{0};

 private:
  std::size_t pieces_;
  std::size_t bytes_;
  bool fails_;
};

/// One event, and then nothing until it is stopped.
class Endless final : public Pieces {
 public:
  explicit Endless(const net::any_io_executor& executor) : wake_(executor) {}
  net::awaitable<Result<std::string>> next() override {
    if (!std::exchange(greeted_, true)) co_return std::string("data: hello\n\n");
    while (!stopped) co_await wake_.wait();
    co_return std::string{};
  }
  bool endless() const override { return true; }
  void stop() override {
    stopped = true;
    wake_.notify_all();
  }
  std::atomic<bool> stopped{false};

 private:
  Signal wake_;
  bool greeted_ = false;
};

net::awaitable<Response> give(std::shared_ptr<Pieces> pieces) {
  Response response;
  response.content_type = "text/plain";
  response.pieces = std::move(pieces);
  co_return response;
}

struct Taken {
  std::atomic<std::size_t> bytes{0};
  std::atomic<std::size_t> pieces{0};
};

/// Counts the whole body.
net::awaitable<Response> take(std::shared_ptr<Taken> taken, Request request) {
  for (;;) {
    const auto piece = co_await request.pieces->next();
    if (!piece) co_return server::error_response(piece.error());
    if (piece->empty()) break;
    taken->bytes += piece->size();
    ++taken->pieces;
  }
  Response response;
  response.body = std::to_string(taken->bytes.load());
  co_return response;
}

/// Has seen enough after one piece.
net::awaitable<Response> refuse(Request request) {
  const auto piece = co_await request.pieces->next();
  co_return server::error_response({Errc::bad_argument, "nonsense"});
}

net::awaitable<Response> refuse_unread(Request) {
  co_return server::error_response({Errc::bad_argument, "not now"});
}

constexpr Millis kBodyTime{50};

/// Thinks for longer than a body may take to go through.
net::awaitable<Response> think(Request) {
  net::steady_timer thought(co_await net::this_coro::executor, 3 * kBodyTime);
  co_await thought.async_wait(kNoThrow);
  Response response;
  response.body = "thought";
  co_return response;
}

net::awaitable<Response> take_and_think(Request request) {
  for (;;) {
    const auto piece = co_await request.pieces->next();
    if (!piece) co_return server::error_response(piece.error());
    if (piece->empty()) break;
  }
  co_return co_await think({});
}

class HttpPieces : public testing::Test {
 protected:
  void SetUp() override {
    port_ = std::make_unique<server::HttpServer>(server_.service().operations(), routes_, true);
    ASSERT_TRUE(port_->listen("127.0.0.1", 0));
    port_->allow({}, {"localhost"});
    routes_.add("GET", "/made", [this](Request) { return give(made_); });
    routes_.add("GET", "/endless", [this](Request) { return give(endless_); });
    routes_.add(
        "POST", "/take", [this](Request r) { return take(taken_, std::move(r)); },
        server::Body::in_pieces);
    routes_.add("POST", "/refuse", refuse, server::Body::in_pieces);
    routes_.add("POST", "/unread", refuse_unread, server::Body::in_pieces);
    routes_.add("GET", "/think", think);
    routes_.add("POST", "/think", think);
    routes_.add("POST", "/take-and-think", take_and_think, server::Body::in_pieces);
    net::post(executor(), [this] { port_->start(); });
  }
  void TearDown() override {
    net::post(executor(), [this] { port_->stop(); });
    EXPECT_TRUE(until([this] { return on_loop([this] { return port_->active() == 0; }); }));
    on_loop([] { return true; });  // The turn in which the acceptor ends.
  }

  net::any_io_executor executor() { return server_.service().shards().first().get_executor(); }
  template <class F>
  auto on_loop(F f) -> decltype(f()) {
    std::promise<decltype(f())> done;
    net::post(executor(), [&] { done.set_value(f()); });
    return done.get_future().get();
  }
  void hurry() {
    on_loop([this] {
      port_->body_time(kBodyTime);
      return true;
    });
  }
  std::string head(const std::string& line, const std::string& fields = "") const {
    return line + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port_->port()) + "\r\n" +
           fields + "\r\n";
  }
  UniqueFd connect() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int small = 64 * 1024;  // What the kernel holds must not look like memory of ours.
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static void send(const UniqueFd& fd, std::string_view bytes) {
    EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  static std::string receive(const UniqueFd& fd, const std::string& last) {
    std::string got;
    char byte = 0;
    while (!got.ends_with(last) && ::recv(fd.get(), &byte, 1, 0) == 1) got += byte;
    return got;
  }

  TestServer server_;
  server::Router routes_;
  std::unique_ptr<server::HttpServer> port_;
  std::shared_ptr<Made> made_ = std::make_shared<Made>(3, 5, false);
  std::shared_ptr<Endless> endless_ = std::make_shared<Endless>(executor());
  std::shared_ptr<Taken> taken_ = std::make_shared<Taken>();
};

TEST_F(HttpPieces, AResponseGoesOutChunkedAndTheConnectionGoesOn) {
  const std::string both = head("GET /made") + head("GET /nowhere", "Connection: close\r\n");
  const std::string got = tcp_exchange(port_->port(), both);
  EXPECT_NE(got.find("Transfer-Encoding: chunked"), std::string::npos) << got;
  EXPECT_NE(got.find("5\r\naaaaa\r\n5\r\nbbbbb\r\n5\r\nccccc\r\n0\r\n\r\nHTTP/1.1 404"),
            std::string::npos)
      << got;
}

TEST_F(HttpPieces, AnOldClientGetsTheBytesUntilTheEndOfTheConnection) {
  const std::string got = tcp_exchange(
      port_->port(),
      "GET /made HTTP/1.0\r\nHost: localhost:" + std::to_string(port_->port()) + "\r\n\r\n");
  EXPECT_EQ(got.find("chunked"), std::string::npos) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\naaaaabbbbbccccc")) << got;
}

TEST_F(HttpPieces, ASourceThatFailsCutsTheConnectionBeforeTheLastChunk) {
  made_ = std::make_shared<Made>(2, 5, true);
  const std::string got = tcp_exchange(port_->port(), head("GET /made"));
  EXPECT_NE(got.find("bbbbb"), std::string::npos) << got;
  EXPECT_EQ(got.find("\r\n0\r\n"), std::string::npos) << got;
}

TEST_F(HttpPieces, AReceiverThatStandsStillHoldsTheSourceBack) {
  constexpr std::size_t kPiece = 256 * 1024, kPieces = 400;  // 100 MB.
  made_ = std::make_shared<Made>(kPieces, kPiece, false);
  const UniqueFd fd = connect();
  send(fd, head("GET /made", "Connection: close\r\n"));
  std::size_t got = 0, most_ahead = 0;
  std::string part(1 << 20, '\0');
  for (ssize_t n = 0; (n = ::recv(fd.get(), part.data(), part.size(), 0)) > 0;) {
    got += static_cast<std::size_t>(n);
    const std::size_t made = made_->made * kPiece;
    if (made > got) most_ahead = std::max(most_ahead, made - got);
  }
  EXPECT_GT(got, kPieces * kPiece);
  EXPECT_LT(most_ahead, 16U << 20U);
}

TEST_F(HttpPieces, AnEndlessResponseStopsWhenItsReceiverGoes) {
  {
    const UniqueFd fd = connect();
    send(fd, head("GET /endless"));
    EXPECT_NE(receive(fd, "hello\n\n").find("200 OK"), std::string::npos);
    EXPECT_FALSE(endless_->stopped);
  }
  EXPECT_TRUE(until([this] { return endless_->stopped.load(); }));
}

TEST_F(HttpPieces, AHandOverEndsAnEndlessResponseProperly) {
  const UniqueFd fd = connect();
  send(fd, head("GET /endless"));
  receive(fd, "hello\n\n");
  on_loop([this] {
    port_->freeze();
    return true;
  });
  EXPECT_TRUE(receive(fd, "0\r\n\r\n").ends_with("0\r\n\r\n"));
  EXPECT_TRUE(until([this] { return on_loop([this] { return port_->answering() == 0; }); }));
  on_loop([this] {
    port_->thaw();
    return true;
  });
  send(fd, head("GET /made"));  // The connection outlived it.
  EXPECT_NE(receive(fd, "0\r\n\r\n").find("ccccc"), std::string::npos);
}

TEST_F(HttpPieces, ARequestOfAnySizeArrivesInPiecesAndIsCountedOnce) {
  const std::size_t large = server_.service().config().max_message_bytes * 3;
  const auto reply = http(port_->port(), "POST", "/take", std::string(large, 'x'));
  EXPECT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.body, std::to_string(large));
  EXPECT_GT(taken_->pieces, large / (256 * 1024) - 1);
}

TEST_F(HttpPieces, AChunkedRequestIsReadAndTheNextOneAnswered) {
  const std::string chunked = head("POST /take", "Transfer-Encoding: chunked\r\n") +
                              "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n" +
                              head("GET /made", "Connection: close\r\n");
  const std::string got = tcp_exchange(port_->port(), chunked);
  EXPECT_NE(got.find("\r\n\r\n7HTTP/1.1 200"), std::string::npos) << got;
  const std::string bad = tcp_exchange(
      port_->port(), head("POST /take", "Transfer-Encoding: chunked\r\n") + "zz\r\nabc\r\n");
  EXPECT_TRUE(bad.starts_with("HTTP/1.1 400")) << bad;
}

TEST_F(HttpPieces, WhoExpectsAContinueGetsItOnlyWhenTheBodyIsWanted) {
  const UniqueFd fd = connect();
  send(fd, head("POST /take", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(receive(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  send(fd, "abcd");
  EXPECT_TRUE(receive(fd, "\r\n\r\n").starts_with("HTTP/1.1 200"));
  const std::string refused = tcp_exchange(
      port_->port(), head("POST /unread", "Content-Length: 4\r\nExpect: 100-continue\r\n"),
      "not now");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 400")) << refused;
  EXPECT_NE(refused.find("Connection: close"), std::string::npos) << refused;
}

TEST_F(HttpPieces, AnAnswerMayTakeLongerThanABody) {
  hurry();
  EXPECT_EQ(http(port_->port(), "GET", "/think").body, "thought");
  EXPECT_EQ(http(port_->port(), "POST", "/think", "a body").body, "thought");
  EXPECT_EQ(http(port_->port(), "POST", "/take-and-think", "a body").body, "thought");
}

TEST_F(HttpPieces, ABodyThatDoesNotComeEndsTheConnection) {
  hurry();
  const UniqueFd fd = connect();
  send(fd, head("POST /take", "Content-Length: 4\r\n") + "ab");
  EXPECT_EQ(receive(fd, "never"), "");
}

TEST_F(HttpPieces, ARefusalInTheMiddleOfABodyArrives) {
  const UniqueFd fd = connect();
  send(fd, head("POST /refuse", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n");
  EXPECT_TRUE(receive(fd, "nonsense").starts_with("HTTP/1.1 400"));
}

}  // namespace
}  // namespace term::test
