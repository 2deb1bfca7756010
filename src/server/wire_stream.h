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
#include <utility>

#include "server/frame_scan.h"
#include "server/let_go.h"

namespace term::server {

namespace net = boost::asio;

/// Meets Beast's AsyncStream. Thread: its shard's.
class WireStream {
 public:
  using executor_type = net::any_io_executor;

  /// Writes are taken without waiting while fewer bytes than this are pending.
  static constexpr std::size_t kMaxPending = 256 * 1024;

  /// `prefix`: bytes that were read from the socket already and are to be read again first.
  /// `keep`: most bytes kept of what was received and not handled yet.
  WireStream(net::ip::tcp::socket socket, std::string prefix, std::size_t keep)
      : wire_(std::make_shared<Wire>(std::move(socket), std::move(prefix), keep)) {}

  executor_type get_executor() const { return wire_->socket.get_executor(); }

  /// Bytes taken from Beast that the kernel has not taken yet.
  std::size_t pending() const { return wire_->pending.size() - wire_->flushed; }
  /// Bytes that moved in either direction since the start: the measure of liveness.
  std::uint64_t moved() const { return wire_->moved; }
  /// The next write may wait in the kernel for the one after it, so that both go in one packet.
  void more_follows() { wire_->more_follows = true; }
  /// Nothing follows for now: what waits for it goes.
  void push() { wire_->push(); }
  /// Called whenever pending() falls to 0 or the socket fails.
  void on_drained(std::function<void()> call) { wire_->on_drained = std::move(call); }
  bool failed() const { return static_cast<bool>(wire_->error); }
  /// Ends the connection without ceremony; pending bytes are given up. Says nothing to the other
  /// end as long as somebody else has the descriptor, too.
  void abort() { wire_->abort(); }

  // For a hand-over.
  /// Neither receives nor sends what is pending until thaw(); takes whatever Beast still writes.
  void freeze() {
    wire_->frozen = true;
    wire_->changed.cancel();
  }
  void thaw() { wire_->thaw(); }
  /// Beast waits for bytes and has been given none: of all it was given, nothing is under way.
  bool asking() const { return wire_->asking; }
  /// Beast delivered a message.
  void came() { wire_->received.came(); }
  /// The message that Beast delivered last is handled.
  void handled() { wire_->received.delivered(); }
  /// It will not be carried any more.
  void keep_nothing() { wire_->received.give_up(); }
  bool carriable() const { return wire_->received.complete() && !failed(); }
  int native_handle() { return wire_->socket.native_handle(); }
  /// What another stream must be given to read first.
  std::string unhandled() const {
    return std::string(wire_->received.bytes()) + wire_->prefix.substr(wire_->read_again);
  }
  std::string unsent() const { return wire_->pending.substr(wire_->flushed); }
  /// Bytes that the kernel is to get before any others. While frozen.
  void send_first(std::string bytes) { wire_->pending = std::move(bytes); }
  /// What Beast writes is dropped while this is on: the client has had it already.
  void swallow(bool on) { wire_->swallows = on; }

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
  /// The first parts of a buffer sequence, as system calls want them.
  struct Parts {
    template <class Buffers>
    explicit Parts(const Buffers& buffers) {
      for (auto it = net::buffer_sequence_begin(buffers);
           it != net::buffer_sequence_end(buffers) && count < parts.size(); ++it) {
        const net::const_buffer part(*it);
        if (part.size() == 0) continue;
        parts[count++] = {const_cast<void*>(part.data()), part.size()};
        total += part.size();
      }
    }
    std::array<iovec, 16> parts{};
    std::size_t count = 0;
    std::size_t total = 0;
  };

  struct Wire : std::enable_shared_from_this<Wire> {
    Wire(net::ip::tcp::socket s, std::string p, std::size_t keep)
        : socket(std::move(s)),
          prefix(std::move(p)),
          received(keep),
          changed(socket.get_executor(), net::steady_timer::time_point::max()) {
      socket.non_blocking(true);
    }

    /// Hands what it can to the kernel and keeps the rest; never blocks.
    std::size_t take(const Parts& given) {
      const auto& [parts, count, total] = given;
      std::size_t done = 0;
      if (swallows) return total;
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
      const bool more = std::exchange(more_follows, false);
      const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
      ssize_t n = 0;
      do {
        n = ::sendmsg(socket.native_handle(), &message, flags);
      } while (n < 0 && errno == EINTR);
      if (n > 0) waits_for_more = more;
      if (n >= 0) {
        moved += static_cast<std::size_t>(n);
        return static_cast<std::size_t>(n);
      }
      if (errno != EAGAIN) fail({errno, boost::system::system_category()});
      return 0;
    }

    void push() {
      if (!std::exchange(waits_for_more, false) || error) return;
      // Said again it sends what waits: tcp(7).
      boost::system::error_code ignored;
      socket.set_option(net::ip::tcp::no_delay(true), ignored);
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

    /// What was received already first, then what the socket has; 0 = nothing yet. Never blocks.
    std::size_t receive(Parts& into, boost::system::error_code& ec) {
      std::size_t n = 0;
      if (read_again < prefix.size()) {
        for (std::size_t i = 0; i < into.count; ++i) {
          const auto& part = into.parts[i];
          n += prefix.copy(static_cast<char*>(part.iov_base), part.iov_len, read_again + n);
        }
        read_again += n;
        if (read_again == prefix.size()) {
          prefix = {};
          read_again = 0;
        }
      } else {
        n = receive_new(into, ec);
      }
      std::size_t left = n;
      for (std::size_t i = 0; i < into.count && left > 0; ++i) {
        const std::size_t here = std::min(left, into.parts[i].iov_len);
        received.given({static_cast<const char*>(into.parts[i].iov_base), here});
        left -= here;
      }
      return n;
    }

    std::size_t receive_new(Parts& into, boost::system::error_code& ec) {
      msghdr message{};
      message.msg_iov = into.parts.data();
      message.msg_iovlen = into.count;
      ssize_t n = 0;
      do {
        n = ::recvmsg(socket.native_handle(), &message, MSG_DONTWAIT);
      } while (n < 0 && errno == EINTR);
      eager = false;
      if (n == 0) ec = net::error::eof;
      if (n < 0 && errno != EAGAIN) ec = {errno, boost::system::system_category()};
      if (n <= 0) return 0;
      moved += static_cast<std::size_t>(n);
      eager = static_cast<std::size_t>(n) == into.total;
      return static_cast<std::size_t>(n);
    }

    void thaw() {
      frozen = false;
      changed.cancel();
      if (!pending.empty()) flush_later();
    }

    void flush() {
      if (frozen) return;  // thaw() goes on.
      more_follows = false;
      const iovec rest{pending.data() + flushed, pending.size() - flushed};
      flushed += send(&rest, 1);
      if (error) return;
      if (flushed < pending.size()) return flush_later();
      pending.clear();
      pending.shrink_to_fit();  // An idle connection keeps no buffer.
      flushed = 0;
      changed.cancel();
      if (closing) shut_down();
      if (on_drained) on_drained();
    }

    void fail(boost::system::error_code ec) {
      if (error) return;
      error = ec;
      pending.clear();
      flushed = 0;
      changed.cancel();
      if (on_drained) on_drained();
    }

    void shut_down() {
      closing = true;
      if (!pending.empty()) return;
      boost::system::error_code ignored;
      socket.shutdown(net::ip::tcp::socket::shutdown_send, ignored);
    }

    void abort() {
      let_go(socket);
      fail(net::error::operation_aborted);
    }

    net::ip::tcp::socket socket;
    std::string prefix;          ///< To be read before the socket.
    std::size_t read_again = 0;  ///< Bytes at the front of `prefix` that were read.
    ReceivedFrames received;
    std::string pending;
    std::size_t flushed = 0;  ///< Bytes at the front of `pending` that the kernel has.
    std::uint64_t moved = 0;
    net::steady_timer changed;  ///< Cancelled when there is room, or it is frozen or thawed.
    boost::system::error_code error;
    std::function<void()> on_drained;
    bool flushing = false;
    bool closing = false;
    bool asking = false;  ///< Beast waits for bytes.
    bool eager = false;   ///< The last read got all it asked for: there may well be more.
    bool frozen = false;
    bool swallows = false;
    bool more_follows = false;
    bool waits_for_more = false;  ///< The kernel may hold back the end of what it has.
  };

  /// Waits for the socket to be readable and reads in our own turn: whatever was taken from the
  /// kernel is accounted for (reliability.md 2.4 b).
  template <class Buffers>
  struct ReadOp {
    std::shared_ptr<Wire> wire;
    Buffers buffers;
    enum class At { start, change, socket } at = At::start;
    template <class Self>
    void operator()(Self& self, boost::system::error_code ec = {}, std::size_t = 0) {
      if (at == At::start) {
        wire->received.asked();
        wire->asking = true;
      }
      if (at != At::socket) ec = {};  // `changed` fires by being cancelled.
      if (wire->error) ec = wire->error;
      if (!ec && wire->frozen) {
        at = At::change;
        auto& changed = wire->changed;
        return changed.async_wait(std::move(self));
      }
      Parts into(buffers);
      std::size_t n = 0;
      const bool ready = at == At::socket || wire->eager || wire->read_again < wire->prefix.size();
      if (!ec && ready && into.total > 0) n = wire->receive(into, ec);
      if (!ec && n == 0 && into.total > 0) {
        at = At::socket;
        auto& socket = wire->socket;
        return socket.async_wait(net::socket_base::wait_read, std::move(self));
      }
      wire->asking = false;
      if (at != At::start) return self.complete(ec, n);
      net::post(wire->socket.get_executor(),
                [self = std::move(self), ec, n]() mutable { self.complete(ec, n); });
    }
  };

  template <class Buffers>
  struct WriteOp {
    std::shared_ptr<Wire> wire;
    Buffers buffers;
    template <class Self>
    void operator()(Self& self, boost::system::error_code = {}, std::size_t = 0) {
      const bool full = wire->pending.size() - wire->flushed >= kMaxPending;
      if (full && !wire->error && !wire->frozen) {
        auto& changed = wire->changed;
        return changed.async_wait(std::move(self));
      }
      const std::size_t n = wire->take(Parts(buffers));
      const auto ec = wire->error;
      net::post(wire->socket.get_executor(),
                [self = std::move(self), ec, n]() mutable { self.complete(ec, ec ? 0 : n); });
    }
  };

  std::shared_ptr<Wire> wire_;
};

}  // namespace term::server
