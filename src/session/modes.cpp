// What a sequence does to the modes; modes_scan.cpp finds them, modes_text.cpp writes them.

#include "session/modes.h"

#include <algorithm>
#include <type_traits>

#include "session/csi.h"
#include "session/mode_numbers.h"

namespace term {

static_assert(std::is_trivially_copyable_v<TerminalModes>);

namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }

void save(TerminalModes& modes) {
  modes.saved[modes.alternate] = modes.now;
  modes.put(modes.alternate != 0 ? Mode::alternate_saved : Mode::main_saved, true);
}

void restore(TerminalModes& modes) {
  const Mode valid = modes.alternate != 0 ? Mode::alternate_saved : Mode::main_saved;
  modes.now = modes.has(valid) ? modes.saved[modes.alternate] : Drawing{};
}

void show_alternate(TerminalModes& modes, bool on) {
  if (!on) {
    modes.put(Mode::alternate_saved, false);
    modes.saved[1] = {};
    modes.kitty[1] = {};
    modes.kitty_depth[1] = 0;
  }
  modes.alternate = on ? 1 : 0;
}

void set_private(TerminalModes& modes, std::uint16_t number, bool on) {
  for (const ModeNumber& known : kPrivateModes) {
    if (known.number != number) continue;
    modes.put(known.mode, known.inverted ? !on : on);
    if (number == 69 && !on) modes.left = modes.right = 0;
    return;
  }
  if (number == 6) modes.now.origin = on ? 1 : 0;
  if (number == 47 || number == 1047) show_alternate(modes, on);
  if (number == 1048) on ? save(modes) : restore(modes);
  if (number == 1049) {
    if (on) save(modes);
    show_alternate(modes, on);
    if (!on) restore(modes);
  }
  if (number == 9 || (number >= 1000 && number <= 1003)) modes.mouse = on ? number : 0;
  if (number == 1005 || number == 1006 || number == 1015 || number == 1016) {
    modes.mouse_encoding = on ? number : 0;
  }
}

void set_ansi(TerminalModes& modes, std::uint16_t number, bool on) {
  if (number == 4) modes.put(Mode::insert, on);
  if (number == 20) modes.put(Mode::newline, on);
}

/// DECSTR. Source: xterm's ctlseqs; what xterm keeps (mouse, paste, screen) is kept.
void soft_reset_modes(TerminalModes& modes) {
  for (const Mode mode : {Mode::application_cursor_keys, Mode::no_autowrap, Mode::cursor_hidden,
                          Mode::application_keypad, Mode::insert, Mode::left_right_margins,
                          Mode::main_saved, Mode::alternate_saved}) {
    modes.put(mode, false);
  }
  modes.now = {};
  modes.saved = {};
  modes.top = modes.bottom = modes.left = modes.right = 0;
}

void set_margins(std::uint16_t& low, std::uint16_t& high, const Csi& csi) {
  if (csi.value(1) != 0 && csi.value(1) <= std::max<std::uint16_t>(csi.value(0), 1)) return;
  low = csi.value(0);
  high = csi.value(1);
}

/// Source: sw.kovidgoyal.net/kitty/keyboard-protocol. The oldest entry gives way to a new one.
void set_kitty(TerminalModes& modes, const Csi& csi) {
  auto& levels = modes.kitty[modes.alternate];
  std::uint8_t& depth = modes.kitty_depth[modes.alternate];
  const auto flags = static_cast<std::uint8_t>(csi.value(0) & 31U);
  if (csi.prefix == '=') {
    std::uint8_t& top = levels[depth];
    const unsigned how = csi.count > 1 ? csi.value(1) : 1;
    top = static_cast<std::uint8_t>(how == 2 ? top | flags : how == 3 ? top & ~flags : flags);
  } else if (csi.prefix == '>') {
    if (depth + std::size_t{1} < levels.size()) {
      ++depth;
    } else {
      std::shift_left(levels.begin(), levels.end(), 1);
    }
    levels[depth] = flags;
  } else if (csi.prefix == '<') {
    for (unsigned pops = std::max<unsigned>(csi.value(0), 1); pops > 0 && depth > 0; --pops) {
      levels[depth--] = 0;
    }
  }
}

void set_modifiers(TerminalModes& modes, const Csi& csi) {
  if (csi.count == 0) {
    modes.modifiers = {};
  } else if (csi.value(0) < modes.modifiers.size()) {
    modes.modifiers[csi.value(0)] =
        static_cast<std::uint8_t>(csi.count > 1 ? std::min<unsigned>(csi.value(1), 8) + 1 : 0);
  }
}

void apply_plain(TerminalModes& modes, const Csi& csi) {
  switch (csi.final) {
    case 'm':
      return apply_sgr(modes.now.pen, csi);
    case 'h':
    case 'l':
      for (std::size_t i = 0; i < csi.count; ++i) set_ansi(modes, csi.values[i], csi.final == 'h');
      return;
    case 'r':
      return set_margins(modes.top, modes.bottom, csi);
    case 's':
      if (modes.has(Mode::left_right_margins)) return set_margins(modes.left, modes.right, csi);
      return save(modes);
    case 'u':
      return restore(modes);
    default:
      return;
  }
}

/// Is there anything for apply_csi() in a CSI of that name?
bool may_set_modes(char final) {
  switch (final) {
    case 'h':
    case 'l':
    case 'm':
    case 'n':
    case 'p':
    case 'q':
    case 'r':
    case 's':
    case 'u':
      return true;
    default:
      return false;
  }
}

/// `body` is all behind the introducer.
void apply_csi(TerminalModes& modes, std::string_view body) {
  if (!may_set_modes(body.back())) return;
  const Csi csi = read_csi(body);
  if (csi.prefix == 0 && csi.intermediate == 0) return apply_plain(modes, csi);
  if (csi.is('?', 0, 'h') || csi.is('?', 0, 'l')) {
    for (std::size_t i = 0; i < csi.count; ++i) set_private(modes, csi.values[i], csi.final == 'h');
  } else if (csi.is(0, '!', 'p')) {
    soft_reset_modes(modes);
  } else if (csi.is(0, ' ', 'q')) {
    modes.cursor_style = static_cast<std::uint8_t>(csi.value(0) <= 6 ? csi.value(0) : 0);
  } else if (csi.final == 'u' && csi.intermediate == 0) {
    set_kitty(modes, csi);
  } else if (csi.is('>', 0, 'm')) {
    set_modifiers(modes, csi);
  } else if (csi.is('>', 0, 'n') && csi.value(0) < modes.modifiers.size()) {
    modes.modifiers[csi.count == 0 ? 2 : csi.value(0)] = 0;
  }
}

void apply_escape(TerminalModes& modes, char intermediate, char final) {
  if (intermediate >= '(' && intermediate <= '+') {
    modes.now.designated[static_cast<std::size_t>(intermediate - '(')] =
        final == 'B' ? '\0' : final;
  }
  if (intermediate != 0) return;
  switch (final) {
    case '7':
      return save(modes);
    case '8':
      return restore(modes);
    case '=':
      return modes.put(Mode::application_keypad, true);
    case '>':
      return modes.put(Mode::application_keypad, false);
    case 'c':
      modes = {};
      return;
    case 'n':
      modes.now.shifted = 2;
      return;
    case 'o':
      modes.now.shifted = 3;
      return;
    default:
      return;
  }
}

}  // namespace

void TerminalModes::put(Mode mode, bool value) {
  const std::uint32_t bit = 1U << static_cast<unsigned>(mode);
  on = value ? on | bit : on & ~bit;
}

void apply_sequence(TerminalModes& modes, std::string_view bytes, const EscapeSequence& sequence) {
  if (sequence.ending != EscapeSequence::Ending::complete) return;
  if (sequence.kind == EscapeSequence::Kind::csi) return apply_csi(modes, body_of(bytes, sequence));
  if (sequence.kind != EscapeSequence::Kind::escape) return;
  char intermediate = 0;
  char final = 0;
  for (const char c : body_of(bytes, sequence)) {
    if (is_control(c)) continue;
    if (final != 0) intermediate = intermediate == 0 ? final : Csi::kSeveral;
    final = c;
  }
  apply_escape(modes, intermediate, final);
}

}  // namespace term
