#pragma once
// What a shell says of itself in its output: OSC 133, the marks of prompts and commands.

#include <optional>
#include <string_view>

namespace term {

/// Bytes at the end of the output within which a prompt's marks are looked for.
inline constexpr std::size_t kMarkTail = 1024;

/// More than a whole mark takes.
inline constexpr std::size_t kLongestMark = 64;

/// The exit code in the newest complete `ESC ] 133 ; D [; code] (BEL | ESC \)` of `tail`; 0 where
/// the mark has none. Nothing when there is no such mark.
std::optional<int> newest_exit_mark(std::string_view tail);

}  // namespace term
