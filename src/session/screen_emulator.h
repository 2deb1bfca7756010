#pragma once
// What a terminal shows after some output: libvterm reads it, we keep the cells.

#include <vterm.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "session/csi.h"
#include "session/modes.h"
#include "session/screen_grid.h"

namespace term {

struct CellPlace {
  int row = 0;
  int col = 0;
};

/// `CSI row;col H` for a cell of the screen; DECOM and the margins of `modes` count.
void append_place(std::string& out, const TerminalModes& modes, CellPlace place);

/// Feeds output to libvterm's state machine (0.1.4), which knows where the cursor is and what goes
/// where; pen, screens, saved cursors and modes are our own, as it knows too little of them.
/// Answers nothing. Whatever the bytes, the time is linear in their number.
/// Thread: any one. Not copyable, not movable: libvterm holds its address.
class ScreenEmulator {
 public:
  /// A cleared screen with the cursor at home, in `modes`.
  ScreenEmulator(WindowSize size, const TerminalModes& modes);
  ScreenEmulator(const ScreenEmulator&) = delete;
  ScreenEmulator& operator=(const ScreenEmulator&) = delete;

  /// Returns where a sequence or character begins that is cut off at the end, or the last plain
  /// character, which REP may repeat; feed that again with what follows.
  std::size_t feed(std::string_view bytes);

  const TerminalModes& modes() const { return modes_; }
  const ScreenGrid& main() const { return grids_[0]; }
  const ScreenGrid& alternate() const { return grids_[1]; }
  CellPlace cursor() const;
  /// Of the last DECSC on that screen, if any.
  const std::optional<CellPlace>& saved(std::size_t screen) const { return saved_[screen]; }
  const std::string& title() const { return title_; }
  const std::string& icon() const { return icon_; }

  /// Is the cursor behind the last column, about to wrap? Spoils the screen: ask last.
  bool about_to_wrap();

 private:
  struct Free {
    void operator()(VTerm* vt) const { vterm_free(vt); }
  };
  static VTermStateCallbacks callbacks();
  static int put_glyph(VTermGlyphInfo* info, VTermPos at, void* self);
  static int scroll_rect(VTermRect rect, int downward, int rightward, void* self);
  static int erase_rect(VTermRect rect, int selective, void* self);

  ScreenGrid& grid() { return grids_[modes_.alternate]; }
  void write(std::string_view bytes);
  void text(std::string_view bytes);
  void sequence(std::string_view bytes, const EscapeSequence& sequence);
  void escape(std::string_view bytes, const EscapeSequence& sequence);
  void csi(const Csi& csi);
  void private_modes(const Csi& csi, std::size_t screen);
  void repeat(const Csi& csi, const std::string& what);
  void pass_on(const Csi& csi, std::size_t values);
  void osc(std::string_view body);
  void settle();
  bool stops_at_margin(const Csi& csi);
  void save();
  void restore();

  std::unique_ptr<VTerm, Free> vt_;
  VTermState* state_ = nullptr;
  VTermStateCallbacks callbacks_;
  std::array<ScreenGrid, 2> grids_;
  TerminalModes modes_;
  std::array<std::optional<CellPlace>, 2> saved_;
  std::string last_;  ///< The character before the next sequence, for REP.
  std::string title_;
  std::string icon_;
  bool at_edge_ = false;          ///< The last character reached the last column.
  std::size_t repeats_left_ = 0;  ///< Characters that REP may still make.
};

}  // namespace term
