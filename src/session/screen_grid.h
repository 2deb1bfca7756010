#pragma once
// The cells of one screen, as a terminal emulator fills them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "session/pen.h"
#include "session/types.h"

namespace term {

/// One place of the screen. All-zero but for `width`: erased, in the default colours.
struct Cell {
  static constexpr std::size_t kMaxChars = 6;
  std::array<char32_t, kMaxChars> chars{};  ///< A base and what combines with it; 0 ends.
  Pen pen;                                  ///< Of an erased cell the background alone counts.
  std::uint8_t width = 1;                   ///< 2 wide, 0 the right half of a wide one.
  bool kept = false;                        ///< DECSCA: a selective erase leaves it.

  bool erased() const { return width == 1 && chars[0] == 0; }
  bool operator==(const Cell&) const = default;
};

/// Half-open, from 0.
struct CellRect {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
};

/// Rows of cells. Rows take memory only as far as they are written, and scrolling moves none.
/// Thread: one.
class ScreenGrid {
 public:
  /// What comes behind the cells of a row is erased with the background `rest`.
  struct Row {
    std::vector<Cell> cells;
    Colour rest;
  };

  explicit ScreenGrid(WindowSize size);

  const Row& row(int at) const { return rows_[static_cast<std::size_t>(at)]; }
  int rows() const { return static_cast<int>(rows_.size()); }
  int cols() const { return cols_; }

  /// Puts a character (of `chars`, at most kMaxChars count) over what is there. A half of a wide
  /// character that is left alone becomes a space.
  void put(int row, int col, std::span<const char32_t> chars, int width, const Pen& pen, bool kept);
  void erase(CellRect rect, Colour background, bool selective);
  /// Moves what is in `rect` up by `downward` (down if negative) and left by `rightward`, and
  /// erases what comes in.
  void scroll(CellRect rect, int downward, int rightward, Colour background);
  void clear(Colour background);

 private:
  Row& get(int at) { return rows_[static_cast<std::size_t>(at)]; }
  CellRect within(CellRect rect) const;
  void reach(Row& row, int col) const;
  void split(Row& row, int col) const;
  void erase_in(Row& row, int left, int right, Colour background, bool selective) const;
  void scroll_rows(CellRect rect, int downward, Colour background);
  void copy_cells(int to, int from, CellRect rect);
  void scroll_cells(CellRect rect, int rightward, Colour background);

  int cols_;
  std::vector<Row> rows_;
};

}  // namespace term
