#pragma once
// What happens, told to whoever listens at GET /api/events (PROTOCOLS.md 4).

#include <cstdint>
#include <list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "server/http.h"
#include "session/signal.h"

namespace term::server {

/// Thread: the first shard's.
class Events {
 public:
  static constexpr std::size_t kMaxListeners = 64;
  /// Of one listener. When it is full the oldest event goes, and the listener is told how many.
  static constexpr std::size_t kMaxWaiting = 256;

  explicit Events(net::any_io_executor executor) : executor_(std::move(executor)) {}

  /// `type`: `flip`, `alert`, `sessions`, `admission`.
  void publish(std::string_view type, const nlohmann::json& data);
  /// The events from now on, as a text/event-stream; a comment every 15 s keeps it alive.
  /// Errors: limit_reached.
  Result<std::shared_ptr<Pieces>> listen();

  std::size_t listeners() const;
  std::uint64_t missed() const { return missed_; }  ///< Dropped for listeners that were too slow.

 private:
  class Listener;
  net::any_io_executor executor_;
  std::list<std::weak_ptr<Listener>> listeners_;
  std::uint64_t next_id_ = 1;
  std::uint64_t missed_ = 0;
};

}  // namespace term::server
