#pragma once
// A WebSocket client's side of the wire (RFC 6455), for who makes his frames by hand.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace term::test {

inline constexpr int kAbnormalClose = 1006;  ///< Never on the wire: ended without a close frame.

/// A socket that is being connected to 127.0.0.1: it neither blocks nor delays. -1 when there is
/// none; errno is EINPROGRESS or 0 unless it was refused at once, which shows when it is watched,
/// too.
int connect_to_loopback(unsigned short port);

/// An empty subprotocol offers none.
std::string upgrade_request(unsigned short port, const std::string& target,
                            const std::string& subprotocol);

/// What the server's answer to that comes to.
struct Upgrade {
  std::size_t size = 0;  ///< Bytes of the answer.
  bool accepted = false;
  std::string status;  ///< Its first line.
};
/// Nothing while it is not all there.
std::optional<Upgrade> read_upgrade(std::string_view received);

/// A frame of a server: not masked.
struct Frame {
  std::size_t size = 0;  ///< With its head.
  unsigned char opcode = 0;
  bool last = false;  ///< FIN.
  std::string_view payload;

  bool is_text() const { return opcode == 0x1; }
  int close_code() const;  ///< 1005 without one.
  std::string_view close_reason() const;
};
/// The frame at the begin of `received`; nothing while it is not all there.
std::optional<Frame> read_frame(std::string_view received);

/// A whole message, masked; `mask` goes on with each.
void append_frame(std::string& out, unsigned char opcode, std::string_view payload,
                  std::uint32_t& mask);

}  // namespace term::test
