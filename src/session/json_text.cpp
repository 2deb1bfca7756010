#include "session/json_text.h"

#include "session/block_scan.h"

namespace term {

namespace {

/// The letter after the backslash; 0: written as \u00XX.
char short_escape(char c) {
  switch (c) {
    case '\b':
      return 'b';
    case '\t':
      return 't';
    case '\n':
      return 'n';
    case '\f':
      return 'f';
    case '\r':
      return 'r';
    case '"':
    case '\\':
      return c;
    default:
      return 0;
  }
}

/// Without branches: skip_blocks().
constexpr auto kEscaped = [](char c) {
  return static_cast<unsigned>(static_cast<unsigned char>(c) < 0x20) |
         static_cast<unsigned>(c == '"') | static_cast<unsigned>(c == '\\');
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.reserve(out.size() + text.size() + text.size() / 8 + 2);
  out += '"';
  std::size_t copied = 0;
  for (std::size_t at = skip_blocks(text, 0, kEscaped); at < text.size(); ++at) {
    const char c = text[at];
    if (kEscaped(c) == 0) continue;
    out.append(text, copied, at - copied);
    copied = at + 1;
    out += '\\';
    if (const char letter = short_escape(c); letter != 0) {
      out += letter;
    } else {
      out += c < 0x10 ? "u000" : "u001";
      out += kHex[static_cast<unsigned char>(c) & 15U];
    }
    at = skip_blocks(text, copied, kEscaped) - 1;
  }
  out.append(text, copied);
  out += '"';
}

}  // namespace term
