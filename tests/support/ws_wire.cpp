#include "support/ws_wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace term::test {

namespace {

std::uint64_t number_at(std::string_view in, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = value << 8 | static_cast<unsigned char>(in[at + i]);
  return value;
}

void append_head(std::string& out, unsigned char opcode, std::size_t size) {
  out += static_cast<char>(0x80 | opcode);
  const std::size_t bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  out += static_cast<char>(0x80 | (bytes == 0 ? size : bytes == 2 ? 126 : 127));
  for (std::size_t left = bytes; left > 0; --left)
    out += static_cast<char>(size >> (8 * (left - 1)));
}

}  // namespace

int connect_to_loopback(unsigned short port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  errno = 0;
  ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  return fd;
}

std::string upgrade_request(unsigned short port, const std::string& target,
                            const std::string& subprotocol) {
  const std::string protocol =
      subprotocol.empty() ? "" : "Sec-WebSocket-Protocol: " + subprotocol + "\r\n";
  return "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         protocol + "\r\n";
}

std::optional<Upgrade> read_upgrade(std::string_view received) {
  const auto blank = received.find("\r\n\r\n");
  if (blank == std::string_view::npos) return std::nullopt;
  return Upgrade{.size = blank + 4,
                 .accepted = received.starts_with("HTTP/1.1 101 "),
                 .status = std::string(received.substr(0, received.find("\r\n")))};
}

int Frame::close_code() const {
  return payload.size() < 2 ? 1005 : static_cast<int>(number_at(payload, 0, 2));
}

std::string_view Frame::close_reason() const {
  return payload.substr(std::min<std::size_t>(2, payload.size()));
}

std::optional<Frame> read_frame(std::string_view received) {
  if (received.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(received[0]);
  std::uint64_t length = static_cast<unsigned char>(received[1]) & 0x7f;
  std::size_t head = 2;
  if (length >= 126) {
    const std::size_t bytes = length == 126 ? 2 : 8;
    head += bytes;
    if (received.size() < head) return std::nullopt;
    length = number_at(received, 2, bytes);
  }
  if (received.size() - head < length) return std::nullopt;
  const auto size = static_cast<std::size_t>(length);
  return Frame{.size = head + size,
               .opcode = static_cast<unsigned char>(first & 0x0f),
               .last = (first & 0x80) != 0,
               .payload = received.substr(head, size)};
}

void append_frame(std::string& out, unsigned char opcode, std::string_view payload,
                  std::uint32_t& mask) {
  append_head(out, opcode, payload.size());
  mask = mask * 1664525 + 1013904223;
  std::array<char, 4> key{};
  std::memcpy(key.data(), &mask, key.size());
  out.append(key.data(), key.size());
  const std::size_t start = out.size();
  out += payload;
  for (std::size_t i = 0; i < payload.size(); ++i) out[start + i] ^= key[i & 3];
}

}  // namespace term::test
