#pragma once
// Reading untrusted JSON: every accessor checks, none throws.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "session/types.h"

namespace term::server {

/// Offsets are JSON numbers below this (PROTOCOLS.md 2).
inline constexpr Offset kMaxOffset = Offset{1} << 53;

/// One JSON object of at most `max_bytes`, nested at most 64 deep. Errors: bad_argument.
Result<nlohmann::json> parse_object(std::string_view text, std::size_t max_bytes);

/// Nothing when absent or of another type.
std::optional<std::string> read_string(const nlohmann::json& object, const char* name);
std::optional<bool> read_bool(const nlohmann::json& object, const char* name);
/// Nothing unless a whole number within [low, high].
std::optional<std::int64_t> read_integer(const nlohmann::json& object, const char* name,
                                         std::int64_t low, std::int64_t high);
std::optional<Offset> read_offset(const nlohmann::json& object, const char* name);
/// `cols` and `rows`, 1..1000 each.
std::optional<WindowSize> read_window(const nlohmann::json& object);

}  // namespace term::server
