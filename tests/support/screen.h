#pragma once
// A terminal emulator as the judge of what a viewer sees: libvterm's own screen, not our grid.

#include <vterm.h>

#include <memory>
#include <string>
#include <string_view>

#include "session/modes.h"
#include "session/types.h"

namespace term::test {

/// A terminal of a fixed size that was fed some bytes. Not movable: libvterm holds its address.
class Screen {
 public:
  explicit Screen(WindowSize size);
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  Screen& feed(std::string_view bytes);
  /// Shows the main screen if the alternate one is shown; its cells stay as they are.
  void show_main();

  /// One line, without trailing blanks, in UTF-8.
  std::string line(int row) const;
  /// All lines.
  std::string text() const;
  bool shows(std::string_view words) const { return text().find(words) != std::string::npos; }

  struct State {
    int row = 0;
    int col = 0;
    bool cursor_visible = true;
    bool alternate = false;
    bool reverse = false;
    std::string title;
    bool operator==(const State&) const = default;
  };
  State state() const;
  const TerminalModes& modes() const { return modes_; }
  /// What the terminal answered to queries, all of it.
  const std::string& answers() const { return answers_; }

  /// A cell in words: `世 wide bold fg=1 bg=-`. What cannot be seen is left out, so an erased cell
  /// is its background alone. `right half` belongs to the wide character before, `half` to none.
  std::string cell(int row, int col) const;

 private:
  struct Free {
    void operator()(VTerm* vt) const { vterm_free(vt); }
  };
  static int set_property(VTermProp property, VTermValue* value, void* self);
  static void take_answer(const char* bytes, std::size_t size, void* self);

  friend std::string difference(const Screen& is, const Screen& should);

  WindowSize size_;
  VTermScreenCallbacks callbacks_{};
  std::unique_ptr<VTerm, Free> vt_;
  VTermScreen* screen_ = nullptr;
  State state_;
  TerminalModes modes_;
  std::string unread_;
  std::string unscanned_;
  std::string answers_;
};

/// What differs between two screens, in words: cells, cursor, modes, title. Empty if nothing does.
std::string difference(const Screen& is, const Screen& should);

}  // namespace term::test
