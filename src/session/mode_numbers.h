#pragma once
// The numbers of private modes (CSI ? n h) that are just on or off.

#include <array>
#include <cstdint>

#include "session/modes.h"

namespace term {

struct ModeNumber {
  std::uint16_t number;
  Mode mode;
  bool inverted = false;  ///< The terminal has it on when it is switched on.
};

/// Source: ctlseqs of xterm; contour-terminal.org for 2026 and later, Microsoft's for 9001.
inline constexpr std::array kPrivateModes{
    ModeNumber{1, Mode::application_cursor_keys},
    ModeNumber{5, Mode::reverse_screen},
    ModeNumber{7, Mode::no_autowrap, true},
    ModeNumber{12, Mode::cursor_blink},
    ModeNumber{25, Mode::cursor_hidden, true},
    ModeNumber{45, Mode::reverse_wrap},
    ModeNumber{66, Mode::application_keypad},
    ModeNumber{69, Mode::left_right_margins},
    ModeNumber{1004, Mode::focus_reports},
    ModeNumber{1007, Mode::no_alternate_scroll, true},
    ModeNumber{2004, Mode::bracketed_paste},
    ModeNumber{2026, Mode::synchronized_output},
    ModeNumber{2031, Mode::colour_scheme_reports},
    ModeNumber{2048, Mode::size_reports},
    ModeNumber{9001, Mode::win32_input},
};

}  // namespace term
