#pragma once
// The stream below Beast's WebSocket: takes writes at once, so that nothing ever waits inside
// Beast.
//
// Why not the bare socket: (1) output frames are written straight from a session's ring, whose
// bytes may be overwritten as soon as we return to the loop: what the kernel does not take at once
// is copied here; (2) a pong or a close frame never waits behind a blocked bulk write; (3) all that
// a hand-over must carry of a connection is in one place (reliability.md 2.4 c).
// Only ws_connection.cpp includes this.

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>

namespace term::server {

namespace net = boost::asio;

/// Meets Beast's AsyncStream. Thread: its shard's.
class WireStream {
 public:
  using executor_type = net::any_io_executor;

  /// Writes are taken without waiting while fewer bytes than this are pending.
  static constexpr std::size_t kMaxPending = 256 * 1024;

  /// `prefix`: bytes that were read from the socket already and are to be read again first.
  WireStream(net::ip::tcp::socket socket, std::string prefix)
      : wire_(std::make_shared<Wire>(std::move(socket), std::move(prefix))) {}

  executor_type get_executor() const { return wire_->socket.get_executor(); }

  /// Bytes taken from Beast that the kernel has not taken yet.
  std::size_t pending() const { return wire_->pending.size() - wire_->flushed; }
  /// Bytes that moved in either direction since the start: the measure of liveness.
  std::uint64_t moved() const { return wire_->moved; }
  /// Called whenever pending() falls to 0 or the socket fails.
  void on_drained(std::function<void()> call) { wire_->on_drained = std::move(call); }
  bool failed() const { return static_cast<bool>(wire_->error); }
  /// Ends the connection without ceremony; pending bytes are given up.
  void abort() { wire_->abort(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return net::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        ReadOp<Buffers>{wire_, buffers}, token, wire_->socket);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return net::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        WriteOp<Buffers>{wire_, buffers}, token, wire_->socket);
  }

  friend void beast_close_socket(WireStream& stream) { stream.abort(); }

  friend void teardown(boost::beast::role_type, WireStream& stream, boost::system::error_code& ec) {
    stream.wire_->shut_down();
    ec = {};
  }

  template <class Handler>
  friend void async_teardown(boost::beast::role_type, WireStream& stream, Handler&& handler) {
    stream.wire_->shut_down();
    net::post(stream.get_executor(),
              [h = std::forward<Handler>(handler)]() mutable { h(boost::system::error_code{}); });
  }

 private:
  struct Wire : std::enable_shared_from_this<Wire> {
    Wire(net::ip::tcp::socket s, std::string p)
        : socket(std::move(s)), prefix(std::move(p)), room(socket.get_executor()) {
      room.expires_at(net::steady_timer::time_point::max());
      socket.non_blocking(true);
    }

    /// Hands what it can to the kernel and keeps the rest; never blocks.
    template <class Buffers>
    std::size_t take(const Buffers& buffers) {
      std::array<iovec, 16> parts{};
      std::size_t count = 0;
      std::size_t total = 0;
      for (auto it = net::buffer_sequence_begin(buffers);
           it != net::buffer_sequence_end(buffers) && count < parts.size(); ++it) {
        const net::const_buffer part(*it);
        if (part.size() == 0) continue;
        parts[count++] = {const_cast<void*>(part.data()), part.size()};
        total += part.size();
      }
      std::size_t done = 0;
      if (pending.empty() && !error) done = send(parts.data(), count);
      if (error) return total;
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t skip = std::min(done, parts[i].iov_len);
        done -= skip;
        pending.append(static_cast<const char*>(parts[i].iov_base) + skip, parts[i].iov_len - skip);
      }
      if (!pending.empty()) flush_later();
      return total;
    }

    std::size_t send(const iovec* parts, std::size_t count) {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(parts);
      message.msg_iovlen = count;
      ssize_t n = 0;
      do {
        n = ::sendmsg(socket.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      } while (n < 0 && errno == EINTR);
      if (n >= 0) {
        moved += static_cast<std::size_t>(n);
        return static_cast<std::size_t>(n);
      }
      if (errno != EAGAIN) fail({errno, boost::system::system_category()});
      return 0;
    }

    void flush_later() {
      if (flushing) return;
      flushing = true;
      socket.async_wait(net::socket_base::wait_write,
                        [self = shared_from_this()](boost::system::error_code ec) {
                          self->flushing = false;
                          if (ec) return self->fail(ec);
                          self->flush();
                        });
    }

    void flush() {
      const iovec rest{pending.data() + flushed, pending.size() - flushed};
      flushed += send(&rest, 1);
      if (error) return;
      if (flushed < pending.size()) return flush_later();
      pending.clear();
      pending.shrink_to_fit();  // An idle connection keeps no buffer.
      flushed = 0;
      room.cancel();
      if (closing) shut_down();
      if (on_drained) on_drained();
    }

    void fail(boost::system::error_code ec) {
      if (error) return;
      error = ec;
      pending.clear();
      flushed = 0;
      room.cancel();
      if (on_drained) on_drained();
    }

    void shut_down() {
      closing = true;
      if (!pending.empty()) return;
      boost::system::error_code ignored;
      socket.shutdown(net::ip::tcp::socket::shutdown_send, ignored);
    }

    void abort() {
      boost::system::error_code ignored;
      socket.close(ignored);
      fail(net::error::operation_aborted);
    }

    net::ip::tcp::socket socket;
    std::string prefix;
    std::string pending;
    std::size_t flushed = 0;  ///< Bytes at the front of `pending` that the kernel has.
    std::uint64_t moved = 0;
    net::steady_timer room;
    boost::system::error_code error;
    std::function<void()> on_drained;
    bool flushing = false;
    bool closing = false;
  };

  template <class Buffers>
  struct ReadOp {
    std::shared_ptr<Wire> wire;
    Buffers buffers;
    bool started = false;
    template <class Self>
    void operator()(Self& self, boost::system::error_code ec = {}, std::size_t n = 0) {
      if (!started) {
        started = true;
        if (!wire->prefix.empty()) {
          n = net::buffer_copy(buffers, net::buffer(wire->prefix));
          wire->prefix.erase(0, n);
          return net::post(wire->socket.get_executor(),
                           [self = std::move(self), n]() mutable { self.complete({}, n); });
        }
        auto& socket = wire->socket;
        const Buffers into = buffers;
        return socket.async_read_some(into, std::move(self));
      }
      wire->moved += n;
      self.complete(ec, n);
    }
  };

  template <class Buffers>
  struct WriteOp {
    std::shared_ptr<Wire> wire;
    Buffers buffers;
    template <class Self>
    void operator()(Self& self, boost::system::error_code = {}, std::size_t = 0) {
      if (wire->pending.size() - wire->flushed >= kMaxPending && !wire->error) {
        auto& room = wire->room;
        return room.async_wait(std::move(self));  // Cancelled once there is room.
      }
      const std::size_t n = wire->take(buffers);
      const auto ec = wire->error;
      net::post(wire->socket.get_executor(),
                [self = std::move(self), ec, n]() mutable { self.complete(ec, ec ? 0 : n); });
    }
  };

  std::shared_ptr<Wire> wire_;
};

}  // namespace term::server
