#pragma once
// What there was before a procedure and what there is after it: did every session come back, and
// how (OPERATIONS.md 2)?

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "admin_client.h"

namespace term::ctl {

/// {count, sessions, lost, service_pid, holder_pid}: every session with its pid and offsets, as the
/// service has it at this moment. Errors: those of AdminClient::get.
Result<nlohmann::json> sessions_now(const Context& context);

/// Each session of `before`, by what became of it: `live` (the same pid, every offset goes on),
/// `cold` (another pid, its numbering goes on), `ended` (by its own user, meanwhile), `behind`,
/// `missing`. `said` gets {sessions, tiers, lost, came_back}. Errors: bad_snapshot, with the first
/// of those that came back by no tier of `allowed` (names with commas).
Result<void> compare_sessions(const nlohmann::json& before, const nlohmann::json& after,
                              const std::string& allowed, nlohmann::json& said);

}  // namespace term::ctl
