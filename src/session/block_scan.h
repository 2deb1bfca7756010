#pragma once
// Looking through output for rare bytes at the speed of memory.

#include <cstddef>
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

}  // namespace term
