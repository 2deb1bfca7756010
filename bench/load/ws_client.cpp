#include "load/ws_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "support/ws_wire.h"

namespace term::bench {

namespace {

constexpr std::size_t kFirstBuffer = 16 * 1024;
constexpr std::size_t kBusyBuffer = 256 * 1024;
constexpr std::size_t kBusyRead = 8 * 1024;

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
  fd_ = test::connect_to_loopback(port);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
  open_ = told_ = fragmented_ = false;
  send_error_ = 0;
  begin_ = end_ = out_sent_ = 0;
  out_ = test::upgrade_request(port, target, subprotocol);
  watched_ = EPOLLIN | EPOLLOUT;
  loop_.watch(fd_, watched_, *this);
}

void WsClient::close(int code, std::string_view reason) {
  const std::array<char, 2> number{static_cast<char>(code >> 8), static_cast<char>(code)};
  send(0x8, std::string(number.data(), number.size()) += reason);
}

void WsClient::cut() {
  if (fd_ >= 0) end(test::kAbnormalClose, "cut");
}

void WsClient::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if (fd_ >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void WsClient::send(unsigned char opcode, std::string_view payload) {
  if (fd_ < 0) return;
  const bool waiting = unsent() > 0;
  test::append_frame(out_, opcode, payload, mask_);
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
    return end(test::kAbnormalClose,
               error == 0 ? "end of stream" : std::generic_category().message(error));
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
  const auto answer = test::read_upgrade({in_.data() + begin_, end_ - begin_});
  if (!answer) return false;
  if (!answer->accepted) {
    end(test::kAbnormalClose, answer->status);
    return false;
  }
  begin_ += answer->size;
  open_ = true;
  listener_.opened();
  return fd_ >= 0;
}

bool WsClient::parse_frame() {
  const auto received = test::read_frame({in_.data() + begin_, end_ - begin_});
  if (!received) return false;
  begin_ += received->size;
  frame(*received);
  return true;
}

void WsClient::frame(const test::Frame& received) {
  switch (received.opcode) {
    case 0x9:
      return send(0xa, received.payload);
    case 0xa:
      return;
    case 0x8:
      send(0x8, received.payload);
      return end(received.close_code(), std::string(received.close_reason()));
    default:
      return data_frame(received);
  }
}

void WsClient::data_frame(const test::Frame& received) {
  if (received.opcode > 0x2 || (received.opcode == 0) != fragmented_)
    return end(test::kAbnormalClose, "a bad frame");
  if (received.opcode != 0) fragments_text_ = received.is_text();
  if (received.last) ++messages_;
  if (received.last && !fragmented_) return listener_.message(fragments_text_, received.payload);
  fragments_ += received.payload;
  fragmented_ = !received.last;
  if (fragmented_) return;
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
