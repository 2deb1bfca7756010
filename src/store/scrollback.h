#pragma once
// A session's newest output as a row keeps it: compressed, with its own offsets.

#include <optional>
#include <string>
#include <string_view>

#include "session/types.h"

namespace term::store {

struct Scrollback {
  Offset first = 0;  ///< [first, next).
  Offset next = 0;
  std::string packed;  ///< zlib stream of next - first bytes.
  bool operator==(const Scrollback&) const = default;
};

/// The newest kMaxScrollback bytes of `bytes`, which end at `next`.
Scrollback pack(std::string_view bytes, Offset next);
/// Errors: bad_snapshot (damaged, or not as long as the offsets say).
Result<std::string> unpack(const Scrollback& scrollback);

}  // namespace term::store
