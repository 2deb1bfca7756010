#include "session/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <system_error>

namespace term {

namespace {

constexpr std::string_view kBase36 = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kRandomChars = 8;
constexpr std::size_t kMaxIdBytes = 128;

void fill_random(std::span<unsigned char> out) {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

std::string random_base36() {
  // Bytes from 252 on are thrown away: 256 is no multiple of 36 and would favour the first digits.
  constexpr unsigned kUnbiased = 256 / kBase36.size() * kBase36.size();
  std::string text;
  std::array<unsigned char, 2 * kRandomChars> bytes{};
  while (text.size() < kRandomChars) {
    fill_random(bytes);
    for (const unsigned byte : bytes) {
      if (byte < kUnbiased && text.size() < kRandomChars) text += kBase36[byte % kBase36.size()];
    }
  }
  return text;
}

bool id_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

}  // namespace

SessionId make_session_id(WallTime now) {
  return "session_" + std::to_string(now.time_since_epoch().count()) + "_" + random_base36();
}

bool valid_session_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes && std::ranges::all_of(id, id_char) &&
         id.find_first_not_of('.') != std::string_view::npos;
}

bool valid_project_id(std::string_view id) { return id.empty() || valid_session_id(id); }

}  // namespace term
