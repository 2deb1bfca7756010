#pragma once
// How the values of the configuration are written: numbers, sizes, durations, booleans.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "session/types.h"

namespace term::server {

/// Plain decimal, digits only. nullopt: anything else, or beyond 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// `65536`, `64KiB`, `1MiB`, `2GiB`, also `64K`, `1M`, `2G` and `64kB`; always powers of 1024.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// `500ms`, `1800s`, `30min` (or `30m`), `2h`, `1d`; a plain number is seconds. Up to ten years.
std::optional<Millis> parse_duration(std::string_view text);

/// `80`, `0.5`, also `80%`; 0 to 100.
std::optional<double> parse_percent(std::string_view text);

/// `true`, `1`, `yes`, `on` and `false`, `0`, `no`, `off`, in any letter case.
std::optional<bool> parse_boolean(std::string_view text);

/// True for 127.0.0.0/8 in dotted form, `::1` (in brackets or not) and `localhost`.
bool is_loopback(std::string_view host);

}  // namespace term::server
