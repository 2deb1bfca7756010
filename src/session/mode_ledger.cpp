#include "session/mode_ledger.h"

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace term {

static_assert(std::is_trivially_copyable_v<ModeLedger>);

namespace {

/// How much is scanned at a time beyond what must be: the lower, the more of the ring can be
/// replayed; the higher, the fewer calls.
Offset step_bytes(const OutputRing& ring) { return std::max<Offset>(ring.capacity() / 16, 4096); }

/// Scans [entry.at, upto) as two spans. A sequence cut off at the end is given up when `must`, so
/// that the entry surely reaches `upto`; else the entry stays before it.
void advance(ModeLedger::Entry& entry, const OutputRing& ring, Offset upto, Offset must) {
  while (entry.at < upto) {
    const auto [head, rest] = ring.read(entry.at, static_cast<std::size_t>(upto - entry.at));
    if (head.empty()) break;
    std::size_t done = scan_modes(entry.modes, {head.data(), head.size()});
    if (done < head.size() && !rest.empty()) {
      // A sequence around the end of the mapping: a little more than its length decides it.
      const std::string seam = ring.copy(
          entry.at + done,
          std::min<std::size_t>(head.size() - done + rest.size(), 2 * kLongestSequence + 2));
      const std::size_t more = scan_modes(entry.modes, seam);
      if (more == 0) break;
      done += more;
    }
    if (done == 0) break;
    entry.at += done;
  }
  if (entry.at >= must) return;
  // Longer than all that is left of it: no real sequence is.
  entry.at = must;
  entry.modes.inside = TerminalModes::ground;
}

}  // namespace

void ModeLedger::put(const Entry& entry) {
  const auto other = static_cast<std::uint8_t>((which_ & 1U) ^ 1U);
  entries_[other] = entry;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // Not for threads: for a kill in between.
  which_ = other;
}

void ModeLedger::restart(Offset at, const TerminalModes& modes) { put({.at = at, .modes = modes}); }

void ModeLedger::before_overwrite(const OutputRing& ring, Offset new_first) {
  new_first = std::min(new_first, ring.next());
  if (known_from() >= new_first) return;
  Entry entry = current();
  if (entry.at < ring.first()) {  // Told too late: what was set in between is not known.
    entry.at = ring.first();
    entry.modes.inside = TerminalModes::ground;
  }
  advance(entry, ring, std::min(new_first + step_bytes(ring), ring.next()), new_first);
  put(entry);
}

TerminalModes ModeLedger::at(const OutputRing& ring, Offset at) const {
  Entry entry = current();
  at = std::min(at, ring.next());
  if (at > entry.at) advance(entry, ring, at, entry.at);
  return entry.modes;
}

}  // namespace term
