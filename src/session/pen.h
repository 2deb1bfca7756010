#pragma once
// How characters are drawn: attributes and colours (SGR).

#include <array>
#include <cstdint>
#include <string>

#include "session/csi.h"

namespace term {

/// All-zero is the terminal's default.
struct Colour {
  enum Kind : std::uint8_t { none, palette, rgb };
  std::uint8_t kind = none;
  std::array<std::uint8_t, 3> value{};  ///< Palette: its number comes first. Else red, green, blue.
  bool operator==(const Colour&) const = default;
};

/// Select graphic rendition. A value of fixed size without pointers; all-zero is `CSI m`.
struct Pen {
  enum Attribute : std::uint16_t {
    bold = 1,
    faint = 2,
    italic = 4,
    blink = 8,
    reverse = 16,
    concealed = 32,
    strike = 64,
    overline = 128,
  };
  std::uint16_t attributes = 0;
  std::uint8_t underline = 0;  ///< 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed.
  std::uint8_t unused = 0;
  Colour foreground;
  Colour background;
  Colour underline_colour;
  bool operator==(const Pen&) const = default;
};

/// Applies `CSI … m`. Source: ECMA-48 8.3.117, ctlseqs of xterm, ITU T.416 for colours with colons.
void apply_sgr(Pen& pen, const Csi& sgr);

/// Appends the sequence that selects exactly `pen`, whatever was selected before.
void append_sgr(std::string& out, const Pen& pen);

}  // namespace term
