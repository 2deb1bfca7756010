#pragma once
// memory pool: what a session was started with and looks like, in objects that are used again.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "legacy/events.h"

namespace term::legacy {

/// One session's object. Has exactly one owner: a session, or the shelf of recycled ones.
struct PooledSession {
  SessionId id;  ///< Of the session it belongs to; empty on the shelf.
  std::string shell;
  std::vector<std::string> args;
  std::string current_path;
  std::map<std::string, std::string> environment;
  WindowSize window;
  std::optional<int> layout_position;
  std::string metadata;
};

struct PoolStats {
  std::size_t active_sessions = 0;
  std::size_t recycled_available = 0;
  std::uint64_t allocations = 0;
  std::uint64_t deallocations = 0;
  std::uint64_t pool_hits = 0;
  std::uint64_t pool_misses = 0;
};

/// Allocates with `sessionCreated`, takes back with `sessionClosed`, and with nothing else: origin
/// also took back what it thought idle, from live sessions, and let two sessions share a buffer
/// (origin.md 2.7, P-20). It holds no output: bytes are in the ring only.
class MemoryPool final {
 public:
  static constexpr std::size_t kMaxRecycled = 20;  ///< Further ones go back to the heap.

  explicit MemoryPool(EventBus& bus);
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  PooledSession& allocate_session(const SessionRecord& record);
  void deallocate_session(const SessionId& id);
  /// Null when unknown. Valid until the session is deallocated.
  PooledSession* get_session(const SessionId& id);
  PoolStats stats() const;

  /// Fills in the pool's share of a record.
  void describe(const SessionId& id, SessionRecord& record) const;

  /// One object for each session of memory, each its own, and the recycled ones nobody's.
  ModuleHealth health(std::span<const SessionStatus> memory) const;

 private:
  std::unique_ptr<PooledSession> take();

  std::unordered_map<SessionId, std::unique_ptr<PooledSession>> allocated_;
  std::vector<std::unique_ptr<PooledSession>> recycled_;
  std::uint64_t allocations_ = 0;
  std::uint64_t deallocations_ = 0;
  std::uint64_t pool_hits_ = 0;
};

}  // namespace term::legacy
