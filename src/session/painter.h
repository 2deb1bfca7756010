#pragma once
// A screen as bytes: what a viewer gets that missed how the screen came to be (DESIGN.md 5).

#include <string>
#include <string_view>

#include "session/modes.h"
#include "session/types.h"

namespace term {

/// Bytes that bring any xterm-compatible terminal of `size`, whatever its state, to the screen that
/// a terminal with a cleared screen in the modes `at_begin` would show after `bytes`: both screens,
/// attributes, cursor, title, and the modes for what comes next. Then live output may go on where
/// `bytes` end, even in the middle of a sequence. It keeps the terminal's scrollback, and asks it
/// nothing.
///
/// `bytes` begin outside of characters and sequences (safe_replay_start()).
/// Any bytes do; linear time, 20 to 60 MB/s, so not on a shard. Thread: any.
/// Limits, from libvterm 0.1.4: emoji joined by ZWJ take a cell each, no double-width lines. Tab
/// stops, palette and hyperlinks are not kept, nor which lines were wrapped.
std::string paint_screen(std::string_view bytes, const TerminalModes& at_begin, WindowSize size);

}  // namespace term
