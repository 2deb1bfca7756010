#pragma once
// What tells whether a session has moved since it was put down.

#include <cstddef>

#include "session/output_ring.h"
#include "session/snapshot.h"

namespace term::adapter {

/// The same as before: nothing was printed or typed, and its record is as it was.
inline std::size_t movement(const OutputRing& ring, const SessionRecord& record, bool dual_write) {
  std::size_t now = ring.next() * 2 + (dual_write ? 1 : 0);
  for (const WallTime time : {record.last_activity, record.updated_at})
    now = now * 31 + static_cast<std::size_t>(time.time_since_epoch().count());
  return now;
}

}  // namespace term::adapter
