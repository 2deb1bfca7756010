#pragma once
// Looking through output for rare bytes at the speed of memory.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace term {

/// The first place from `at` on whose block of 64 bytes has one for which `hit(char)` holds, or
/// where less than a block is left; the caller looks at single bytes from there. `hit` without
/// branches (`|`, not `||`), so that the compiler makes vector instructions of it.
template <typename Hit>
std::size_t skip_blocks(std::string_view bytes, std::size_t at, Hit hit) {
  constexpr std::size_t kBlock = 64;
  for (; at + kBlock <= bytes.size(); at += kBlock) {
    const char* block = bytes.data() + at;
    unsigned char found = 0;
    for (std::size_t i = 0; i < kBlock; ++i) found |= static_cast<unsigned char>(hit(block[i]));
    if (found != 0) break;
  }
  return at;
}

/// Eight bytes of output, looked at together.
class Word {
 public:
  explicit Word(const char* bytes) { std::memcpy(&word_, bytes, sizeof word_); }
  /// Bytes that are `wanted` in the bits of `mask`: the lowest set bit of the result is in the
  /// first of them, 0 if there is none. Results may be joined by `|`. Source: Hacker's Delight 6-1.
  std::uint64_t find(unsigned char wanted, unsigned char mask = 0xFF) const {
    const std::uint64_t zero_where_found = (word_ & kOnes * mask) ^ kOnes * wanted;
    return (zero_where_found - kOnes) & ~zero_where_found & kOnes * 0x80;
  }
  /// Which of the eight a result of find(), not 0, means.
  static std::size_t place(std::uint64_t found) {
    static_assert(std::endian::native == std::endian::little);
    return static_cast<std::size_t>(std::countr_zero(found)) / 8;
  }

 private:
  static constexpr std::uint64_t kOnes = 0x0101010101010101;
  std::uint64_t word_ = 0;
};

}  // namespace term
