#pragma once
// A WebSocket client that costs next to nothing: it shares the cores with what it measures.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "support/event_loop.h"
#include "support/ws_wire.h"

namespace term::bench {

using test::EventLoop;
using test::Millis;
using test::SteadyClock;

/// One connection to 127.0.0.1. A frame is judged in the buffer it was received in. Thread: the
/// loop's.
class WsClient final : EventLoop::Handler {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void opened() = 0;
    /// A whole message; for a fragmented one its pieces joined. May send, close and cut.
    virtual void message(bool text, std::string_view payload) = 0;
    /// Once, and the last call; 1006 without a close frame.
    virtual void closed(int code, const std::string& reason) = 0;
  };

  WsClient(EventLoop& loop, Listener& listener);
  ~WsClient() override;
  WsClient(const WsClient&) = delete;
  WsClient& operator=(const WsClient&) = delete;

  /// An empty subprotocol offers none. Failure is told by closed(), later.
  void connect(unsigned short port, const std::string& target, const std::string& subprotocol);
  void text(std::string_view payload) { send(0x1, payload); }
  void binary(std::string_view payload) { send(0x2, payload); }
  void close(int code, std::string_view reason);
  /// Ends the connection without a close frame.
  void cut();

  bool connected() const { return fd_ >= 0; }
  std::size_t unsent() const { return out_.size() - out_sent_; }
  std::uint64_t messages() const { return messages_; }

 private:
  void ready(std::uint32_t events) override;
  void send(unsigned char opcode, std::string_view payload);
  void flush();
  void read();
  void parse();
  bool parse_head();
  bool parse_frame();
  void frame(const test::Frame& received);
  void data_frame(const test::Frame& received);
  void end(int code, const std::string& reason);

  EventLoop& loop_;
  Listener& listener_;
  int fd_ = -1;
  bool open_ = false;
  bool told_ = false;  ///< closed() was called.
  int send_error_ = 0;
  bool reading_ = false;  ///< In parse(): end() must leave the buffer alone.
  std::uint32_t watched_ = 0;
  std::vector<char> in_;  ///< Received is [begin_, end_).
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string out_;
  std::size_t out_sent_ = 0;
  std::string fragments_;
  bool fragmented_ = false;
  bool fragments_text_ = false;
  std::uint64_t messages_ = 0;
  std::uint32_t mask_ = 0x9d3f17a5;
};

}  // namespace term::bench
