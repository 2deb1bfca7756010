#pragma once
// Terminal output as a JSON string, quickly: nlohmann's serializer goes by code points, and writes
// each ESC by snprintf.

#include <string>
#include <string_view>

namespace term {

/// Appends `text`, which is valid UTF-8, in quotation marks (RFC 8259, 7): the same bytes as
/// nlohmann's dump().
void append_json_string(std::string& out, std::string_view text);

}  // namespace term
