#pragma once
// Where a client's frames end in the bytes as they came: what a hand-over must give to the next
// process is what Beast was given and we have not handled yet (reliability.md 2.4 d).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace term::server {

/// The head of one frame. Source: RFC 6455 5.2.
struct FrameHead {
  std::uint8_t opcode = 0;
  bool fin = false;
  std::size_t head_bytes = 0;  ///< With the mask.
  std::uint64_t payload_bytes = 0;

  bool control() const { return (opcode & 0x8U) != 0; }
  /// A frame that adds nothing to its message: once read it need not be kept.
  bool idle() const { return control() || (opcode == 0 && !fin && payload_bytes == 0); }
};

/// The head of the frame that begins `bytes`; nothing while it is incomplete. Reads every head as
/// valid: what the protocol forbids ends the connection anyway.
std::optional<FrameHead> read_frame_head(std::string_view bytes);

/// Bytes of the frame that begins `bytes`; nothing while it is incomplete.
std::optional<std::size_t> complete_frame(std::string_view bytes);

/// The bytes that were given to Beast and are not handled yet: exactly what another Beast must read
/// first to be where this one is. Bounded: a client that makes it keep more than `limit` cannot be
/// carried any more.
class ReceivedFrames {
 public:
  explicit ReceivedFrames(std::size_t limit) : limit_(limit) {}

  /// Beast gets these now.
  void given(std::string_view bytes);
  /// Beast asks for more: it has handled every complete frame. Control frames (their answers are on
  /// the way) are forgotten, those of a message that is not complete are kept.
  void asked();
  /// A message was delivered and is not handled yet: control frames before its end are forgotten,
  /// too, since they are answered.
  void came();
  /// A message was delivered and handled: forgets everything up to its end.
  void delivered();
  /// From now on nothing is kept.
  void give_up();

  std::string_view bytes() const { return bytes_; }
  bool complete() const { return !given_up_; }

 private:
  /// Forgets the control frames at the front of what asked() has not seen; with `until_last` only
  /// those before the frame that ends a message.
  void forget_idle(bool until_last);

  std::size_t limit_;
  std::string bytes_;
  std::size_t next_ = 0;  ///< Where the first frame begins that asked() has not seen whole.
  bool given_up_ = false;
};

}  // namespace term::server
