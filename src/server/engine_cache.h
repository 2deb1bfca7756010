#pragma once
// The adapter's cache: which engine of which service serves a session.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "server/redis_worker.h"
#include "session/session.h"

namespace term::server {

/// An entry: `1 RRL host:4001`, the engines of the three ports by their first letters.
struct CachedRoute {
  Owners owners;
  std::string instance;  ///< `<host name>:<WebSocket port>` of the service that has the session.
  bool operator==(const CachedRoute&) const = default;
};
std::string to_text(const CachedRoute& route);
/// Nothing for whatever is not an entry.
std::optional<CachedRoute> route_from_text(std::string_view text);

struct CacheStatistics {
  std::string backend;  ///< `process`, or the address of Redis.
  bool available = true;
  std::string detail;
  std::uint64_t hits = 0;    ///< The entry was what its session's owners say.
  std::uint64_t misses = 0;  ///< No entry.
  std::uint64_t wrong = 0;   ///< An entry that was not true, or none at all; corrected.
  std::uint64_t errors = 0;  ///< Redis failed, was too slow, or answered nonsense.
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;  ///< Writes given up because the queue or the map was full.
  std::size_t entries = 0;    ///< In the process's own map, or waiting for Redis.
};

/// Never the truth: that is the session's owners, which every answer is held against before it is
/// used. The cache tells other services and operators who has a session, and what was known of one
/// that nobody has now. Its loss costs time; an entry comes back with the session's next
/// look-after, within kRefreshed sessions a second and shard.
///
/// Thread: any.
class EngineCache {
 public:
  static constexpr std::size_t kMaxEntries = 100'000;  ///< Of the map in the process.

  explicit EngineCache(std::optional<RedisAddress> redis);

  /// From now on entries are written, in this service's name.
  void serve_as(std::string instance);
  std::string instance() const;

  void put(const SessionId& id, const Owners& owners);
  void erase(const SessionId& id);

  struct Lookup {
    bool failed = false;
    std::optional<std::string> text;
  };
  /// Waits at most 25 ms.
  net::awaitable<Lookup> find(SessionId id);

  /// Before the loops that wait for find() go.
  void stop() {
    if (redis_) redis_->stop();
  }

  enum class Verdict { hit, miss, wrong, error };
  void count(Verdict verdict);
  CacheStatistics statistics() const;

 private:
  mutable std::mutex mutex_;
  std::string instance_;
  std::unordered_map<SessionId, std::string> entries_;
  CacheStatistics counts_;
  std::string address_;
  std::unique_ptr<RedisWorker> redis_;  ///< Null: entries_ it is.
};

}  // namespace term::server
