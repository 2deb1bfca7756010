#pragma once
// What a control sequence says: its parameters and its name (ECMA-48 5.4).

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "session/escape.h"

namespace term {

/// A CSI taken apart. Numbers are clamped to kMaxValue, and what is beyond kMaxValues is dropped.
/// `CSI 38:2::1;4 m` has the numbers 38 2 0 1 4, of which the 2nd to 4th hang on the one before.
struct Csi {
  static constexpr std::size_t kMaxValues = 32;  ///< xterm.js keeps as many.
  static constexpr std::uint16_t kMaxValue = 9999;

  char prefix = 0;        ///< `<`, `=`, `>` or `?`; 0 without.
  char intermediate = 0;  ///< 0 without; kSeveral for more than one, which nobody uses.
  char final = 0;
  std::size_t count = 0;
  std::array<std::uint16_t, kMaxValues> values{};  ///< 0 where there is none.
  std::uint32_t hangs = 0;                         ///< Bit n: value n came after a colon.

  static constexpr char kSeveral = '\x7F';

  std::uint16_t value(std::size_t n) const { return n < count ? values[n] : std::uint16_t{0}; }
  bool hangs_at(std::size_t n) const { return n < count && (hangs >> n & 1U) != 0; }
  /// Is this `CSI <prefix> … <intermediate> <final>`?
  bool is(char a_prefix, char an_intermediate, char a_final) const {
    return final == a_final && prefix == a_prefix && intermediate == an_intermediate;
  }
};

/// Takes a complete CSI apart; `body` is all behind the introducer. Controls within it are left
/// out.
Csi read_csi(std::string_view body);

}  // namespace term
