#pragma once
// A flip: the books of one session change hands, and nothing else does.

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "adapter/engines.h"
#include "adapter/flags.h"

namespace term::adapter {

/// What moved, or why not. Offsets are those at the session's own freeze and after its import.
struct MoveResult {
  SessionId id;
  bool moved = false;  ///< False also when it already was where it should be.
  std::optional<Error> error;
  Owners from;
  Owners to;
  std::string before;  ///< `<first>-<next>/<client>=<written>…`: what the hash is made of.
  std::string after;
};

/// Moves `session` to `to`, all ports that differ or none: freeze (this thread does nothing else
/// meanwhile), export, import, verify field by field, switch, release. If anything fails it stays
/// where it was, working, and the result says why. Viewers are told of the new owners.
MoveResult move_session(Session& session, const Engines& engines, const Owners& to);

/// One flip as the journal keeps it (PROTOCOLS.md 4).
struct FlipEntry {
  std::string id;
  std::string who;
  std::string reason;
  std::string from;
  std::string to;
  WallTime started{};
  std::optional<WallTime> ended;
  bool force = false;
  std::size_t sessions = 0;        ///< Live when it started.
  std::size_t sessions_after = 0;  ///< Of those, live or properly ended when it ended.
  std::size_t moved = 0;
  std::size_t lost = 0;
  std::size_t progress = 0;  ///< Sessions looked at so far.
  struct Failure {
    SessionId id;
    std::string error;
  };
  std::vector<Failure> failed;
  std::string sha256_before;
  std::string sha256_after;
  bool good = false;  ///< Nothing lost, nothing failed, hashes equal.
};

/// The newest 1,000 flips, in memory; the oldest fall out and are counted.
class FlipJournal {
 public:
  /// Its id, `flip_<epoch-ms>_<n>`, is one that no earlier process gave either.
  FlipEntry& open(FlipEntry entry);
  /// Those of earlier processes, oldest first; they come before what is here. Known ids stay.
  void restore(std::vector<FlipEntry> earlier);
  const std::deque<FlipEntry>& entries() const { return entries_; }
  const FlipEntry* find(std::string_view id) const;
  std::size_t dropped() const { return dropped_; }

 private:
  std::deque<FlipEntry> entries_;
  std::size_t dropped_ = 0;
  std::size_t next_id_ = 1;
};

/// Hash over the sessions' offsets, in order of their ids: `before` or `after` of each result.
std::string offsets_sha256(const std::vector<MoveResult>& results, bool after);

}  // namespace term::adapter
