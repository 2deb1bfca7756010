#pragma once
// Replaying scrollback to a terminal that was not there when it was printed (DESIGN.md 5).

#include <optional>
#include <string>
#include <string_view>

#include "session/output_ring.h"

namespace term {

/// The first offset at or after `from` where a replay may start: not inside a UTF-8 sequence or an
/// escape sequence. Offset 0 is always safe; so is a line start, which it looks for in the first
/// 4 KiB after `from` before it settles for a lesser place. A line start inside a long string
/// (sixel) is none. Where the ring's own begin may lie inside a sequence it judges by what follows,
/// which may take a look through all of the ring, or up to `outside`: a place that is known not to
/// be inside one.
Offset safe_replay_start(const OutputRing& ring, Offset from, std::optional<Offset> outside = {});

/// `bytes` without what makes a terminal answer: device attributes (CSI c, CSI > c, CSI = c, ESC
/// Z), device status and cursor position (CSI n, CSI ? n), DECRQSS and XTGETTCAP (DCS $ q, DCS +
/// q), colour, font and clipboard queries (OSC 4, 5, 10..19, 50, 52 with ?), window reports (CSI
/// 11..21 t), DECRQM (CSI $ p), XTVERSION (CSI > q), the kitty keyboard query (CSI ? u), rarer
/// reports of xterm, ENQ. Everything else is untouched, in order: a colour that is set beside one
/// that is asked for, a control inside a query. A sequence cut off at the end is kept as it is:
/// `bytes` should end where live output goes on. Linear time.
/// Source: ctlseqs of xterm; xterm.js InputHandler.
std::string mute_queries(std::string_view bytes);

}  // namespace term
