#pragma once
// The one codec of SessionSnapshot (STATE.md 1), and of the records in it.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "session/snapshot.h"

namespace term {

/// `2026-11-22T10:00:00.000Z`.
std::string iso_time(WallTime time);
/// Errors: bad_argument.
Result<WallTime> parse_iso_time(std::string_view text);

/// A flat object with the field names of STATE.md 1 (camelCase); `output.data` is base64; unknown
/// fields kept in `session.metadata` reappear at the top level under `metadata`.
nlohmann::json to_json(const SessionSnapshot& snapshot);
/// The same as text, without making the object: appends it.
void append_json(std::string& out, const SessionSnapshot& snapshot, bool with_data = true);
/// A session as to_json(SessionRecord) has it, as text; `status` by the name that is wanted.
void append_json(std::string& out, const SessionRecord& record, std::string_view status);
/// The part of it that the dialects and the REST API show: STATE.md 1's `sessions` fields, status
/// by its dialect name (STATE.md 2, last column).
nlohmann::json to_json(const SessionRecord& record);
nlohmann::json to_json(const ProjectRecord& record);
nlohmann::json to_json(const CommandStatistics& statistics);

/// Never throws. Missing optional fields take their defaults; `id` is required. Errors:
/// bad_snapshot naming the field and what was expected.
Result<SessionSnapshot> snapshot_from_json(const nlohmann::json& json);
Result<ProjectRecord> project_from_json(const nlohmann::json& json);

/// The name that the L and N dialects and REST use: connecting, active, inactive, suspended, error,
/// closed.
std::string_view dialect_status(SessionState state);

std::string base64_encode(std::string_view bytes);
void append_base64(std::string& text, std::string_view bytes);
/// Errors: bad_argument. Strict: padding required, no white space.
Result<std::string> base64_decode(std::string_view text);
struct Base64Tail {
  std::size_t size = 0;  ///< Of all that the text says.
  std::string bytes;     ///< The last ones of it.
};
/// The last `newest` bytes; the whole text is checked. Errors: those of base64_decode.
Result<Base64Tail> base64_tail(std::string_view text, std::size_t newest);

}  // namespace term
