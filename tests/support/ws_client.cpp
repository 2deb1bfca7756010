// The tests' one user of Beast.

#include "support/ws_client.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <thread>

namespace term::test {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
namespace http_ns = beast::http;
using tcp = net::ip::tcp;

struct ClientLoop::Impl {
  net::io_context io{1};
  net::executor_work_guard<net::io_context::executor_type> work = net::make_work_guard(io);
  std::thread thread{[this] { io.run(); }};
};

ClientLoop::ClientLoop() : impl_(std::make_unique<Impl>()) {}
ClientLoop::~ClientLoop() {
  impl_->io.stop();
  impl_->thread.join();
}

struct WsClient::Impl : std::enable_shared_from_this<WsClient::Impl> {
  Impl(net::io_context& context, Options o) : io(context), ws(context), options(std::move(o)) {}

  struct Message {
    bool text;
    std::string payload;
  };

  net::io_context& io;
  websocket::stream<tcp::socket, true> ws;
  Options options;
  WsClient* owner = nullptr;
  beast::flat_buffer buffer;
  websocket::response_type response;
  std::deque<Message> outgoing;
  bool reading = false;
  bool paused = false;

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  Inbox inbox;

  template <class F>
  void update(F change) {
    {
      const std::lock_guard lock(mutex);
      change(inbox);
    }
    changed.notify_all();
  }

  void start(unsigned short port, const std::string& target) {
    boost::system::error_code ec;
    ws.next_layer().open(tcp::v4(), ec);
    if (options.receive_buffer > 0)
      ws.next_layer().set_option(net::socket_base::receive_buffer_size(options.receive_buffer));
    ws.next_layer().connect({net::ip::address_v4::loopback(), port}, ec);
    if (ec) return update([&](Inbox& in) { in.closed = true; });
    ws.next_layer().set_option(tcp::no_delay(true));
    ws.read_message_max(0);
    ws.auto_fragment(false);
    websocket::permessage_deflate deflate;
    deflate.client_enable = options.deflate;
    ws.set_option(deflate);
    ws.set_option(websocket::stream_base::decorator([this](websocket::request_type& request) {
      if (!options.subprotocol.empty())
        request.set(http_ns::field::sec_websocket_protocol, options.subprotocol);
      for (const auto& [name, value] : options.headers) request.set(name, value);
    }));
    ws.async_handshake(
        response, "localhost:" + std::to_string(port), target,
        [self = shared_from_this()](boost::system::error_code error) { self->shaken(error); });
  }

  void shaken(boost::system::error_code ec) {
    update([&](Inbox& in) {
      in.http_status = static_cast<unsigned>(response.result_int());
      in.subprotocol = std::string(response[http_ns::field::sec_websocket_protocol]);
      in.open = !ec;
      in.closed = static_cast<bool>(ec);
    });
    if (!ec) read();
  }

  void read() {
    if (reading || paused) return;
    reading = true;
    ws.async_read(buffer, [self = shared_from_this()](boost::system::error_code ec, std::size_t) {
      self->reading = false;
      self->received(ec);
    });
  }

  void received(boost::system::error_code ec) {
    if (ec) {
      return update([&](Inbox& in) {
        in.closed = true;
        in.open = false;
        in.close_code = ws.reason().code;
        in.close_reason = std::string(ws.reason().reason.data(), ws.reason().reason.size());
      });
    }
    std::string payload(static_cast<const char*>(buffer.data().data()), buffer.size());
    buffer.clear();
    const bool text = ws.got_text();
    if (options.on_message && owner != nullptr) options.on_message(*owner, text, payload);
    update([&](Inbox& in) {
      if (text) {
        in.texts.push_back(std::move(payload));
      } else if (options.keep_bytes) {
        in.bytes += payload;
      }
    });
    read();
  }

  void send(bool text, std::string payload) {
    outgoing.push_back({text, std::move(payload)});
    if (outgoing.size() == 1) write();
  }

  void write() {
    ws.text(outgoing.front().text);
    ws.async_write(net::buffer(outgoing.front().payload),
                   [self = shared_from_this()](boost::system::error_code ec, std::size_t) {
                     self->outgoing.pop_front();
                     if (ec) return self->outgoing.clear();
                     if (!self->outgoing.empty()) self->write();
                   });
  }
};

WsClient::WsClient(ClientLoop& loop, unsigned short port, std::string target, Options options)
    : impl_(std::make_shared<Impl>(loop.impl().io, std::move(options))) {
  impl_->owner = this;
  net::post(impl_->io, [impl = impl_, port, target] { impl->start(port, target); });
  wait([](const Inbox& in) { return in.open || in.closed; });
}

WsClient::~WsClient() {
  // Wait for the loop to have let go of us: a message may be being handled right now.
  std::mutex mutex;
  std::condition_variable gone;
  bool done = false;
  net::post(impl_->io, [&, impl = impl_] {
    impl->owner = nullptr;
    boost::system::error_code ignored;
    impl->ws.next_layer().close(ignored);
    const std::lock_guard lock(mutex);
    done = true;
    gone.notify_all();
  });
  std::unique_lock lock(mutex);
  gone.wait(lock, [&] { return done; });
}

void WsClient::text(std::string message) {
  net::post(impl_->io, [impl = impl_, m = std::move(message)] { impl->send(true, m); });
}

void WsClient::binary(std::string message) {
  net::post(impl_->io, [impl = impl_, m = std::move(message)] { impl->send(false, m); });
}

void WsClient::close(int code, std::string reason) {
  net::post(impl_->io, [impl = impl_, code, reason] {
    websocket::close_reason why(static_cast<websocket::close_code>(code));
    why.reason = reason;
    impl->ws.async_close(why, [impl](boost::system::error_code) {
      impl->update([](Inbox& in) { in.closed = true; });
    });
  });
}

void WsClient::cut() {
  net::post(impl_->io, [impl = impl_] {
    boost::system::error_code ignored;
    impl->ws.next_layer().set_option(net::socket_base::linger(true, 0), ignored);
    impl->ws.next_layer().close(ignored);
  });
  wait_closed();
}

void WsClient::raw(std::string bytes) {
  net::post(impl_->io, [impl = impl_, bytes = std::move(bytes)] {
    boost::system::error_code ignored;
    net::write(impl->ws.next_layer(), net::buffer(bytes), ignored);
  });
}

void WsClient::pause_reading(bool paused) {
  net::post(impl_->io, [impl = impl_, paused] {
    impl->paused = paused;
    impl->read();
  });
}

Inbox WsClient::inbox() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->inbox;
}

bool WsClient::wait(const std::function<bool(const Inbox&)>& done,
                    std::chrono::milliseconds deadline) const {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, deadline, [&] { return done(impl_->inbox); });
}

bool WsClient::wait_bytes(const std::string& part) const {
  return wait([&](const Inbox& in) { return in.bytes.find(part) != std::string::npos; });
}

std::optional<std::string> WsClient::wait_text(const std::string& part) const {
  std::optional<std::string> found;
  wait([&](const Inbox& in) {
    for (const auto& text : in.texts) {
      if (text.find(part) == std::string::npos) continue;
      found = text;
      return true;
    }
    return in.closed;
  });
  return found;
}

bool WsClient::wait_closed() const {
  return wait([](const Inbox& in) { return in.closed; });
}

HttpReply http(unsigned short port, const std::string& method, const std::string& target,
               const std::string& body, std::map<std::string, std::string> headers) {
  net::io_context io;
  tcp::socket socket(io);
  socket.connect({net::ip::address_v4::loopback(), port});
  http_ns::request<http_ns::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(http_ns::field::host, "localhost:" + std::to_string(port));
  request.set(http_ns::field::connection, "close");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  request.prepare_payload();
  HttpReply reply;
  boost::system::error_code ec;
  http_ns::write(socket, request, ec);
  beast::flat_buffer buffer;
  http_ns::response_parser<http_ns::string_body> parser;
  parser.body_limit(std::uint64_t{1} << 30);
  http_ns::read(socket, buffer, parser, ec);
  if (ec) return reply;
  const auto& response = parser.get();
  reply.status = response.result_int();
  reply.body = response.body();
  for (const auto& field : response) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    reply.headers[name] = field.value();
  }
  return reply;
}

std::string tcp_exchange(unsigned short port, const std::string& bytes, const std::string& until) {
  net::io_context io;
  tcp::socket socket(io);
  socket.connect({net::ip::address_v4::loopback(), port});
  boost::system::error_code ec;
  net::write(socket, net::buffer(bytes), ec);
  std::string got;
  std::array<char, 4096> part{};
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < end) {
    if (!until.empty() && got.find(until) != std::string::npos) break;
    pollfd ready{socket.native_handle(), POLLIN, 0};
    if (::poll(&ready, 1, 100) == 0) continue;
    const auto n = socket.read_some(net::buffer(part), ec);
    if (ec) break;
    got.append(part.data(), n);
  }
  return got;
}

}  // namespace term::test
