#pragma once
// Going on with the sessions that the holder keeps, before the loops run (STATE.md 3).

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/shards.h"
#include "session/holder_source.h"

namespace term::server {

/// What was found at the start, for the log and for health.
struct RecoveryReport {
  std::size_t adopted = 0;
  std::size_t ended = 0;  ///< Of those: their shells had ended meanwhile.
  /// Sessions that were held and could not be gone on with, with the reason; they are left with the
  /// holder.
  std::vector<std::pair<SessionId, std::string>> failed;
  /// Where holder, arena and books did not agree, and what was made of it.
  std::vector<std::string> disagreements;
  Millis took{0};
};

struct RecoveryInput {
  Arena& arena;
  HolderPtySource& source;
  std::vector<HeldSession> held;
  /// Of a hand-over, by slot: fresher than what is in the arena. Empty after a crash.
  std::map<std::uint32_t, std::string> books;
  /// Projects as the earlier process had them; empty after a crash: they are put together from
  /// their sessions.
  std::vector<ProjectRecord> projects;
  WallTime now;
  Millis detached_ttl;
  /// Called for each session, from the shards' threads at the same time.
  std::function<void()> alive = [] {};
};

/// Every session frozen, on the engine that had it; each shard's thaw() lets them go on.
/// Thread: none of the shards' runs yet.
RecoveryReport recover_sessions(Shards& shards, RecoveryInput input);

}  // namespace term::server
