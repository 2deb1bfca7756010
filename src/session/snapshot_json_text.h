#pragma once
// A snapshot read from JSON text with much output in it: the output goes around the JSON library,
// which looks at every character of a string.

#include <string>
#include <string_view>

#include "session/snapshot.h"

namespace term {

/// A session's text, read.
struct TextSnapshot {
  SessionSnapshot snapshot;      ///< `stream.data`: the newest bytes only, with all offsets.
  std::size_t output_bytes = 0;  ///< Of all output in the text.
  std::string plain;             ///< The text without the output, and with the offsets.
};
/// As snapshot_from_json(); everything is checked, but of the output only the `newest` bytes are
/// kept. Errors: bad_snapshot.
Result<TextSnapshot> snapshot_from_text(std::string_view text, std::size_t newest);

}  // namespace term
