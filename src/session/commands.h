#pragma once
// What kind of command was typed: the recogniser and the table of categories both engines use.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "session/snapshot.h"
#include "session/types.h"

namespace term {

/// The category of a command's first word: `navigation`, `git`, `npm`, `docker`, `file`, `system`,
/// `network`, `database`, `build`, `python`, `node` or `other`. A directory before it is ignored.
/// The view is of static storage. Source: reference/origin.md 2.6.
std::string_view command_category(std::string_view word);

/// A line that was entered.
struct EnteredCommand {
  std::string_view category;   ///< Of static storage.
  std::uint64_t sequence = 0;  ///< Among the session's commands, from 0.
  std::string text;            ///< As typed, where recording is on and nothing of it was hidden.
};

/// Reads typed bytes and counts the commands in them: `on_command` once per line that is not empty.
///
/// All state between calls is in `statistics` (`pending`, `pending_done`), so a session that moves
/// in the middle of a word, or of an escape sequence, goes on in the other engine. `pending` is
/// ASCII: the line's first word (a character that is not ASCII is kept as `?`), and, within an
/// escape sequence, the beginning of that; never more than 32 bytes, never the rest of the line.
///
/// An approximation by intent: history, completion and cursor keys are not followed, and once the
/// first word is complete backspace does not reopen it. Call it only while the tty echoes.
///
/// With `record_text` the line is kept as it is typed, too, at most kMaxCommandText bytes; without,
/// nothing of it beyond the first word.
void feed_command_line(CommandStatistics& statistics, std::span<const char> bytes, WallTime now,
                       const std::function<void(const EnteredCommand&)>& on_command,
                       bool record_text = false);

/// Something was typed while the tty did not echo, and not looked at: the line that is entered next
/// may contain it or its end, so its text is not kept.
void hide_command_line(CommandStatistics& statistics);

struct CommandEnd {
  RunningCommand command;
  Millis duration{1};  ///< From Enter to the shell's report, at least 1 ms.
  bool failed = false;
};

/// The shell reported that a command ended with `exit_code` (OSC 133;D). Nothing when none was
/// entered since the last report. What was typed ahead meanwhile stays unreported: nobody can tell
/// it from what the command itself read.
std::optional<CommandEnd> end_command(CommandStatistics& statistics, WallTime now, int exit_code);

}  // namespace term
