#include "support/frame_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace term::test {

namespace {

constexpr std::size_t kReadBytes = 128 * 1024;
constexpr int kAbnormal = 1006;
constexpr int kProtocolError = 1002;

/// A head of big-endian bytes.
void append_number(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift));
}

std::uint64_t number_at(std::string_view in, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = value << 8 | static_cast<unsigned char>(in[at + i]);
  return value;
}

}  // namespace

FrameSocket::~FrameSocket() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  ::close(fd_);
}

bool FrameSocket::connect(unsigned short port, const std::string& target,
                          const std::string& subprotocol) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS) {
    ::close(std::exchange(fd_, -1));
    return false;
  }
  state_ = State::shaking;
  in_.clear();
  parsed_ = 0;
  message_.clear();
  fragmented_ = false;
  send_limit_.reset();
  receive_limit_.reset();
  paused_ = false;
  out_ = "GET " + target + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Protocol: " +
         subprotocol + "\r\n\r\n";
  watched_ = EPOLLIN | EPOLLOUT;
  loop_.watch(fd_, watched_, *this);
  return true;
}

void FrameSocket::cut(bool reset) {
  if (fd_ >= 0) end(kAbnormal, "cut", reset);
}

void FrameSocket::pause_reading(bool paused) {
  paused_ = paused;
  if (fd_ >= 0) watch_for();
}

void FrameSocket::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if (fd_ >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void FrameSocket::send(unsigned char opcode, std::string_view payload) {
  if (fd_ < 0) return;
  out_.push_back(static_cast<char>(0x80 | opcode));
  if (payload.size() < 126) {
    out_.push_back(static_cast<char>(0x80 | payload.size()));
  } else if (payload.size() < 65536) {
    out_.push_back(static_cast<char>(0x80 | 126));
    append_number(out_, payload.size(), 2);
  } else {
    out_.push_back(static_cast<char>(0x80 | 127));
    append_number(out_, payload.size(), 8);
  }
  mask_ = mask_ * 1664525 + 1013904223;
  std::string key;
  append_number(key, mask_, 4);
  out_ += key;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out_.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
  flush();
}

void FrameSocket::flush() {
  while (!out_.empty() && fd_ >= 0) {
    const std::size_t n = std::min(out_.size(), send_limit_.value_or(out_.size()));
    const ssize_t sent = ::send(fd_, out_.data(), n, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
    if (sent < 0) return end(kAbnormal, "send", false);
    out_.erase(0, static_cast<std::size_t>(sent));
    if (!send_limit_) continue;
    *send_limit_ -= static_cast<std::size_t>(sent);
    // FIN, not RST: what was sent up to this byte must arrive.
    if (*send_limit_ == 0) return end(kAbnormal, "cut in a frame sent", false);
  }
  if (fd_ >= 0) watch_for();
}

void FrameSocket::watch_for() {
  const std::uint32_t wanted = (paused_ ? 0U : EPOLLIN) | (out_.empty() ? 0U : EPOLLOUT);
  if (wanted != watched_) loop_.change(fd_, watched_ = wanted, *this);
}

void FrameSocket::read() {
  const std::size_t held = in_.size();
  const std::size_t room = std::min(kReadBytes, receive_limit_.value_or(kReadBytes));
  in_.resize(held + room);
  const ssize_t n = ::recv(fd_, in_.data() + held, room, 0);
  in_.resize(held + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return end(kAbnormal, n == 0 ? "end of stream" : "reset", false);
  parse();
  if (fd_ < 0 || !receive_limit_) return;
  *receive_limit_ -= std::min(*receive_limit_, static_cast<std::size_t>(n));
  if (*receive_limit_ == 0) end(kAbnormal, "cut in a frame received", true);
}

void FrameSocket::parse() {
  if (state_ == State::shaking && !parse_head()) return;
  while (fd_ >= 0 && parse_frame()) {
  }
  in_.erase(0, parsed_);
  parsed_ = 0;
}

bool FrameSocket::parse_head() {
  const auto blank = in_.find("\r\n\r\n");
  if (blank == std::string::npos) return false;
  const std::string head = in_.substr(0, blank);
  if (!head.starts_with("HTTP/1.1 101 ")) {
    end(kAbnormal, head.substr(0, head.find("\r\n")), false);
    return false;
  }
  parsed_ = blank + 4;
  state_ = State::open;
  listener_.opened();
  return fd_ >= 0;
}

bool FrameSocket::parse_frame() {
  const std::string_view rest = std::string_view(in_).substr(parsed_);
  if (rest.size() < 2) return false;
  std::uint64_t length = static_cast<unsigned char>(rest[1]) & 0x7f;
  std::size_t head = 2;
  if (length >= 126) {
    const std::size_t bytes = length == 126 ? 2 : 8;
    head += bytes;
    if (rest.size() < head) return false;
    length = number_at(rest, 2, bytes);
  }
  if (rest.size() - head < length) return false;
  parsed_ += head + length;
  frame(static_cast<unsigned char>(rest[0]), rest.substr(head, length));
  return true;
}

void FrameSocket::frame(unsigned char head, std::string_view payload) {
  const unsigned char opcode = head & 0x0f;
  if (opcode == 0x9) return send(0xa, payload);
  if (opcode == 0xa) return;
  if (opcode == 0x8) {
    const int code = payload.size() < 2 ? 1005 : static_cast<int>(number_at(payload, 0, 2));
    const std::string reason(payload.substr(std::min<std::size_t>(2, payload.size())));
    send(0x8, payload);
    if (fd_ >= 0) end(code, reason, false);
    return;
  }
  if (opcode > 0x2 || (opcode == 0) != fragmented_) return end(kProtocolError, "bad frame", true);
  if (opcode != 0) message_text_ = opcode == 0x1;
  const bool last = (head & 0x80) != 0;
  fragmented_ = !last;
  if (last && message_.empty()) return listener_.message(message_text_, payload);
  message_ += payload;
  if (!last) return;
  const std::string whole = std::exchange(message_, {});
  listener_.message(message_text_, whole);
}

void FrameSocket::end(int code, const std::string& reason, bool reset) {
  if (reset) {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  loop_.forget(fd_);
  ::close(std::exchange(fd_, -1));
  state_ = State::idle;
  out_.clear();
  listener_.closed(code, reason);
}

}  // namespace term::test
