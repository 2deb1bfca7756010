#pragma once
// UTF-8 across chunk borders, for the text dialects (DESIGN.md 5).

#include <string>
#include <string_view>

namespace term {

/// How many bytes at the end of `bytes` begin a sequence that is well-formed so far and incomplete:
/// 0 to 3. Source: Unicode 15, table 3-7.
std::size_t incomplete_utf8_tail(std::string_view bytes);

/// Turns a byte stream into valid UTF-8 text, chunk by chunk: an incomplete tail is held back
/// until it is complete, what is truly invalid becomes U+FFFD (one per maximal subpart).
class Utf8Stream {
 public:
  /// The text of what was held back plus `bytes`.
  std::string feed(std::string_view bytes);
  /// The end of the stream: a tail still held back becomes U+FFFD.
  std::string finish();
  std::size_t held() const { return tail_.size(); }

 private:
  std::string tail_;
};

}  // namespace term
