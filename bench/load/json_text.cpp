#include "load/json_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace term::bench {

namespace {

/// The closing quote of a string whose first byte is at `from`. Quotes are rarer than backslashes
/// in output, and memchr looks at 32 bytes at a time.
std::size_t string_end(std::string_view in, std::size_t from) {
  for (std::size_t at = in.find('"', from); at != std::string_view::npos;
       at = in.find('"', at + 1)) {
    std::size_t slashes = 0;
    while (at - slashes > from && in[at - slashes - 1] == '\\') ++slashes;
    if (slashes % 2 == 0) return at;
  }
  return in.size();
}

/// One value of the outermost object or array.
struct Item {
  std::string_view text;  ///< Of a string, between its quotes.
  bool string = false;
  bool key = false;
};

/// Walks through the outermost object or array; what is nested is skipped.
class Walker {
 public:
  explicit Walker(std::string_view in) : in_(in) {}
  bool next(Item& item) {
    while (at_ < in_.size()) {
      const char c = in_[at_++];
      if (c == '"') {
        const std::size_t end = string_end(in_, at_);
        item = {.text = in_.substr(at_, end - at_), .string = true, .key = false};
        at_ = end + 1;
        while (at_ < in_.size() && in_[at_] == ' ') ++at_;
        item.key = at_ < in_.size() && in_[at_] == ':';
        if (depth_ == 1) return true;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if (c == '}' || c == ']') {
        --depth_;
      }
    }
    return false;
  }

 private:
  std::string_view in_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

/// Writes the code point as UTF-8; the place after it.
char* put_code_point(char* to, std::uint32_t code) {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
    return to;
  }
  int shift = code < 0x800 ? 6 : code < 0x10000 ? 12 : 18;
  const std::uint32_t lead = code < 0x800 ? 0xc0 : code < 0x10000 ? 0xe0 : 0xf0;
  *to++ = static_cast<char>(lead | code >> shift);
  while (shift > 0) *to++ = static_cast<char>(0x80 | (code >> (shift -= 6) & 0x3f));
  return to;
}

std::uint32_t hex4(std::string_view in, std::size_t at) {
  std::uint32_t value = 0;
  for (const char c : in.substr(std::min(at, in.size()), 4)) {
    const auto digit = static_cast<unsigned char>(c);
    value = value << 4 | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10U);
  }
  return value;
}

/// The escape whose backslash is at `at`, which is moved behind it.
char* put_escape(char* to, std::string_view in, std::size_t& at) {
  const char c = at + 1 < in.size() ? in[at + 1] : '\\';
  if (c != 'u') {
    constexpr std::string_view kNames = "nrtbf";
    constexpr std::string_view kBytes = "\n\r\t\b\f";
    const auto found = kNames.find(c);
    *to++ = found == std::string_view::npos ? c : kBytes[found];
    at = std::min(at + 2, in.size());
    return to;
  }
  std::uint32_t code = hex4(in, at + 2);
  at = std::min(at + 6, in.size());
  if (code >= 0xd800 && code < 0xdc00 && in.substr(at, 2) == "\\u") {
    code = 0x10000 + ((code - 0xd800) << 10) + (hex4(in, at + 2) - 0xdc00);
    at = std::min(at + 6, in.size());
  }
  return put_code_point(to, code);
}

}  // namespace

std::string_view raw_member(std::string_view message, std::string_view key) {
  Walker walker(message);
  bool ours = false;
  for (Item item; walker.next(item);) {
    if (!item.key && ours) return item.text;
    ours = item.key && item.text == key;
  }
  return {};
}

std::string_view raw_element(std::string_view message, std::size_t index) {
  Walker walker(message);
  for (Item item; walker.next(item);) {
    if (index-- == 0) return item.text;
  }
  return {};
}

void unescape(std::string_view raw, std::string& out) {
  out.resize(raw.size());  // No escape is shorter than what it stands for.
  char* to = out.data();
  std::size_t at = 0;
  while (at < raw.size()) {
    const std::size_t slash = std::min(raw.find('\\', at), raw.size());
    std::memcpy(to, raw.data() + at, slash - at);
    to += slash - at;
    at = slash;
    if (at < raw.size()) to = put_escape(to, raw, at);
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
}

std::string quoted(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n' || c == '\r') {
      out += c == '\n' ? "\\n" : "\\r";
    } else if (code < 0x20) {
      out += "\\u00";
      out += kHex[code >> 4];
      out += kHex[code & 15];
    } else {
      out += c;
    }
  }
  return out += '"';
}

}  // namespace term::bench
