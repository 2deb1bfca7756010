#pragma once
// What kind of command was typed: the recogniser and the table of categories both engines use.

#include <functional>
#include <span>
#include <string_view>

#include "session/snapshot.h"
#include "session/types.h"

namespace term {

/// The category of a command's first word: `navigation`, `git`, `npm`, `docker`, `file`, `system`,
/// `network`, `database`, `build`, `python`, `node` or `other`. A directory before it is ignored.
/// The view is of static storage. Source: reference/origin.md 2.6.
std::string_view command_category(std::string_view word);

/// Reads typed bytes and counts the commands in them: `on_command` once per line that is not empty.
///
/// All state between calls is in `statistics` (`pending`, `pending_done`), so a session that moves
/// in the middle of a word, or of an escape sequence, goes on in the other engine. `pending` is
/// ASCII: the line's first word (a character that is not ASCII is kept as `?`), and, within an
/// escape sequence, the beginning of that; never more than 32 bytes, never the rest of the line.
///
/// An approximation by intent: history, completion and cursor keys are not followed, and once the
/// first word is complete backspace does not reopen it. Call it only while the tty echoes.
void feed_command_line(CommandStatistics& statistics, std::span<const char> bytes, WallTime now,
                       const std::function<void(std::string_view category)>& on_command);

}  // namespace term
