#pragma once
// Replaying scrollback to a terminal that was not there when it was printed (DESIGN.md 5).

#include <string>
#include <string_view>

#include "session/output_ring.h"

namespace term {

/// The first offset at or after `from` where a replay may start: not inside a UTF-8 sequence or an
/// escape sequence. Offset 0 is always safe; so is a line start, which it looks for in the first
/// 4 KiB after `from` before it settles for a lesser place.
Offset safe_replay_start(const OutputRing& ring, Offset from);

/// `bytes` without the sequences that make a terminal answer: device attributes (CSI c, CSI > c,
/// CSI = c), device status and cursor position (CSI n, CSI ? n), DECRQSS and XTGETTCAP (DCS $ q,
/// DCS + q), OSC colour and clipboard queries (OSC 4/10..19/52 with ?), window reports (CSI 11-21
/// t), DECRQM (CSI $ p), XTVERSION (CSI > q), ENQ. Everything else is untouched, in order. A
/// sequence cut off at the end is kept as it is: `bytes` should end where live output goes on.
/// Source: ctlseqs of xterm; xterm.js InputHandler.
std::string mute_queries(std::string_view bytes);

}  // namespace term
