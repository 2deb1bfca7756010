#pragma once
// One WebSocket connection: what the rest of the server sees of it.

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/dialect.h"
#include "server/http.h"
#include "server/operations.h"
#include "server/shards.h"
#include "session/unique_fd.h"

namespace term::server {

/// What another process needs to go on with a connection, beside its descriptor.
struct CarriedConnection {
  int fd = -1;        ///< Borrowed: the connection's own.
  SessionId session;  ///< Which shard it belongs to, and unless it only waits, which must exist.
  std::string state;  ///< JSON text with a version (carry_state.h). Has secrets: never log it.
};

/// Thread: its session's shard's.
///
/// A hand-over: freeze(), a few turns of the loop until quiet(), carry(), and once the other
/// process has adopted it, forget(); or thaw() at any time, and nothing has been.
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

  /// Takes nothing more from the socket and starts no new frame until thaw().
  virtual void freeze() = 0;
  /// Nothing of it is inside Beast or under way in a coroutine: carry() may be called. Becomes true
  /// within a few turns whatever the client does; work on other shards is waited for. Always true
  /// of one that is ending.
  virtual bool quiet() const = 0;
  /// Goes on as if nothing had been.
  virtual void thaw() = 0;
  /// While frozen and quiet. Nothing: it is ending by itself; thaw() it and let it.
  virtual std::optional<CarriedConnection> carry() = 0;
  /// carry() described it, and it is still as it was then: once somebody else serves it, forget()
  /// it and never thaw() it.
  virtual bool carried() const = 0;
  /// Somebody else has it: closes our descriptor without a word to the client or to the session's
  /// books. The object ends within a few turns.
  virtual void forget() = 0;
};

/// Accepts the upgrade on `socket` and serves it until it ends. `choice.session` is of `shard`.
/// `alive` counts the connections that have not ended. Call on the shard's thread.
void serve_websocket(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                     Upgrade upgrade, Choice choice);

/// Accepts the upgrade only to close it with a code that a browser can see (PROTOCOLS.md 2).
void refuse_websocket(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                      Upgrade upgrade, int code, std::string reason);

/// Goes on with a connection of another process, as carry() described it. It is frozen until
/// thaw(). Call on the shard of its session, which must exist there already with the input offsets
/// and the output of the other process, unless the connection only waits to be attached.
/// Errors: bad_snapshot (names the field); the client sees nothing then as long as the other
/// process keeps its descriptor.
Result<void> adopt_websocket(Shard& shard, Operations& operations, UniqueFd socket,
                             std::string_view state);

}  // namespace term::server
