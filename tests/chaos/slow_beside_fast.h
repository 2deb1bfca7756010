#pragma once
// A slow viewer beside a fast one, under a flood.

#include <cstdint>

#include "chaos/faults.h"

namespace term::chaos {

/// One session prints as fast as it is read, `mib` MiB of it to a fast client alone and again as
/// much with a slow viewer beside it. Prints the rate of both parts, how much the service's memory
/// moved, and what the slow one got and was told. Fails when the fast one misses a byte or is told
/// of a gap, when the slow one has a byte that does not belong or misses one untold, or does not
/// come up to the end, or when memory grew by more than kMemoryMayGrow.
void run_slow_beside_fast(World& world, std::uint64_t mib);

}  // namespace term::chaos
