// Writing modes as sequences; modes.cpp reads them.

#include "session/mode_numbers.h"
#include "session/modes.h"

namespace term {

namespace {

constexpr std::string_view kPlainDrawing = "\x1B[m\x1B(B\x1B)B\x1B*B\x1B+B\x0F";
constexpr std::string_view kPlainKeyboard = "\x1B[<99u\x1B[=0u";  ///< Kitty's flags.

void append_private(std::string& out, unsigned number, bool on) {
  out.append("\x1B[?").append(std::to_string(number)) += on ? 'h' : 'l';
}

void append_margin_pair(std::string& out, unsigned low, unsigned high, char final) {
  if (low == 0 && high == 0) return;
  out.append("\x1B[").append(std::to_string(low == 0 ? 1 : low)) += ';';
  if (high != 0) out += std::to_string(high);
  out += final;
}

/// Each screen has flags of its own.
void append_kitty(std::string& out, const TerminalModes& modes, std::size_t screen) {
  const auto& levels = modes.kitty[screen];
  if (levels[0] != 0) out.append("\x1B[=").append(std::to_string(unsigned{levels[0]})) += 'u';
  for (std::size_t level = 1; level <= modes.kitty_depth[screen]; ++level) {
    out.append("\x1B[>").append(std::to_string(unsigned{levels[level]})) += 'u';
  }
}

}  // namespace

void append_settings(std::string& out, const TerminalModes& modes) {
  for (const ModeNumber& known : kPrivateModes) {
    const bool margins = known.mode == Mode::left_right_margins;  // Belongs to append_margins().
    const bool keypad = known.mode == Mode::application_keypad;   // ESC = is what everybody knows.
    if (!margins && !keypad && modes.has(known.mode)) {
      append_private(out, known.number, !known.inverted);
    }
  }
  if (modes.has(Mode::application_keypad)) out += "\x1B=";
  if (modes.has(Mode::newline)) out += "\x1B[20h";
  if (modes.mouse != 0) append_private(out, modes.mouse, true);
  if (modes.mouse_encoding != 0) append_private(out, modes.mouse_encoding, true);
  if (modes.cursor_style != 0) {
    out.append("\x1B[").append(std::to_string(unsigned{modes.cursor_style})).append(" q");
  }
  append_kitty(out, modes, modes.alternate);
  for (std::size_t resource = 0; resource < modes.modifiers.size(); ++resource) {
    if (modes.modifiers[resource] == 0) continue;
    out.append("\x1B[>").append(std::to_string(resource)) += ';';
    out.append(std::to_string(modes.modifiers[resource] - 1)) += 'm';
  }
}

void append_margins(std::string& out, const TerminalModes& modes) {
  if (modes.has(Mode::left_right_margins)) {
    append_private(out, 69, true);
    append_margin_pair(out, modes.left, modes.right, 's');
  }
  append_margin_pair(out, modes.top, modes.bottom, 'r');
  if (modes.now.origin != 0) append_private(out, 6, true);
}

void append_drawing(std::string& out, const Drawing& drawing) {
  if (drawing.pen != Pen{}) append_sgr(out, drawing.pen);
  for (std::size_t set = 0; set < drawing.designated.size(); ++set) {
    if (drawing.designated[set] == '\0') continue;
    out += '\x1B';
    out += static_cast<char>('(' + static_cast<int>(set));
    out += drawing.designated[set];
  }
  if (drawing.shifted == 1) out += '\x0E';
  if (drawing.shifted == 2) out += "\x1Bn";
  if (drawing.shifted == 3) out += "\x1Bo";
}

void append_saved_cursor(std::string& out, const Drawing& drawing, std::string_view place,
                         std::string_view save) {
  append_drawing(out, drawing);
  if (drawing.origin != 0) append_private(out, 6, true);
  out.append(place).append(save).append(kPlainDrawing);
  if (drawing.origin != 0) append_private(out, 6, false);
}

void append_alternate(std::string& out, const TerminalModes& modes, std::string_view place) {
  append_kitty(out, modes, 0);
  append_saved_cursor(out, modes.saved[0], place, "\x1B[?1049h");
  out += kPlainKeyboard;
}

std::string mode_preamble(const TerminalModes& modes) {
  std::string out;
  if (modes.alternate != 0) append_alternate(out, modes, {});
  append_settings(out, modes);
  append_margins(out, modes);
  append_drawing(out, modes.now);
  if (modes.has(Mode::insert)) out += "\x1B[4h";
  return out;
}

std::string soft_reset() {
  // CAN ends whatever sequence was cut off. 1049 comes before DECSTR: it brings a saved pen back.
  std::string out = "\x18\x1B]8;;\x07\x1B[?2026l\x1B[?1049l\x1B[!p\x1B[4l\x1B[20l";
  // One each: some terminals read the first number only, and libvterm 0.1.4 crashes on 17.
  for (const unsigned number : {6U, 9U, 1000U, 1001U, 1002U, 1003U, 1005U, 1006U, 1015U, 1016U}) {
    append_private(out, number, false);
  }
  for (const ModeNumber& known : kPrivateModes) append_private(out, known.number, known.inverted);
  out += "\x1B>\x1B[0 q\x1B[r\x1B[>m";
  return out.append(kPlainDrawing).append(kPlainKeyboard);
}

}  // namespace term
