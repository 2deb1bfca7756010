#include "session/screen_emulator.h"

#include <algorithm>
#include <utility>

#include "session/utf8.h"

namespace term {

namespace {

using Kind = EscapeSequence::Kind;
using Ending = EscapeSequence::Ending;

constexpr std::size_t kLongestTitle = 4096;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }

/// What may go into a cell: a control there would be carried out when it is painted.
char32_t printable(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return U' ';
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return U'\xFFFD';
  return c;
}

CellRect to_rect(VTermRect rect) {
  return {
      .top = rect.start_row, .bottom = rect.end_row, .left = rect.start_col, .right = rect.end_col};
}

/// A C1 control as the escape sequence that does the same; empty if nothing on the screen changes.
std::string_view as_escape(char c1) {
  switch (c1) {
    case '\x84':
      return "\x1B"
             "D";
    case '\x85':
      return "\x1B"
             "E";
    case '\x88':
      return "\x1B"
             "H";
    case '\x8D':
      return "\x1B"
             "M";
    default:
      return {};
  }
}

/// Sequences that move the cursor, edit the screen or set tab stops: what libvterm is asked for.
bool edits(const Csi& csi) {
  constexpr std::string_view kPlain = "@ABCDEFGHIJKLMPSXZ`adefg";
  if (csi.prefix == 0 && csi.intermediate == 0) {
    return kPlain.find(csi.final) != std::string_view::npos || (csi.final == 'T' && csi.count <= 1);
  }
  if (csi.prefix == '?' && csi.intermediate == 0) return csi.final == 'J' || csi.final == 'K';
  if (csi.prefix != 0) return false;
  return csi.is(0, '\'', '}') || csi.is(0, '\'', '~') || csi.is(0, ' ', '@') ||
         csi.is(0, ' ', 'A') || csi.is(0, '"', 'q') || csi.is(0, '!', 'p');
}

/// Where the last character of `text` begins, if something may still be done to it: it is not
/// whole, or it is plain, and REP may follow.
std::size_t before_last(std::string_view text) {
  if (text.empty()) return 0;
  const bool plain = text.back() > ' ' && text.back() < '\x7F';
  return text.size() - (plain ? 1 : incomplete_utf8_tail(text));
}

}  // namespace

void append_place(std::string& out, const TerminalModes& modes, CellPlace place) {
  if (modes.now.origin != 0) {
    place.row -= std::max<int>(modes.top, 1) - 1;
    if (modes.has(Mode::left_right_margins)) place.col -= std::max<int>(modes.left, 1) - 1;
  }
  out.append("\x1B[").append(std::to_string(std::max(place.row, 0) + 1)) += ';';
  out.append(std::to_string(std::max(place.col, 0) + 1)) += 'H';
}

ScreenEmulator::ScreenEmulator(WindowSize size, const TerminalModes& modes)
    : vt_(vterm_new(std::max<int>(size.rows, 1), std::max<int>(size.cols, 1))),
      callbacks_(callbacks()),
      grids_{ScreenGrid(size), ScreenGrid(size)} {
  vterm_set_utf8(vt_.get(), 1);
  vterm_output_set_callback(vt_.get(), [](const char*, std::size_t, void*) {}, nullptr);
  state_ = vterm_obtain_state(vt_.get());
  vterm_state_set_callbacks(state_, &callbacks_, this);
  vterm_state_reset(state_, 1);
  modes_ = modes;
  modes_.inside = TerminalModes::ground;
  write(mode_preamble(modes_));
}

VTermStateCallbacks ScreenEmulator::callbacks() {
  VTermStateCallbacks all{};
  all.putglyph = &ScreenEmulator::put_glyph;
  all.scrollrect = &ScreenEmulator::scroll_rect;
  all.erase = &ScreenEmulator::erase_rect;
  return all;
}

int ScreenEmulator::put_glyph(VTermGlyphInfo* info, VTermPos at, void* self) {
  auto& emulator = *static_cast<ScreenEmulator*>(self);
  std::array<char32_t, Cell::kMaxChars> chars{};
  std::size_t count = 0;
  if (info->width <= 0) chars[count++] = U' ';  // Nothing there to combine with.
  for (const std::uint32_t* c = info->chars; *c != 0 && count < chars.size(); ++c) {
    chars[count++] = printable(*c);
  }
  emulator.at_edge_ = at.col + info->width >= emulator.grid().cols();
  emulator.grid().put(at.row, at.col, std::span(chars.data(), count), info->width,
                      emulator.modes_.now.pen, info->protected_cell != 0);
  return 1;
}

int ScreenEmulator::scroll_rect(VTermRect rect, int downward, int rightward, void* self) {
  auto& emulator = *static_cast<ScreenEmulator*>(self);
  emulator.grid().scroll(to_rect(rect), downward, rightward, emulator.modes_.now.pen.background);
  return 1;
}

int ScreenEmulator::erase_rect(VTermRect rect, int selective, void* self) {
  auto& emulator = *static_cast<ScreenEmulator*>(self);
  emulator.grid().erase(to_rect(rect), emulator.modes_.now.pen.background, selective != 0);
  return 1;
}

void ScreenEmulator::write(std::string_view bytes) {
  vterm_input_write(vt_.get(), bytes.data(), bytes.size());
}

CellPlace ScreenEmulator::cursor() const {
  VTermPos at{};
  vterm_state_get_cursorpos(state_, &at);
  return {.row = at.row, .col = at.col};
}

/// Everything but text takes a pending wrap back; libvterm 0.1.4 keeps it where the cursor stays.
void ScreenEmulator::settle() {
  if (!std::exchange(at_edge_, false) || cursor().col + 2 < grids_[0].cols()) return;
  write("\x1B[" + std::to_string(grids_[0].cols()) + "G");
}

bool ScreenEmulator::about_to_wrap() {
  const CellPlace before = cursor();
  if (modes_.has(Mode::no_autowrap) || before.col + 2 < grids_[0].cols()) return false;
  write("\x1B[4lx");  // In place, or on the next line?
  return cursor().col < before.col;
}

std::size_t ScreenEmulator::feed(std::string_view bytes) {
  repeats_left_ += 16 * bytes.size();
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t escape = find_escape(bytes, at);
    const bool goes_on = escape < bytes.size();
    const EscapeSequence found = goes_on ? read_escape(bytes, escape) : EscapeSequence{};
    if (!goes_on || found.ending == Ending::cut) {
      const std::size_t last = at + before_last(bytes.substr(at, escape - at));
      text(bytes.substr(at, last - at));
      return last;
    }
    text(bytes.substr(at, escape - at));
    sequence(bytes, found);
    at = found.end;
  }
  return bytes.size();
}

void ScreenEmulator::text(std::string_view bytes) {
  if (bytes.empty()) return;
  // SO and SI change the set for what follows only, so one look at the last is enough.
  const std::size_t shift = bytes.find_last_of("\x0E\x0F");
  if (shift != std::string_view::npos) modes_.now.shifted = bytes[shift] == '\x0E' ? 1 : 0;
  write(bytes);
  std::size_t begin = bytes.size() - 1;
  while (begin > 0 && bytes.size() - begin < 4 && (bytes[begin] & 0xC0) == 0x80) --begin;
  last_ = is_control(bytes[begin]) ? std::string() : std::string(bytes.substr(begin));
}

void ScreenEmulator::sequence(std::string_view bytes, const EscapeSequence& found) {
  const std::string_view whole = bytes.substr(found.begin, found.end - found.begin);
  const std::string before = std::exchange(last_, {});
  if (found.kind == Kind::escape || found.kind == Kind::csi) {
    // Controls within a sequence are carried out before it.
    for (const char c : whole) {
      if (is_control(c) && c != '\x1B' && c != '\x18' && c != '\x1A') text({&c, 1});
    }
  }
  if (found.ending != Ending::complete) return;
  switch (found.kind) {
    case Kind::escape:
      return escape(bytes, found);
    case Kind::osc:
      return osc(bytes.substr(found.body, found.body_end - found.body));
    case Kind::control:
      return write(as_escape(whole.back()));
    case Kind::csi:
      break;
    case Kind::dcs:
    case Kind::string:
      return;
  }
  const std::size_t screen = modes_.alternate;
  apply_sequence(modes_, bytes, found);
  const Csi parts = read_csi(body_of(bytes, found));
  if (parts.is('?', 0, 'h') || parts.is('?', 0, 'l')) return private_modes(parts, screen);
  if (parts.is(0, 0, 'b')) return repeat(parts, before);
  csi(parts);
}

void ScreenEmulator::escape(std::string_view bytes, const EscapeSequence& found) {
  std::string body(bytes.substr(found.body, found.end - found.body));
  std::erase_if(body, is_control);
  const bool plain = body.size() == 1;
  if (plain && body[0] == 'c') {
    grids_[1].clear({});
    saved_ = {};
    modes_ = {};
    return write(
        "\x1B"
        "c");
  }
  apply_sequence(modes_, bytes, found);
  if (plain && body[0] == '7') return save();
  if (plain && body[0] == '8') return restore();
  constexpr std::string_view kPlain = "DEHMNOno";
  const bool designates = body.size() == 2 && body[0] >= '(' && body[0] <= '+';
  const bool known = plain && kPlain.find(body[0]) != std::string_view::npos;
  if (known) settle();
  if (known || designates || body == "#8") write("\x1B" + body);
}

void ScreenEmulator::csi(const Csi& csi) {
  if (csi.is(0, 0, 's') && !modes_.has(Mode::left_right_margins)) return save();
  if (csi.is(0, 0, 'u')) return restore();
  if (csi.is(0, '!', 'p')) saved_ = {};
  const bool margins = csi.is(0, 0, 'r') || csi.is(0, 0, 's');
  if (margins) {
    const unsigned first = std::max<unsigned>(csi.value(0), 1);
    if (csi.value(1) == 0 || csi.value(1) > first) pass_on(csi, 2);
  } else if (csi.is(0, 0, 'h') || csi.is(0, 0, 'l')) {
    pass_on(csi, 8);  // Insert and newline; it knows no others.
  } else if (edits(csi)) {
    settle();
    if (stops_at_margin(csi)) return;
    pass_on(csi, 2);
    const bool lines = csi.is(0, 0, 'L') || csi.is(0, 0, 'M');
    if (lines) write("\r");  // As in xterm; libvterm leaves the cursor.
  }
}

/// CUU, CUD, CNL and CPL do not leave the margins, in xterm; in libvterm 0.1.4 they do. True if the
/// cursor was moved here.
bool ScreenEmulator::stops_at_margin(const Csi& csi) {
  const bool up = csi.is(0, 0, 'A') || csi.is(0, 0, 'F');
  const bool down = csi.is(0, 0, 'B') || csi.is(0, 0, 'E');
  if (!up && !down) return false;
  const int top = std::max<int>(modes_.top, 1) - 1;
  const int last = grids_[0].rows() - 1;
  const int bottom = modes_.bottom == 0 ? last : std::min<int>(modes_.bottom - 1, last);
  const int count = std::max<int>(csi.value(0), 1);
  CellPlace to = cursor();
  to.row = up ? std::max(to.row - count, to.row >= top ? top : 0)
              : std::min(to.row + count, to.row <= bottom ? bottom : last);
  if (csi.final == 'E' || csi.final == 'F') to.col = 0;
  std::string out;
  append_place(out, modes_, to);
  write(out);
  return true;
}

/// Rewrites the sequence: libvterm 0.1.4 overflows on long numbers and takes few of them.
void ScreenEmulator::pass_on(const Csi& csi, std::size_t values) {
  std::string out = "\x1B[";
  if (csi.prefix != 0) out += csi.prefix;
  for (std::size_t i = 0; i < std::min(csi.count, values); ++i) {
    if (i > 0) out += ';';
    if (csi.values[i] != 0) out += std::to_string(csi.values[i]);
  }
  if (csi.intermediate != 0) out += csi.intermediate;
  out += csi.final;
  write(out);
}

/// Our own: libvterm 0.1.4 wraps too early behind it.
void ScreenEmulator::repeat(const Csi& csi, const std::string& what) {
  const auto screen = static_cast<std::size_t>(grids_[0].cols() * grids_[0].rows());
  const std::size_t wanted = std::max<std::size_t>(csi.value(0), 1);
  const std::size_t count = std::min({wanted, screen, repeats_left_});
  repeats_left_ -= count;
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += what;
  write(out);
}

void ScreenEmulator::private_modes(const Csi& csi, std::size_t screen) {
  const bool on = csi.final == 'h';
  for (std::size_t i = 0; i < csi.count; ++i) {
    const std::uint16_t number = csi.values[i];
    const bool saves = number == 1048 || number == 1049;
    if (on && saves) saved_[screen] = cursor();
    if (number == 47 || number == 1047 || number == 1049) {
      if (on && screen == 0) grids_[1].clear(modes_.now.pen.background);
      if (!on) saved_[1].reset();
      screen = on ? 1 : 0;
    }
    if (!on && saves) restore();
    if (number == 6 || number == 7 || number == 69) {
      Csi one = csi;
      one.values[0] = number;
      pass_on(one, 1);
    }
  }
}

void ScreenEmulator::save() { saved_[modes_.alternate] = cursor(); }

/// The drawing is back already; the cursor follows, and libvterm is told.
void ScreenEmulator::restore() {
  std::string out = modes_.now.origin != 0 ? "\x1B[?6h" : "\x1B[?6l";
  out += "\x1B(B\x1B)B\x1B*B\x1B+B\x0F";
  append_drawing(out, modes_.now);
  append_place(out, modes_, saved_[modes_.alternate].value_or(CellPlace{}));
  write(out);
}

void ScreenEmulator::osc(std::string_view body) {
  const bool both = body.starts_with("0;");
  if (!both && !body.starts_with("1;") && !body.starts_with("2;")) return;
  std::string text(body.substr(2, kLongestTitle));
  std::erase_if(text, is_control);
  Utf8Stream stream;
  text = stream.feed(text);
  if (both || body[0] == '1') icon_ = text;
  if (both || body[0] == '2') title_ = text;
}

}  // namespace term
