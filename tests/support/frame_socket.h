#pragma once
// A WebSocket client made by hand (RFC 6455), so that a connection can be cut at any byte of a
// frame.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "support/event_loop.h"
#include "support/ws_wire.h"

namespace term::test {

/// One connection to 127.0.0.1. Thread: the loop's.
class FrameSocket final : EventLoop::Handler {
 public:
  /// Whoever listens may send and cut in there, but neither connect again nor destroy the socket.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void opened() = 0;  ///< The handshake is done.
    virtual void message(bool text, std::string_view payload) = 0;
    /// Once, and the last call. 1006: without a close frame, or never open.
    virtual void closed(int code, const std::string& reason) = 0;
  };

  FrameSocket(EventLoop& loop, Listener& listener) : loop_(loop), listener_(listener) {}
  ~FrameSocket() override;
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  /// False: refused at once, the listener hears nothing.
  bool connect(unsigned short port, const std::string& target, const std::string& subprotocol);
  void text(std::string_view payload) { send(0x1, payload); }
  void binary(std::string_view payload) { send(0x2, payload); }

  /// Ends the connection without a close frame: by RST, or by FIN.
  void cut(bool reset);
  /// From now on, after this many bytes sent or received.
  void cut_after_sending(std::size_t bytes) { send_limit_ = bytes; }
  void cut_after_receiving(std::size_t bytes) { receive_limit_ = bytes; }
  void pause_reading(bool paused);
  bool reading_paused() const { return paused_; }

  bool open() const { return state_ == State::open; }
  bool connected() const { return fd_ >= 0; }
  std::size_t unsent() const { return out_.size(); }

 private:
  enum class State { idle, shaking, open };

  void ready(std::uint32_t events) override;
  void send(unsigned char opcode, std::string_view payload);
  void flush();
  void read();
  void parse();
  bool parse_head();
  bool parse_frame();
  void frame(const Frame& received);
  void watch_for();
  void end(int code, const std::string& reason, bool reset);

  EventLoop& loop_;
  Listener& listener_;
  int fd_ = -1;
  State state_ = State::idle;
  bool paused_ = false;
  std::uint32_t watched_ = 0;
  std::string in_;
  std::size_t parsed_ = 0;  ///< Of `in_`.
  std::string out_;
  std::string message_;  ///< The fragments so far.
  bool message_text_ = false;
  bool fragmented_ = false;
  std::uint32_t mask_ = 0x9d3f17a5;
  std::optional<std::size_t> send_limit_;
  std::optional<std::size_t> receive_limit_;
};

}  // namespace term::test
