#include "session/shell_marks.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace term {

namespace {
constexpr std::string_view kEnd = "\x1b]133;D";

/// `rest` follows the D.
std::optional<int> code_of(std::string_view rest) {
  const std::size_t end = rest.find_first_of("\x07\x1b");
  if (end == std::string_view::npos) return std::nullopt;
  if (rest[end] == '\x1b' && !rest.substr(end).starts_with("\x1b\\")) return std::nullopt;
  rest = rest.substr(0, end);
  if (rest.empty()) return 0;
  if (rest.front() != ';') return std::nullopt;
  rest.remove_prefix(1);
  rest = rest.substr(0, rest.find(';'));  // Further parameters are the terminal's business.
  int code = 0;
  const auto [at, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), code);
  if (ec != std::errc{} || at != rest.data() + rest.size()) return 0;
  return std::clamp(code, -1, 255);
}
}  // namespace

std::optional<int> newest_exit_mark(std::string_view tail) {
  std::optional<int> newest;
  for (;;) {
    const void* const at = ::memmem(tail.data(), tail.size(), kEnd.data(), kEnd.size());
    if (at == nullptr) return newest;
    tail.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(at) - tail.data()) +
                       kEnd.size());
    if (const auto code = code_of(tail)) newest = code;
  }
}

}  // namespace term
