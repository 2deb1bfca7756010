#include "support/screen.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "session/utf8.h"

namespace term::test {

namespace {

constexpr std::uint32_t kRightHalf = ~std::uint32_t{0};

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](unsigned lead, unsigned shift) {
    out += static_cast<char>(lead | (c >> shift));
    while (shift > 0) out += static_cast<char>(0x80U | (c >> (shift -= 6) & 0x3FU));
  };
  if (c < 0x80) return put(0, 0);
  if (c < 0x800) return put(0xC0, 6);
  if (c < 0x10000) return put(0xE0, 12);
  put(0xF0, 18);
}

/// Enough for what the tests print.
bool is_wide(std::uint32_t c) {
  return (c >= 0x1100 && c < 0x1160) || (c >= 0x2E80 && c < 0xA4D0) ||
         (c >= 0xAC00 && c < 0xD7A4) || (c >= 0xFE30 && c < 0xFE70) ||
         (c >= 0xFF00 && c < 0xFF61) || (c >= 0x1F300 && c < 0x1FB00);
}

std::string colour(const VTermColor& colour, bool is_default) {
  if (is_default) return "-";
  if (VTERM_COLOR_IS_INDEXED(&colour)) return std::to_string(colour.indexed.idx);
  return "#" + std::to_string(colour.rgb.red) + "," + std::to_string(colour.rgb.green) + "," +
         std::to_string(colour.rgb.blue);
}

std::string attributes(const VTermScreenCell& cell) {
  std::string out;
  if (cell.attrs.bold) out += " bold";
  if (cell.attrs.italic) out += " italic";
  if (cell.attrs.blink) out += " blink";
  if (cell.attrs.reverse) out += " reverse";
  if (cell.attrs.strike) out += " strike";
  if (cell.attrs.underline) out += " underline" + std::to_string(cell.attrs.underline);
  return out;
}

}  // namespace

Screen::Screen(WindowSize size) : size_(size), vt_(vterm_new(size.rows, size.cols)) {
  vterm_set_utf8(vt_.get(), 1);
  vterm_output_set_callback(vt_.get(), &Screen::take_answer, this);
  screen_ = vterm_obtain_screen(vt_.get());
  callbacks_.settermprop = &Screen::set_property;
  vterm_screen_set_callbacks(screen_, &callbacks_, this);
  vterm_screen_enable_altscreen(screen_, 1);
  vterm_screen_reset(screen_, 1);
}

int Screen::set_property(VTermProp property, VTermValue* value, void* self) {
  State& state = static_cast<Screen*>(self)->state_;
  switch (property) {
    case VTERM_PROP_CURSORVISIBLE:
      state.cursor_visible = value->boolean != 0;
      break;
    case VTERM_PROP_ALTSCREEN:
      state.alternate = value->boolean != 0;
      break;
    case VTERM_PROP_REVERSE:
      state.reverse = value->boolean != 0;
      break;
    case VTERM_PROP_TITLE:
      state.title = value->string;
      break;
    default:
      break;
  }
  return 1;
}

void Screen::take_answer(const char* bytes, std::size_t size, void* self) {
  static_cast<Screen*>(self)->answers_.append(bytes, size);
}

Screen& Screen::feed(std::string_view bytes) {
  unread_ += bytes;
  // A character in two parts is none to libvterm 0.1.4 once G0 was designated.
  const std::string whole = unread_.substr(0, unread_.size() - incomplete_utf8_tail(unread_));
  unread_.erase(0, whole.size());
  vterm_input_write(vt_.get(), whole.data(), whole.size());
  unscanned_ += whole;
  unscanned_.erase(0, scan_modes(modes_, unscanned_));
  return *this;
}

void Screen::show_main() { feed("\x1B[?1047l"); }

Screen::State Screen::state() const {
  State state = state_;
  VTermPos at{};
  vterm_state_get_cursorpos(vterm_obtain_state(vt_.get()), &at);
  state.row = at.row;
  state.col = at.col;
  return state;
}

std::string Screen::cell(int row, int col) const {
  VTermScreenCell cell{};
  vterm_screen_get_cell(screen_, {.row = row, .col = col}, &cell);
  std::string out;
  const std::string background = " bg=" + colour(cell.bg, VTERM_COLOR_IS_DEFAULT_BG(&cell.bg));
  const bool right_half = cell.chars[0] == kRightHalf;
  if (right_half && col > 0) {
    VTermScreenCell left{};
    vterm_screen_get_cell(screen_, {.row = row, .col = col - 1}, &left);
    if (is_wide(left.chars[0])) return "right half";
  }
  if (cell.chars[0] == 0) return "erased" + background;
  const bool half = right_half || (is_wide(cell.chars[0]) && cell.width != 2);
  if (half) return "half";
  {
    for (const std::uint32_t* c = cell.chars; *c != 0 && c < cell.chars + VTERM_MAX_CHARS_PER_CELL;)
      append_utf8(out, *c++);
  }
  if (is_wide(cell.chars[0])) out += " wide";
  return out + attributes(cell) + " fg=" + colour(cell.fg, VTERM_COLOR_IS_DEFAULT_FG(&cell.fg)) +
         background;
}

std::string Screen::line(int row) const {
  std::string out;
  for (int col = 0; col < size_.cols; ++col) {
    const std::string words = cell(row, col);
    if (words == "right half") continue;
    out += words.starts_with("erased") || words == "half"
               ? " "
               : words.substr(0, std::max<std::size_t>(1, words.find(' ')));
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

std::string Screen::text() const {
  std::string out;
  for (int row = 0; row < size_.rows; ++row) out += line(row) + "\n";
  return out;
}

namespace {

/// libvterm leaves one half of a wide character standing, in whatever pen was there before; xterm
/// and we make a space of it.
bool alike(const std::string& a, const std::string& b) {
  const auto blank = [](const std::string& cell) {
    return cell == "half" || cell.starts_with("erased") || cell.starts_with(" ");
  };
  return a == b || ((a == "half" || b == "half") && blank(a) && blank(b));
}

}  // namespace

std::string difference(const Screen& is, const Screen& should) {
  std::ostringstream out;
  int cells = 0;
  for (int row = 0; row < should.size_.rows; ++row) {
    for (int col = 0; col < should.size_.cols; ++col) {
      const std::string here = is.cell(row, col);
      const std::string there = should.cell(row, col);
      if (alike(here, there)) continue;
      if (++cells <= 10) {
        out << "row " << row << " col " << col << ": is [" << here << "], should be [" << there
            << "]\n";
      }
    }
  }
  if (cells > 10) out << "and " << cells - 10 << " more cells\n";
  const Screen::State a = is.state();
  const Screen::State b = should.state();
  const auto compare = [&](const char* name, const auto& here, const auto& there) {
    if (here != there) out << name << ": is " << here << ", should be " << there << "\n";
  };
  compare("cursor row", a.row, b.row);
  compare("cursor col", a.col, b.col);
  compare("cursor visible", a.cursor_visible, b.cursor_visible);
  compare("alternate screen", a.alternate, b.alternate);
  compare("reverse", a.reverse, b.reverse);
  compare("title", a.title, b.title);
  compare("modes", mode_preamble(is.modes_), mode_preamble(should.modes_));
  if (cells > 0) out << "is:\n" << is.text() << "should be:\n" << should.text();
  return out.str();
}

}  // namespace term::test
