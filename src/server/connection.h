#pragma once
// One WebSocket connection: what the rest of the server sees of it.

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "server/dialect.h"
#include "server/http.h"
#include "server/operations.h"
#include "server/shards.h"

namespace term::server {

/// Thread: its session's shard's.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Called every ping interval: pings when nothing moved since the last call, gives the
  /// connection up when nothing moved for three (DESIGN.md 5: liveness is "something moved").
  virtual void check_alive() = 0;
  /// The service stops: tell the user, then close with 1001.
  virtual void go_away(const std::string& message) = 0;
  /// Ends it without ceremony.
  virtual void abort() = 0;
};

/// Accepts the upgrade on `socket` and serves it until it ends. `choice.session` is of `shard`.
/// `alive` counts the connections that have not ended. Call on the shard's thread.
void serve_websocket(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                     Upgrade upgrade, Choice choice);

/// Accepts the upgrade only to close it with a code that a browser can see (PROTOCOLS.md 2).
void refuse_websocket(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                      Upgrade upgrade, int code, std::string reason);

}  // namespace term::server
