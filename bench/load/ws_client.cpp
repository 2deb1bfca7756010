#include "load/ws_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace term::bench {

namespace {

constexpr std::size_t kFirstBuffer = 16 * 1024;
constexpr std::size_t kBusyBuffer = 256 * 1024;
constexpr std::size_t kBusyRead = 8 * 1024;
constexpr int kAbnormal = 1006;
constexpr std::uint64_t kFrameLimit = 1ULL << 30;

std::uint64_t number_at(std::string_view in, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = value << 8 | static_cast<unsigned char>(in[at + i]);
  return value;
}

std::string frame_head(unsigned char opcode, std::size_t size) {
  std::string head(1, static_cast<char>(0x80 | opcode));
  const std::size_t bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  head += static_cast<char>(0x80 | (bytes == 0 ? size : bytes == 2 ? 126 : 127));
  for (std::size_t left = bytes; left > 0; --left)
    head += static_cast<char>(size >> (8 * (left - 1)));
  return head;
}

}  // namespace

WsClient::WsClient(EventLoop& loop, Listener& listener)
    : loop_(loop), listener_(listener), in_(kFirstBuffer) {}

WsClient::~WsClient() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  ::close(fd_);
}

void WsClient::connect(unsigned short port, const std::string& target,
                       const std::string& subprotocol) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  open_ = told_ = fragmented_ = false;
  send_error_ = 0;
  begin_ = end_ = out_sent_ = 0;
  const std::string protocol =
      subprotocol.empty() ? "" : "Sec-WebSocket-Protocol: " + subprotocol + "\r\n";
  out_ = "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         protocol + "\r\n";
  watched_ = EPOLLIN | EPOLLOUT;
  // A refusal shows as EPOLLERR.
  ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  loop_.watch(fd_, watched_, *this);
}

void WsClient::close(int code, std::string_view reason) {
  const std::array<char, 2> number{static_cast<char>(code >> 8), static_cast<char>(code)};
  send(0x8, std::string(number.data(), number.size()) += reason);
}

void WsClient::cut() {
  if (fd_ >= 0) end(kAbnormal, "cut");
}

void WsClient::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if (fd_ >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void WsClient::send(unsigned char opcode, std::string_view payload) {
  if (fd_ < 0) return;
  const bool waiting = unsent() > 0;
  out_ += frame_head(opcode, payload.size());
  mask_ = mask_ * 1664525 + 1013904223;
  std::array<char, 4> key{};
  std::memcpy(key.data(), &mask_, key.size());
  out_.append(key.data(), key.size());
  const std::size_t start = out_.size();
  out_ += payload;
  for (std::size_t i = 0; i < payload.size(); ++i) out_[start + i] ^= key[i & 3];
  if (!waiting) flush();
}

void WsClient::flush() {
  while (unsent() > 0) {
    const ssize_t n = ::send(fd_, out_.data() + out_sent_, unsent(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
    if (n < 0) {
      send_error_ = errno;  // The read side comes to the end, after what was sent to us before.
      return;
    }
    out_sent_ += static_cast<std::size_t>(n);
  }
  if (unsent() == 0) {
    out_.clear();
    out_sent_ = 0;
  }
  const std::uint32_t wanted = EPOLLIN | (unsent() > 0 ? EPOLLOUT : 0U);
  if (wanted != watched_) loop_.change(fd_, watched_ = wanted, *this);
}

void WsClient::read() {
  if (begin_ > 0 && begin_ == end_) begin_ = end_ = 0;
  if (end_ == in_.size() && begin_ > 0) {
    std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ == in_.size()) in_.resize(in_.size() * 2);
  const ssize_t n = ::recv(fd_, in_.data() + end_, in_.size() - end_, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    const int error = n < 0 ? errno : send_error_;
    return end(kAbnormal, error == 0 ? "end of stream" : std::generic_category().message(error));
  }
  end_ += static_cast<std::size_t>(n);
  reading_ = true;
  parse();
  reading_ = false;
  // Thousands of idle connections shall not have big buffers.
  if (static_cast<std::size_t>(n) >= kBusyRead && in_.size() < kBusyBuffer) in_.resize(kBusyBuffer);
}

void WsClient::parse() {
  if (!open_ && !parse_head()) return;
  while (fd_ >= 0 && parse_frame()) {
  }
}

bool WsClient::parse_head() {
  const std::string_view all(in_.data() + begin_, end_ - begin_);
  const auto blank = all.find("\r\n\r\n");
  if (blank == std::string_view::npos) return false;
  if (!all.starts_with("HTTP/1.1 101 ")) {
    end(kAbnormal, std::string(all.substr(0, all.find("\r\n"))));
    return false;
  }
  begin_ += blank + 4;
  open_ = true;
  listener_.opened();
  return fd_ >= 0;
}

bool WsClient::parse_frame() {
  const std::string_view rest(in_.data() + begin_, end_ - begin_);
  if (rest.size() < 2) return false;
  std::uint64_t length = static_cast<unsigned char>(rest[1]) & 0x7f;
  std::size_t head = 2;
  if (length >= 126) {
    const std::size_t bytes = length == 126 ? 2 : 8;
    head += bytes;
    if (rest.size() < head) return false;
    length = number_at(rest, 2, bytes);
  }
  if (length > kFrameLimit) {
    end(kAbnormal, "a frame of " + std::to_string(length) + " bytes");
    return false;
  }
  if (rest.size() - head < length) return false;
  begin_ += head + static_cast<std::size_t>(length);
  frame(static_cast<unsigned char>(rest[0]), rest.substr(head, static_cast<std::size_t>(length)));
  return true;
}

void WsClient::frame(unsigned char head, std::string_view payload) {
  switch (head & 0x0f) {
    case 0x9:
      return send(0xa, payload);
    case 0xa:
      return;
    case 0x8: {
      const int code = payload.size() < 2 ? 1005 : static_cast<int>(number_at(payload, 0, 2));
      send(0x8, payload);
      return end(code, std::string(payload.substr(std::min<std::size_t>(2, payload.size()))));
    }
    default:
      return data_frame(head, payload);
  }
}

void WsClient::data_frame(unsigned char head, std::string_view payload) {
  const unsigned char opcode = head & 0x0f;
  if (opcode > 0x2 || (opcode == 0) != fragmented_) return end(kAbnormal, "a bad frame");
  const bool last = (head & 0x80) != 0;
  if (opcode != 0) fragments_text_ = opcode == 0x1;
  if (last) ++messages_;
  if (last && !fragmented_) return listener_.message(fragments_text_, payload);
  fragments_ += payload;
  fragmented_ = !last;
  if (!last) return;
  const std::string whole = std::exchange(fragments_, {});
  listener_.message(fragments_text_, whole);
}

void WsClient::end(int code, const std::string& reason) {
  loop_.forget(fd_);
  ::close(std::exchange(fd_, -1));
  out_.clear();
  out_sent_ = 0;
  if (!reading_) begin_ = end_ = 0;
  if (!std::exchange(told_, true)) listener_.closed(code, reason);
}

}  // namespace term::bench
