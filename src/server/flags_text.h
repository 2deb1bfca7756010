#pragma once
// The flags as a text that the next service finds (DESIGN.md 7: they survive restarts).

#include <string>
#include <string_view>

#include "adapter/flags.h"

namespace term::server {

/// What was set through the API; the environment's share is not in it.
std::string to_text(const adapter::Flags& flags);
/// With `environment` as it is now. A text that cannot be read gives none of the API's flags.
adapter::Flags flags_from_text(std::string_view text, adapter::EnvironmentFlags environment);

}  // namespace term::server
