#include "support/frame_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace term::test {

namespace {

constexpr std::size_t kReadBytes = 128 * 1024;
constexpr int kProtocolError = 1002;

}  // namespace

FrameSocket::~FrameSocket() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  ::close(fd_);
}

bool FrameSocket::connect(unsigned short port, const std::string& target,
                          const std::string& subprotocol) {
  fd_ = connect_to_loopback(port);
  if (fd_ < 0) return false;
  if (errno != 0 && errno != EINPROGRESS) {
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
  out_ = upgrade_request(port, target, subprotocol);
  watched_ = EPOLLIN | EPOLLOUT;
  loop_.watch(fd_, watched_, *this);
  return true;
}

void FrameSocket::cut(bool reset) {
  if (fd_ >= 0) end(kAbnormalClose, "cut", reset);
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
  append_frame(out_, opcode, payload, mask_);
  flush();
}

void FrameSocket::flush() {
  while (!out_.empty() && fd_ >= 0) {
    const std::size_t n = std::min(out_.size(), send_limit_.value_or(out_.size()));
    const ssize_t sent = ::send(fd_, out_.data(), n, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
    if (sent < 0) return end(kAbnormalClose, "send", false);
    out_.erase(0, static_cast<std::size_t>(sent));
    if (!send_limit_) continue;
    *send_limit_ -= static_cast<std::size_t>(sent);
    // FIN, not RST: what was sent up to this byte must arrive.
    if (*send_limit_ == 0) return end(kAbnormalClose, "cut in a frame sent", false);
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
  if (n <= 0) return end(kAbnormalClose, n == 0 ? "end of stream" : "reset", false);
  parse();
  if (fd_ < 0 || !receive_limit_) return;
  *receive_limit_ -= std::min(*receive_limit_, static_cast<std::size_t>(n));
  if (*receive_limit_ == 0) end(kAbnormalClose, "cut in a frame received", true);
}

void FrameSocket::parse() {
  if (state_ == State::shaking && !parse_head()) return;
  while (fd_ >= 0 && parse_frame()) {
  }
  in_.erase(0, parsed_);
  parsed_ = 0;
}

bool FrameSocket::parse_head() {
  const auto answer = read_upgrade(in_);
  if (!answer) return false;
  if (!answer->accepted) {
    end(kAbnormalClose, answer->status, false);
    return false;
  }
  parsed_ = answer->size;
  state_ = State::open;
  listener_.opened();
  return fd_ >= 0;
}

bool FrameSocket::parse_frame() {
  const auto received = read_frame(std::string_view(in_).substr(parsed_));
  if (!received) return false;
  parsed_ += received->size;
  frame(*received);
  return true;
}

void FrameSocket::frame(const Frame& received) {
  if (received.opcode == 0x9) return send(0xa, received.payload);
  if (received.opcode == 0xa) return;
  if (received.opcode == 0x8) {
    const std::string reason(received.close_reason());
    const int code = received.close_code();
    send(0x8, received.payload);
    if (fd_ >= 0) end(code, reason, false);
    return;
  }
  if (received.opcode > 0x2 || (received.opcode == 0) != fragmented_)
    return end(kProtocolError, "bad frame", true);
  if (received.opcode != 0) message_text_ = received.is_text();
  fragmented_ = !received.last;
  if (received.last && message_.empty()) return listener_.message(message_text_, received.payload);
  message_ += received.payload;
  if (fragmented_) return;
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
