#pragma once
// A connection of HttpServer, for its two sources alone.

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "server/http_server.h"

namespace term::server {

/// Counts itself for as long as it lives.
struct Counted {
  std::size_t& count;
  explicit Counted(std::size_t& n) : count(n) { ++count; }
  ~Counted() { --count; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

struct HttpServer::Client {
  explicit Client(net::ip::tcp::socket s) : socket(std::move(s)), deadline(socket.get_executor()) {}

  /// The connection ends unless the deadline is moved in time.
  void expire_after(std::chrono::milliseconds time, const std::shared_ptr<Client>& self) {
    deadline.expires_after(time);
    deadline.async_wait([weak = std::weak_ptr(self)](const boost::system::error_code& ec) {
      if (const auto client = weak.lock(); client && !ec) client->drop(/*late=*/true);
    });
  }
  void drop(bool late = false) {
    timed_out = late;
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  net::ip::tcp::socket socket;
  net::steady_timer deadline;
  boost::beast::flat_buffer buffer;
  std::string peer;
  bool loopback = false;
  bool timed_out = false;  ///< Dropped for being slow, not for being the oldest.
  std::list<std::weak_ptr<Client>>::iterator place;
  bool listed = false;
  bool lingers = false;  ///< It has its answer; what it still sends is dropped.
  std::optional<Counted> answering;
};

}  // namespace term::server
