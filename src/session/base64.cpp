#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "session/block_scan.h"
#include "session/snapshot_json.h"

namespace term {

namespace {
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

using Pair = std::array<char, 2>;

/// The two digits of every 12 bits.
constexpr std::array<Pair, 4096> kPairs = [] {
  std::array<Pair, 4096> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 6U], kDigits[i & 63U]};
  return pairs;
}();

/// The value of each digit; of everything else 0.
constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kDigits[i])] = i;
  return values;
}();

Error bad(const std::string& why) { return {Errc::bad_argument, "not base64: " + why}; }

unsigned within(char c, char first, unsigned count) {
  return static_cast<unsigned char>(c - first) < count ? 1 : 0;
}

/// Without branches: skip_blocks().
bool no_digit(char c) {
  return (within(c, 'A', 26) | within(c, 'a', 26) | within(c, '0', 10) | within(c, '+', 1) |
          within(c, '/', 1)) == 0;
}

std::uint32_t byte(char c) { return static_cast<unsigned char>(c); }
std::uint32_t value(char c) { return kValues[static_cast<unsigned char>(c)]; }

void put(char* out, std::uint64_t bits) {
  const Pair& pair = kPairs[bits & 4095U];
  std::memcpy(out, pair.data(), pair.size());
}

/// Of digits alone, a multiple of 4.
void decode(std::string_view text, char* out) {
  for (std::size_t i = 0; i < text.size(); i += 4, out += 3) {
    const std::uint32_t bits = value(text[i]) << 18U | value(text[i + 1]) << 12U |
                               value(text[i + 2]) << 6U | value(text[i + 3]);
    out[0] = static_cast<char>(bits >> 16U);
    out[1] = static_cast<char>(bits >> 8U);
    out[2] = static_cast<char>(bits);
  }
}
}  // namespace

void append_base64(std::string& text, std::string_view bytes) {
  const std::size_t before = text.size();
  text.resize(before + (bytes.size() + 2) / 3 * 4);
  char* out = text.data() + before;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 6, out += 8) {  // Two are read and not yet used.
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes.data() + i, sizeof bits);
    if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
    put(out, bits >> 52U);
    put(out + 2, bits >> 40U);
    put(out + 4, bits >> 28U);
    put(out + 6, bits >> 16U);
  }
  for (; i < bytes.size(); i += 3, out += 4) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    const std::uint32_t bits = byte(bytes[i]) << 16U | (n > 1 ? byte(bytes[i + 1]) << 8U : 0) |
                               (n > 2 ? byte(bytes[i + 2]) : 0);
    put(out, bits >> 12U);
    put(out + 2, bits);
    std::fill(out + n + 1, out + 4, '=');
  }
}

std::string base64_encode(std::string_view bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

Result<Base64Tail> base64_tail(std::string_view text, std::size_t newest) {
  if (text.size() % 4 != 0) return bad("the length is not a multiple of 4");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const auto body = text.substr(0, text.size() - padding);
  std::size_t odd = skip_blocks(body, 0, no_digit);
  while (odd < body.size() && !no_digit(body[odd])) ++odd;
  if (odd < body.size()) return bad("unexpected character at " + std::to_string(odd));

  Base64Tail tail{.size = text.size() / 4 * 3 - padding, .bytes = {}};
  if (text.empty()) return tail;
  const std::size_t skipped = tail.size - std::min(tail.size, newest);
  const std::size_t groups = std::min(skipped / 3, text.size() / 4 - 1);  // The last is checked.
  const std::string_view wanted = text.substr(groups * 4);
  tail.bytes.resize(wanted.size() / 4 * 3);
  decode(wanted, tail.bytes.data());
  const std::size_t last = tail.bytes.size() - 3;
  tail.bytes.resize(tail.bytes.size() - padding);  // Decoded as zeros.
  if (base64_encode(std::string_view(tail.bytes).substr(last)) != text.substr(text.size() - 4))
    return bad("bits are set behind the end");
  tail.bytes.erase(0, skipped - groups * 3);
  return tail;
}

Result<std::string> base64_decode(std::string_view text) {
  auto all = base64_tail(text, std::string_view::npos);
  if (!all) return all.error();
  return std::move(all->bytes);
}

}  // namespace term
