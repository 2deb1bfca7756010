// What the subcommands print, and how.

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "command.h"

namespace term::ctl {

void print(const nlohmann::json& value) {
  const auto text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::printf("%s\n", text.c_str());
}

void progress(const Context& context, const std::string& line) {
  if (!context.json && ::isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "%s\n", line.c_str());
}

std::string printable(const std::string& text) {
  std::string clean;
  for (const char c : text) clean += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  // C1 controls are two bytes in UTF-8, and begin sequences, too.
  for (std::size_t at = 0; (at = clean.find('\xC2', at)) != std::string::npos; ++at)
    if (at + 1 < clean.size() && static_cast<unsigned char>(clean[at + 1]) < 0xA0)
      clean.replace(at, 2, "?");
  return clean;
}

std::string text_of(const nlohmann::json& object, const char* name, const std::string& fallback) {
  if (!object.is_object() || !object.contains(name)) return fallback;
  const auto& value = object.at(name);
  if (value.is_null()) return fallback;
  if (!value.is_string())
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto text = printable(value.get<std::string>());
  return text.empty() ? fallback : text;
}

}  // namespace term::ctl
