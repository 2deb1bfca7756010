#include "session/csi.h"

#include <algorithm>

namespace term {

namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }

void add_digit(std::uint16_t& value, char digit) {
  const int longer = value * 10 + (digit - '0');
  value = static_cast<std::uint16_t>(std::min<int>(longer, Csi::kMaxValue));
}

}  // namespace

Csi read_csi(std::string_view body) {
  Csi csi;
  std::size_t at = 0;  // Of the value that digits belong to; may be beyond kMaxValues.
  bool any = false;
  for (const char c : body) {
    if (c >= '0' && c <= '9') {
      any = true;
      if (at < Csi::kMaxValues) add_digit(csi.values[at], c);
    } else if (c == ';' || c == ':') {
      any = true;
      if (++at < Csi::kMaxValues && c == ':') csi.hangs |= 1U << at;
    } else if (is_control(c)) {
      continue;
    } else if (c >= '<' && c <= '?') {
      csi.prefix = any || csi.prefix != 0 ? Csi::kSeveral : c;
    } else if (c < '0') {
      csi.intermediate = csi.intermediate == 0 ? c : Csi::kSeveral;
    } else {
      csi.final = c;
    }
  }
  csi.count = any ? std::min(at + 1, Csi::kMaxValues) : 0;
  return csi;
}

}  // namespace term
