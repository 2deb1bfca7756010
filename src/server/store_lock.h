#pragma once
// One process at a time writes to a state directory's store; what the next one says meanwhile.

#include <string_view>

namespace term::server {

/// The Writer's reason right after a hand-over, for a second or two: nothing is wrong.
inline constexpr std::string_view kStillWrites = "the process before this one still writes";

}  // namespace term::server
