#pragma once
// The modes of a terminal, as a program's output has set them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "session/escape.h"
#include "session/pen.h"

namespace term {

/// What DECSC saves and DECRC brings back, but for the place of the cursor.
struct Drawing {
  Pen pen;
  std::array<char, 4> designated{};  ///< G0 to G3: final byte of the designation; 0 is ASCII.
  std::uint8_t shifted = 0;          ///< Which of them is in use.
  std::uint8_t origin = 0;           ///< DECOM.
  bool operator==(const Drawing&) const = default;
};

/// Modes that are on or off. Each is off when the terminal is switched on.
enum class Mode : std::uint8_t {
  application_cursor_keys,
  reverse_screen,
  no_autowrap,
  cursor_blink,
  cursor_hidden,
  reverse_wrap,
  application_keypad,
  left_right_margins,
  focus_reports,
  no_alternate_scroll,
  bracketed_paste,
  synchronized_output,
  colour_scheme_reports,
  size_reports,
  win32_input,
  insert,
  newline,
  main_saved,  ///< TerminalModes::saved of the main screen holds something.
  alternate_saved,
};

/// Everything that decides how a terminal reads what comes next and what it sends, but not what it
/// shows. All-zero is a terminal just switched on.
///
/// A value of fixed size without pointers: it may lie in shared memory and outlive the process.
/// Left out: tab stops, the places of saved cursors, palette and titles.
struct TerminalModes {
  /// The string (or overlong sequence) in which scanning stopped; the next scan begins within.
  enum Inside : std::uint8_t { ground, osc, string, csi };
  static constexpr std::size_t kKittyLevels = 8;
  static constexpr std::size_t kModifierResources = 8;

  Drawing now;
  std::array<Drawing, 2> saved;      ///< By DECSC: on the main and on the alternate screen.
  std::uint32_t on = 0;              ///< Bit n: the Mode with that number.
  std::uint16_t mouse = 0;           ///< 9, 1000, 1001, 1002, 1003; 0 = no reports.
  std::uint16_t mouse_encoding = 0;  ///< 1005, 1006, 1015, 1016; 0 = the old one.
  std::uint16_t top = 0;             ///< Margins, counted from 1; 0 = the edge of the screen.
  std::uint16_t bottom = 0;
  std::uint16_t left = 0;
  std::uint16_t right = 0;
  std::uint8_t cursor_style = 0;  ///< DECSCUSR.
  std::uint8_t alternate = 0;     ///< The alternate screen is shown.
  std::uint8_t inside = ground;
  /// Kitty keyboard flags of both screens: a stack whose top is kitty[screen][kitty_depth[screen]].
  std::array<std::uint8_t, 2> kitty_depth{};
  std::array<std::array<std::uint8_t, kKittyLevels>, 2> kitty{};
  /// XTMODKEYS: the value of a resource plus 1; 0 = as the user has it.
  std::array<std::uint8_t, kModifierResources> modifiers{};

  bool has(Mode mode) const { return (on >> static_cast<unsigned>(mode) & 1U) != 0; }
  void put(Mode mode, bool value);
  bool operator==(const TerminalModes&) const = default;
};
static_assert(sizeof(TerminalModes) <= 128);

/// Applies the sequences in `bytes` and returns how many of them are dealt with: all, or all up to
/// a sequence that is cut off at the end. A later scan goes on from there.
///
/// What is left over has at most kLongestSequence bytes; a longer one is skipped, across scans if
/// need be. So are strings: what they contain is not mistaken for anything. Linear; several GB/s
/// where there are no sequences. Source: ctlseqs of xterm, xterm.js InputHandler, kitty's protocol.
std::size_t scan_modes(TerminalModes& modes, std::string_view bytes);
inline constexpr std::size_t kLongestSequence = 1024;

/// Applies one complete sequence of `bytes`.
void apply_sequence(TerminalModes& modes, std::string_view bytes, const EscapeSequence& sequence);

/// Brings a terminal that was just reset into `modes`. The cursor ends up at home.
std::string mode_preamble(const TerminalModes& modes);

// Its parts, for who paints in between.
/// Modes that neither move the cursor nor change how a character is drawn.
void append_settings(std::string& out, const TerminalModes& modes);
/// Margins and DECOM; the cursor goes home if there are any.
void append_margins(std::string& out, const TerminalModes& modes);
/// Pen and character sets, on a terminal that has all as when switched on.
void append_drawing(std::string& out, const Drawing& drawing);
/// Puts `drawing` in place, goes to `place` and saves both with `save` (DECSC, DECSET 1049). The
/// drawing is plain and there are no margins, before and after.
void append_saved_cursor(std::string& out, const Drawing& drawing, std::string_view place,
                         std::string_view save);
/// Leaves the main screen with what is saved there; `place` is the sequence that goes to it.
void append_alternate(std::string& out, const TerminalModes& modes, std::string_view place);
/// From any state to that of a terminal just switched on, on the main screen. Neither clears the
/// screen nor the scrollback, makes nothing answer and ends a sequence that was cut off.
std::string soft_reset();

}  // namespace term
