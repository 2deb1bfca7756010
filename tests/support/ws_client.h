#pragma once
// A WebSocket client for tests: real sockets, messages collected on a thread of its own.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/until.h"

namespace term::test {

/// What a connection received so far.
struct Inbox {
  std::string bytes;               ///< All binary messages, one after the other.
  std::vector<std::string> texts;  ///< Text messages, in order.
  bool open = false;
  bool closed = false;
  unsigned http_status = 0;  ///< Of a refused handshake.
  std::string subprotocol;   ///< As the server answered.
  int close_code = 0;
  std::string close_reason;
};

/// One thread on which all clients of a test live.
class ClientLoop {
 public:
  ClientLoop();
  ~ClientLoop();
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Thread: construct and call from the test's thread.
class WsClient {
 public:
  struct Options {
    std::string subprotocol;
    std::map<std::string, std::string> headers;
    /// Called on the loop's thread for each message; may send.
    std::function<void(WsClient&, bool text, const std::string&)> on_message;
    bool keep_bytes = true;  ///< False: `bytes` stays empty (floods).
    int receive_buffer = 0;  ///< SO_RCVBUF, 0 = default.
    bool deflate = false;    ///< Offers permessage-deflate.
  };
  /// Connects and waits until the handshake has succeeded or failed; see inbox().
  WsClient(ClientLoop& loop, unsigned short port, std::string target, Options options);
  WsClient(ClientLoop& loop, unsigned short port, std::string target)
      : WsClient(loop, port, std::move(target), Options()) {}
  ~WsClient();
  WsClient(const WsClient&) = delete;
  WsClient& operator=(const WsClient&) = delete;

  void text(std::string message);
  void binary(std::string message);
  /// A close frame with this code; the inbox says when it is done.
  void close(int code, std::string reason = "");
  /// The connection is cut without a word (RST).
  void cut();
  /// These bytes go out on the socket as they are, in no frame.
  void raw(std::string bytes);
  void pause_reading(bool paused);

  Inbox inbox() const;
  /// Waits until `done` holds; false after the deadline.
  bool wait(const std::function<bool(const Inbox&)>& done,
            std::chrono::milliseconds deadline = kDeadline) const;
  bool wait_bytes(const std::string& part) const;
  /// Waits for a text message containing `part`; the first such.
  std::optional<std::string> wait_text(const std::string& part) const;
  bool wait_closed() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

/// A plain HTTP/1.1 exchange on a fresh connection.
struct HttpReply {
  unsigned status = 0;
  std::map<std::string, std::string> headers;  ///< Lower-case names.
  std::string body;
};
HttpReply http(unsigned short port, const std::string& method, const std::string& target,
               const std::string& body = "", std::map<std::string, std::string> headers = {});

/// Sends bytes on a fresh TCP connection and reads until the server closes or `until` was seen.
std::string tcp_exchange(unsigned short port, const std::string& bytes,
                         const std::string& until = "");

}  // namespace term::test
