#pragma once
// Which engine keeps a session's books, as the API and the native dialect say it (PROTOCOLS.md 2).

#include <nlohmann/json_fwd.hpp>

#include "session/session.h"

namespace term::server {

/// {sessions, streams, telemetry}, each `legacy` or `refactored`.
nlohmann::json owners_json(const Owners& owners);

}  // namespace term::server
