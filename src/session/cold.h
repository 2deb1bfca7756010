#pragma once
// A session whose shell is gone, made ready for another one (DESIGN.md 8, tier cold).

#include <string>
#include <string_view>

#include "session/snapshot.h"

namespace term {

/// What of a saved session goes on with a new shell: everything but what belonged to the old shell
/// and to its viewers. In `starting`, open to viewers, `note` behind the saved output and counted
/// like it. `shell` and `args` are for the caller to set: those of a file are not to be trusted.
SessionSnapshot made_cold(SessionSnapshot saved, std::string_view note, WallTime now);

/// Brings any terminal back to where a shell may begin, then says in a line of its own that the
/// session was restored, since when its output is missing, and where the shell is. `directory` is
/// where it is now, `wanted` where it was.
std::string cold_note(WallTime saved_at, std::string_view directory, std::string_view wanted);

}  // namespace term
