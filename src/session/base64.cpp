#include <openssl/evp.h>

#include <algorithm>
#include <string>

#include "session/snapshot_json.h"

namespace term {

namespace {
constexpr std::size_t kChunkBytes = 3 * 256 * 1024;  ///< OpenSSL counts in int; a multiple of 3.
constexpr std::size_t kChunkChars = kChunkBytes / 3 * 4;

Error bad(const std::string& why) { return {Errc::bad_argument, "not base64: " + why}; }

bool base64_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::string chunk(std::min(bytes.size(), kChunkBytes) / 3 * 4 + 5, '\0');  // 4 more and a NUL.
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, kChunkBytes);
    const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(chunk.data()), raw(part),
                                  static_cast<int>(part.size()));
    text.append(chunk, 0, static_cast<std::size_t>(n));
    bytes.remove_prefix(part.size());
  }
  return text;
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return bad("the length is not a multiple of 4");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::string_view last = text.substr(text.size() - std::min<std::size_t>(text.size(), 4));
  const auto body = text.substr(0, text.size() - padding);
  const auto odd = std::ranges::find_if_not(body, base64_char);
  if (odd != body.end()) {
    return bad("unexpected character at " + std::to_string(odd - body.begin()));
  }
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::string chunk(std::min(text.size(), kChunkChars) / 4 * 3, '\0');
  for (std::string_view rest = text; !rest.empty();) {
    const auto part = rest.substr(0, kChunkChars);
    const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(chunk.data()), raw(part),
                                  static_cast<int>(part.size()));
    if (n < 0) return bad("it cannot be decoded");
    bytes.append(chunk, 0, static_cast<std::size_t>(n));
    rest.remove_prefix(part.size());
  }
  bytes.resize(bytes.size() - padding);  // OpenSSL decodes padding as zero bytes.
  const std::string_view tail =
      std::string_view(bytes).substr(bytes.size() - (last.empty() ? 0 : 3 - padding));
  if (base64_encode(tail) != last) return bad("bits are set behind the end");
  return bytes;
}

}  // namespace term
