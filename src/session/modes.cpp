// Reading modes out of a stream; modes_text.cpp writes them.

#include "session/modes.h"

#include <algorithm>
#include <type_traits>

#include "session/block_scan.h"
#include "session/csi.h"
#include "session/mode_numbers.h"

namespace term {

static_assert(std::is_trivially_copyable_v<TerminalModes>);

namespace {

using Kind = EscapeSequence::Kind;
using Ending = EscapeSequence::Ending;

constexpr char kEsc = '\x1B';
constexpr char kShiftOut = '\x0E';
constexpr char kShiftIn = '\x0F';
constexpr char kC1Lead = '\xC2';  ///< C1 controls are C2 80 to C2 9F in UTF-8.

bool is_special(char c) { return c == kEsc || c == kC1Lead || c == kShiftOut || c == kShiftIn; }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }

bool is_c1(std::string_view bytes, std::size_t at) {
  const auto next = static_cast<unsigned char>(bytes[at + 1]);
  return next >= 0x80 && next < 0xA0;
}

/// The first place from `at` on where a mode may change.
std::size_t find_special(std::string_view bytes, std::size_t at) {
  // Sequences stand close together: a block would be looked at for each of them.
  for (const std::size_t near = std::min(bytes.size(), at + 16); at < near; ++at)
    if (is_special(bytes[at])) return at;
  at =
      skip_blocks(bytes, at, [](char c) {  // Not is_special(): of its branches no vectors are made.
        return (c == kEsc) | (c == kC1Lead) | (c == kShiftOut) | (c == kShiftIn);
      });
  while (at < bytes.size() && !is_special(bytes[at])) ++at;
  return at;
}

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

void apply_csi(TerminalModes& modes, const Csi& csi) {
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

/// Where the string or overlong sequence that an earlier scan stopped in ends; moves to `ground`
/// there. Returns the place of a byte that cannot be judged without the next one.
std::size_t leave_inside(TerminalModes& modes, std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    const bool last = at + 1 == bytes.size();
    std::size_t ends_at = 0;
    if (c == '\x18' || c == '\x1A' || (c == '\x07' && modes.inside == TerminalModes::osc)) {
      ends_at = at + 1;
    } else if (modes.inside == TerminalModes::csi) {
      if (c == kEsc) {
        modes.inside = TerminalModes::ground;
        return at;
      }
      if (c >= '@' && c <= '~') ends_at = at + 1;
    } else if (c == kEsc || c == kC1Lead) {
      if (last) return at;
      const bool c1 = c == kC1Lead && is_c1(bytes, at);
      const bool terminator = c == kEsc ? bytes[at + 1] == '\\' : c1 && bytes[at + 1] == '\x9C';
      if (terminator) {
        ends_at = at + 2;
      } else if (c == kEsc || c1) {
        modes.inside = TerminalModes::ground;
        return at;
      }
    }
    if (ends_at == 0) continue;
    modes.inside = TerminalModes::ground;
    return ends_at;
  }
  return bytes.size();
}

/// A sequence begins at `begin` and does not end in `bytes`: how much is dealt with?
std::size_t stop_within(TerminalModes& modes, std::string_view bytes,
                        const EscapeSequence& sequence) {
  const bool is_string = sequence.kind != Kind::escape && sequence.kind != Kind::csi;
  if (is_string) {
    modes.inside = sequence.kind == Kind::osc ? TerminalModes::osc : TerminalModes::string;
    const char last = bytes.back();
    const bool undecided = bytes.size() > sequence.body && (last == kEsc || last == kC1Lead);
    return bytes.size() - (undecided ? 1 : 0);
  }
  if (bytes.size() - sequence.begin <= kLongestSequence) return sequence.begin;
  modes.inside = sequence.kind == Kind::csi ? TerminalModes::csi : TerminalModes::ground;
  return bytes.size();
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

/// Takes in a CSI at `at` that is whole and has no control in it, sooner than read_escape() would:
/// coloured output is full of them. Returns where it ends; `at` if it is anything else.
std::size_t take_csi(TerminalModes& modes, std::string_view bytes, std::size_t at) {
  if (bytes.substr(at, 2) != "\x1B[") return at;
  std::size_t end = at + 2;
  while (end < bytes.size() && bytes[end] >= ' ' && bytes[end] <= '?') ++end;
  if (end == bytes.size() || bytes[end] < '@' || bytes[end] > '~') return at;
  if (may_set_modes(bytes[end])) apply_csi(modes, read_csi(bytes.substr(at + 2, end - at - 1)));
  return end + 1;
}

}  // namespace

void TerminalModes::put(Mode mode, bool value) {
  const std::uint32_t bit = 1U << static_cast<unsigned>(mode);
  on = value ? on | bit : on & ~bit;
}

void apply_sequence(TerminalModes& modes, std::string_view bytes, const EscapeSequence& sequence) {
  if (sequence.ending != Ending::complete) return;
  if (sequence.kind == Kind::csi) return apply_csi(modes, read_csi(body_of(bytes, sequence)));
  if (sequence.kind != Kind::escape) return;
  char intermediate = 0;
  char final = 0;
  for (const char c : body_of(bytes, sequence)) {
    if (is_control(c)) continue;
    if (final != 0) intermediate = intermediate == 0 ? final : Csi::kSeveral;
    final = c;
  }
  apply_escape(modes, intermediate, final);
}

std::size_t scan_modes(TerminalModes& modes, std::string_view bytes) {
  std::size_t at = 0;
  if (modes.inside != TerminalModes::ground) {
    at = leave_inside(modes, bytes);
    if (modes.inside != TerminalModes::ground) return at;
  }
  for (;;) {
    at = find_special(bytes, at);
    if (at == bytes.size()) return at;
    if (bytes[at] == kShiftOut || bytes[at] == kShiftIn) {
      modes.now.shifted = bytes[at] == kShiftOut ? 1 : 0;
      ++at;
      continue;
    }
    if (bytes[at] == kC1Lead) {
      if (at + 1 == bytes.size()) return at;
      if (!is_c1(bytes, at)) {
        ++at;
        continue;
      }
    }
    if (const std::size_t end = take_csi(modes, bytes, at); end > at) {
      at = end;
      continue;
    }
    const EscapeSequence sequence = read_escape(bytes, at);
    if (sequence.ending == Ending::cut) return stop_within(modes, bytes, sequence);
    apply_sequence(modes, bytes, sequence);
    at = sequence.end;
  }
}

}  // namespace term
