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
/// Any bytes do; linear time, about 10 MB/s at 24x80, so not on a shard. Thread: any.
/// Limits, from libvterm 0.1.4: emoji joined by ZWJ take a cell each, no double-width lines. Tab
/// stops, palette and hyperlinks are not kept, nor which lines were wrapped.
std::string paint_screen(std::string_view bytes, const TerminalModes& at_begin, WindowSize size);

/// From how many of the newest bytes to paint, by the screen that is shown at the end.
struct PaintLimits {
  std::size_t main = 0;
  std::size_t alternate = 0;
};

/// As paint_screen(), but from the newest bytes only; of what is before, the modes count.
std::string paint_newest(std::string_view bytes, const TerminalModes& at_begin, WindowSize size,
                         PaintLimits limits);

}  // namespace term
