#pragma once
// The parity check as operators see it (PROTOCOLS.md 4).

#include <nlohmann/json_fwd.hpp>

#include "adapter/mirror.h"

namespace term::server {

/// {enabled, sessions, compared, found, differing, differences[{id, field, legacy, refactored}],
/// failed_operations, newest_failure}.
nlohmann::json parity_json(const adapter::MirrorReport& report);

}  // namespace term::server
