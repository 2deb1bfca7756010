#include "session/screen_grid.h"

#include <algorithm>

namespace term {

namespace {

Cell erased_cell(Colour background) { return {.pen = {.background = background}}; }

Cell& cell_at(ScreenGrid::Row& row, int col) { return row.cells[static_cast<std::size_t>(col)]; }

int length(const ScreenGrid::Row& row) { return static_cast<int>(row.cells.size()); }

void make_space(Cell& cell) {
  cell.chars = {U' '};
  cell.width = 1;
}

}  // namespace

ScreenGrid::ScreenGrid(WindowSize size)
    : cols_(std::max<int>(size.cols, 1)), rows_(std::max<std::size_t>(size.rows, 1)) {}

CellRect ScreenGrid::within(CellRect rect) const {
  return {.top = std::clamp(rect.top, 0, rows()),
          .bottom = std::clamp(rect.bottom, 0, rows()),
          .left = std::clamp(rect.left, 0, cols_),
          .right = std::clamp(rect.right, 0, cols_)};
}

/// Gives `row` cells up to `col`, so that it can be written there.
void ScreenGrid::reach(Row& row, int col) const {
  if (length(row) < col) row.cells.resize(static_cast<std::size_t>(col), erased_cell(row.rest));
}

/// Something is to begin or to end at `col`: a wide character across it is no more.
void ScreenGrid::split(Row& row, int col) const {
  if (col <= 0 || col >= length(row) || cell_at(row, col).width != 0) return;
  make_space(cell_at(row, col));
  if (cell_at(row, col - 1).width == 2) make_space(cell_at(row, col - 1));
}

void ScreenGrid::put(int row, int col, std::span<const char32_t> chars, int width, const Pen& pen,
                     bool kept) {
  if (row < 0 || row >= rows() || col < 0 || col >= cols_) return;
  width = std::clamp(width, 1, std::min(2, cols_ - col));
  Row& into = get(row);
  reach(into, col + width);
  split(into, col);
  split(into, col + width);
  Cell& cell = cell_at(into, col);
  cell = {.pen = pen, .width = static_cast<std::uint8_t>(width), .kept = kept};
  std::copy_n(chars.begin(), std::min(chars.size(), Cell::kMaxChars), cell.chars.begin());
  if (width == 2) cell_at(into, col + 1) = {.pen = pen, .width = 0, .kept = kept};
}

void ScreenGrid::erase_in(Row& row, int left, int right, Colour background, bool selective) const {
  if (!selective && right >= cols_) {
    split(row, left);
    if (length(row) < left && row.rest != background) reach(row, left);
    if (length(row) > left) row.cells.resize(static_cast<std::size_t>(left));
    row.rest = background;
    return;
  }
  reach(row, right);
  split(row, left);
  split(row, right);
  for (int col = left; col < right; ++col) {
    if (!selective || !cell_at(row, col).kept) cell_at(row, col) = erased_cell(background);
  }
}

void ScreenGrid::erase(CellRect rect, Colour background, bool selective) {
  rect = within(rect);
  if (rect.left >= rect.right) return;
  for (int row = rect.top; row < rect.bottom; ++row) {
    erase_in(get(row), rect.left, rect.right, background, selective);
  }
}

void ScreenGrid::scroll_rows(CellRect rect, int downward, Colour background) {
  const auto begin = rows_.begin() + rect.top;
  const auto end = rows_.begin() + rect.bottom;
  if (downward > 0) {
    std::rotate(begin, begin + downward, end);
    rect.top = rect.bottom - downward;
  } else {
    std::rotate(begin, end + downward, end);
    rect.bottom = rect.top - downward;
  }
  erase(rect, background, false);
}

void ScreenGrid::copy_cells(int to, int from, CellRect rect) {
  Row& source = get(from);
  Row& target = get(to);
  reach(source, rect.right);
  reach(target, rect.right);
  split(source, rect.left);
  split(source, rect.right);
  split(target, rect.left);
  split(target, rect.right);
  std::copy(source.cells.begin() + rect.left, source.cells.begin() + rect.right,
            target.cells.begin() + rect.left);
}

void ScreenGrid::scroll_cells(CellRect rect, int rightward, Colour background) {
  for (int at = rect.top; at < rect.bottom; ++at) {
    Row& row = get(at);
    if (length(row) <= rect.left && row.rest == background) continue;
    reach(row, rect.right);
    split(row, rect.left);
    split(row, rect.right);
    const auto begin = row.cells.begin() + rect.left;
    const auto end = row.cells.begin() + rect.right;
    if (rightward > 0) {
      split(row, rect.left + rightward);
      std::shift_left(begin, end, rightward);
      erase_in(row, rect.right - rightward, rect.right, background, false);
    } else {
      split(row, rect.right + rightward);
      std::shift_right(begin, end, -rightward);
      erase_in(row, rect.left, rect.left - rightward, background, false);
    }
  }
}

void ScreenGrid::scroll(CellRect rect, int downward, int rightward, Colour background) {
  rect = within(rect);
  const int height = rect.bottom - rect.top;
  const int width = rect.right - rect.left;
  if (height <= 0 || width <= 0) return;
  if (std::abs(downward) >= height || std::abs(rightward) >= width) {
    return erase(rect, background, false);
  }
  if (rightward != 0) scroll_cells(rect, rightward, background);
  if (downward == 0) return;
  if (rect.left == 0 && rect.right == cols_) return scroll_rows(rect, downward, background);
  if (downward > 0) {
    for (int to = rect.top; to < rect.bottom - downward; ++to) copy_cells(to, to + downward, rect);
    rect.top = rect.bottom - downward;
  } else {
    for (int to = rect.bottom - 1; to >= rect.top - downward; --to) {
      copy_cells(to, to + downward, rect);
    }
    rect.bottom = rect.top - downward;
  }
  erase(rect, background, false);
}

void ScreenGrid::clear(Colour background) {
  for (Row& row : rows_) {
    row.cells.clear();
    row.rest = background;
  }
}

}  // namespace term
