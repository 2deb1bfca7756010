#pragma once
// The modes at the oldest byte that is still held, and so at any later one.

#include <array>
#include <cstdint>
#include <optional>

#include "session/modes.h"
#include "session/output_ring.h"

namespace term {

/// Keeps the modes at one offset near the begin of a ring, and moves on as the ring laps. No byte
/// is looked at before it is about to be overwritten, and then once: a session whose ring never
/// laps costs nothing.
///
/// A value of fixed size without pointers, all-zero for a session that begins: it may lie in shared
/// memory. There are two entries, and one byte says which of them counts; it changes last. Whoever
/// finds the memory after a kill has one whole entry.
/// Thread: the ring's.
class ModeLedger {
 public:
  struct Entry {
    Offset at = 0;
    TerminalModes modes;
    bool operator==(const Entry&) const = default;
  };

  /// From here on modes are known. At most a sixteenth of the ring (but at least a page) above
  /// ring.first(), once the ring has lapped.
  Offset known_from() const { return current().at; }
  /// known_from() if it is not inside a string, where a replay could not begin.
  std::optional<Offset> known_outside() const {
    if (current().modes.inside != TerminalModes::ground) return std::nullopt;
    return known_from();
  }

  /// Call it before bytes below `new_first` are overwritten, that is before OutputRing::writable()
  /// or append(): the bytes from known_from() on must still be there. Does nothing while
  /// known_from() >= new_first. `new_first` is at most ring.next().
  void before_overwrite(const OutputRing& ring, Offset new_first);

  /// The modes at `at` in [known_from(), ring.next()]; clamped to that. Scans from known_from() on:
  /// at 100 MB/s and more, so for an attach, not for each turn.
  TerminalModes at(const OutputRing& ring, Offset at) const;

  /// Starts anew: the terminal was reset, and the next byte has the offset `at`.
  void restart(Offset at, const TerminalModes& modes = {});

 private:
  const Entry& current() const { return entries_[which_ & 1U]; }
  void put(const Entry& entry);

  std::array<Entry, 2> entries_{};
  std::uint8_t which_ = 0;
};

}  // namespace term
