#include "session/utf8.h"

#include <algorithm>

#include "session/block_scan.h"

namespace term {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// So many are looked at one by one before whole blocks are tried again.
constexpr std::size_t kFewBytes = 64;

constexpr auto kNoAscii = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };

enum class Form { complete, incomplete, invalid };

/// What a text begins with: a whole character, the begin of one, or a maximal subpart to replace.
struct Piece {
  Form form = Form::complete;
  std::size_t size = 1;
};

/// A lead byte's row of Unicode 15, table 3-7; size 0 for a byte that leads nothing.
struct Lead {
  std::size_t size = 0;
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xBF;
};

unsigned char byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2 || byte > 0xF4) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {4};
}

/// `bytes` is not empty.
Piece first_piece(std::string_view bytes) {
  const Lead lead = lead_of(byte_at(bytes, 0));
  if (lead.size == 0) return {Form::invalid, 1};
  for (std::size_t i = 1; i < lead.size; ++i) {
    if (i == bytes.size()) return {Form::incomplete, i};
    const unsigned char low = i == 1 ? lead.second_min : 0x80;
    const unsigned char high = i == 1 ? lead.second_max : 0xBF;
    if (byte_at(bytes, i) < low || byte_at(bytes, i) > high) return {Form::invalid, i};
  }
  return {Form::complete, lead.size};
}

}  // namespace

std::size_t incomplete_utf8_tail(std::string_view bytes) {
  for (std::size_t n = 1; n <= std::min<std::size_t>(3, bytes.size()); ++n) {
    const std::string_view tail = bytes.substr(bytes.size() - n);
    if (lead_of(byte_at(tail, 0)).size == 0) continue;
    const Piece piece = first_piece(tail);
    return piece.form == Form::incomplete ? n : 0;
  }
  return 0;
}

std::string Utf8Stream::feed(std::string_view bytes) {
  std::string joined;
  if (!tail_.empty()) {
    joined = std::move(tail_);
    joined += bytes;
    bytes = joined;
  }
  const std::size_t held = incomplete_utf8_tail(bytes);
  tail_.assign(bytes.substr(bytes.size() - held));
  bytes.remove_suffix(held);

  std::string text;
  text.reserve(bytes.size());
  std::size_t copied = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    at = skip_blocks(bytes, at, kNoAscii);
    for (const std::size_t end = at + kFewBytes; at < end && at < bytes.size();) {
      const Piece piece = first_piece(bytes.substr(at));
      if (piece.form != Form::complete) {
        text.append(bytes, copied, at - copied);
        text += kReplacement;
        copied = at + piece.size;
      }
      at += piece.size;
    }
  }
  text.append(bytes, copied);
  return text;
}

std::string Utf8Stream::finish() {
  const bool cut = !tail_.empty();
  tail_.clear();
  return std::string(cut ? kReplacement : "");
}

}  // namespace term
