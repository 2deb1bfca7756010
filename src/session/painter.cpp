#include "session/painter.h"

#include <optional>

#include "session/screen_emulator.h"

namespace term {

namespace {

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](unsigned lead, unsigned shift) {
    out += static_cast<char>(lead | (c >> shift));
    while (shift > 0) {
      shift -= 6;
      out += static_cast<char>(0x80U | (c >> shift & 0x3FU));
    }
  };
  if (c < 0x80) return put(0, 0);
  if (c < 0x800) return put(0xC0, 6);
  if (c < 0x10000) return put(0xE0, 12);
  put(0xF0, 18);
}

void append_chars(std::string& out, const Cell& cell) {
  for (const char32_t c : cell.chars) {
    if (c == 0) return;
    append_utf8(out, c);
  }
}

/// Terminals disagree on the width of what is not plain: the next cell gets its place by number.
bool width_is_certain(const Cell& cell) {
  const char32_t c = cell.chars[0];
  if (cell.chars[1] != 0) return false;
  return cell.width == 1 ? c < 0x300 || (c >= 0x2500 && c < 0x2600) : c >= 0x3000 && c < 0xFF00;
}

/// Writes cells, with as few moves and pens as it takes.
class CellWriter {
 public:
  explicit CellWriter(std::string& out) : out_(out) {}

  /// On a cleared screen without margins; the pen is plain before and after.
  void screen(const ScreenGrid& grid) {
    at_.reset();
    for (int row = 0; row < grid.rows(); ++row) line(grid.row(row), row, grid.cols());
    select({});
  }

  void cell(const Cell& cell, CellPlace place) {
    go(place);
    if (cell.erased()) return blanks(cell.pen.background, 1);
    glyph(cell);
    at_ = {.row = place.row, .col = place.col + cell.width};
    if (!width_is_certain(cell)) at_.reset();
  }

  /// Where the cursor is.
  void glyph(const Cell& cell) {
    select(cell.pen);
    append_chars(out_, cell);
  }

  void select(const Pen& pen) {
    if (pen == pen_) return;
    append_sgr(out_, pen);
    pen_ = pen;
  }

 private:
  void line(const ScreenGrid::Row& row, int number, int cols) {
    const int length = std::min(static_cast<int>(row.cells.size()), cols);
    for (int col = 0; col < length;) {
      const Cell& next = row.cells[static_cast<std::size_t>(col)];
      const int begin = col;
      if (!next.erased()) {
        if (next.width > 0) cell(next, {.row = number, .col = col});
        ++col;
        continue;
      }
      while (col < length && row.cells[static_cast<std::size_t>(col)] == next) ++col;
      const bool to_the_end = col == length && row.rest == next.pen.background;
      if (next.pen.background == Colour{} || to_the_end) continue;
      go({.row = number, .col = begin});
      blanks(next.pen.background, col - begin);
    }
    const int rest = rest_begin(row, length);
    if (row.rest == Colour{} || rest == cols) return;
    go({.row = number, .col = rest});
    select({.background = row.rest});
    out_ += "\x1B[K";
  }

  static int rest_begin(const ScreenGrid::Row& row, int length) {
    int begin = length;
    while (begin > 0) {
      const Cell& cell = row.cells[static_cast<std::size_t>(begin - 1)];
      if (!cell.erased() || cell.pen.background != row.rest) break;
      --begin;
    }
    return begin;
  }

  void go(CellPlace place) {
    if (at_ && at_->row == place.row && at_->col == place.col) return;
    if (at_ && at_->row == place.row && at_->col < place.col) {
      out_.append("\x1B[").append(std::to_string(place.col - at_->col)) += 'C';
    } else {
      append_place(out_, TerminalModes{}, place);
    }
    at_ = place;
  }

  /// Erases `count` cells from the cursor on, which stays.
  void blanks(Colour background, int count) {
    select({.background = background});
    out_.append("\x1B[").append(std::to_string(count)) += 'X';
  }

  std::string& out_;
  Pen pen_;
  std::optional<CellPlace> at_;
};

void append_title(std::string& out, char number, const std::string& title) {
  if (!title.empty()) out.append("\x1B]") += number + (";" + title) + "\x07";
}

/// DECSC, if the program did it on this screen; the drawing is plain before and after.
void append_saved(std::string& out, const ScreenEmulator& emulator) {
  const std::size_t screen = emulator.modes().alternate;
  if (!emulator.saved(screen)) return;
  append_place(out, TerminalModes{}, *emulator.saved(screen));
  append_drawing(out, emulator.modes().saved[screen]);
  out +=
      "\x1B"
      "7\x1B[m\x1B(B\x1B)B\x1B*B\x1B+B\x0F";
}

/// The main screen, and a step into the alternate one if that is shown.
void append_main(std::string& out, const ScreenEmulator& emulator) {
  out += "\x1B[H\x1B[J";
  CellWriter(out).screen(emulator.main());
  if (emulator.modes().alternate == 0) return;
  std::string place;
  append_place(place, TerminalModes{}, emulator.saved(0).value_or(CellPlace{}));
  append_alternate(out, emulator.modes(), place);
  out += "\x1B[H\x1B[J";
  CellWriter(out).screen(emulator.alternate());
}

/// Writes the last character once more, so that the next one wraps.
void append_wrap(std::string& out, const TerminalModes& modes, const ScreenGrid& grid,
                 CellPlace cursor) {
  const auto& cells = grid.row(cursor.row).cells;
  auto col = static_cast<std::size_t>(cursor.col);
  if (col >= cells.size()) return;
  if (cells[col].width == 0 && col > 0) --col;
  if (cells[col].erased()) return;
  append_place(out, modes, {.row = cursor.row, .col = static_cast<int>(col)});
  CellWriter writer(out);
  writer.glyph(cells[col]);
  writer.select({});
}

}  // namespace

std::string paint_screen(std::string_view bytes, const TerminalModes& at_begin, WindowSize size) {
  ScreenEmulator emulator(size, at_begin);
  const std::size_t whole = emulator.feed(bytes);
  const TerminalModes& modes = emulator.modes();
  const CellPlace cursor = emulator.cursor();

  std::string out = soft_reset();
  append_title(out, '1', emulator.icon());
  append_title(out, '2', emulator.title());
  append_main(out, emulator);
  append_saved(out, emulator);
  const ScreenGrid shown = modes.alternate != 0 ? emulator.alternate() : emulator.main();
  const bool wraps = emulator.about_to_wrap();
  append_margins(out, modes);
  append_place(out, modes, cursor);
  if (wraps) append_wrap(out, modes, shown, cursor);
  append_settings(out, modes);
  append_drawing(out, modes.now);
  if (modes.has(Mode::insert)) out += "\x1B[4h";
  return out.append(bytes.substr(whole));
}

std::string paint_newest(std::string_view bytes, const TerminalModes& at_begin, WindowSize size,
                         PaintLimits limits) {
  TerminalModes at_end = at_begin;
  scan_modes(at_end, bytes);
  const std::size_t most = at_end.alternate != 0 ? limits.alternate : limits.main;
  if (bytes.size() <= most) return paint_screen(bytes, at_begin, size);
  TerminalModes modes = at_begin;
  std::size_t begin = scan_modes(modes, bytes.substr(0, bytes.size() - most));
  // Within a string the rest is no text: as well from the begin, then.
  if (modes.inside != TerminalModes::ground) return paint_screen(bytes, at_begin, size);
  while (begin < bytes.size() && (bytes[begin] & 0xC0) == 0x80) ++begin;
  return paint_screen(bytes.substr(begin), modes, size);
}

}  // namespace term
