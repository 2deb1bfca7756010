#include "server/json_read.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace term::server {

namespace {
const nlohmann::json* member(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

/// Nesting of brackets outside strings; a cheap bound before a recursive destructor can be built.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > 64) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}
}  // namespace

Result<nlohmann::json> parse_object(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes)
    return Error{Errc::bad_argument, "message of " + std::to_string(text.size()) +
                                         " bytes; at most " + std::to_string(max_bytes)};
  if (too_deep(text)) return Error{Errc::bad_argument, "JSON nested deeper than 64"};
  auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Error{Errc::bad_argument, "not valid JSON"};
  if (!json.is_object()) return Error{Errc::bad_argument, "expected a JSON object"};
  return json;
}

std::optional<std::string> read_string(const nlohmann::json& object, const char* name) {
  const auto* value = member(object, name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

std::optional<bool> read_bool(const nlohmann::json& object, const char* name) {
  const auto* value = member(object, name);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

std::optional<std::int64_t> read_integer(const nlohmann::json& object, const char* name,
                                         std::int64_t low, std::int64_t high) {
  const auto* value = member(object, name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  // 80.0 is a whole number too: JavaScript has no other kind.
  const double number = value->get<double>();
  if (!std::isfinite(number) || number != std::floor(number)) return std::nullopt;
  if (number < static_cast<double>(low) || number > static_cast<double>(high)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<Offset> read_offset(const nlohmann::json& object, const char* name) {
  const auto value = read_integer(object, name, 0, static_cast<std::int64_t>(kMaxOffset) - 1);
  if (!value) return std::nullopt;
  return static_cast<Offset>(*value);
}

std::optional<WindowSize> read_window(const nlohmann::json& object) {
  const auto rows = read_integer(object, "rows", 1, kMaxWindowCells);
  const auto cols = read_integer(object, "cols", 1, kMaxWindowCells);
  if (!rows || !cols) return std::nullopt;
  return WindowSize{.rows = static_cast<std::uint16_t>(*rows),
                    .cols = static_cast<std::uint16_t>(*cols)};
}

}  // namespace term::server
