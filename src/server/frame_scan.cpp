#include "server/frame_scan.h"

#include <cstring>

namespace term::server {

namespace {

/// An idle connection keeps no large buffer.
constexpr std::size_t kIdleBytes = 4096;

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

std::optional<FrameHead> read_frame_head(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  FrameHead head;
  head.opcode = first & 0x0fU;
  head.fin = (first & 0x80U) != 0;
  head.payload_bytes = second & 0x7fU;
  std::size_t length_bytes = 0;
  if (head.payload_bytes == 126) length_bytes = 2;
  if (head.payload_bytes == 127) length_bytes = 8;
  const std::size_t mask_bytes = (second & 0x80U) != 0 ? 4 : 0;
  head.head_bytes = 2 + length_bytes + mask_bytes;
  if (bytes.size() < head.head_bytes) return std::nullopt;
  if (length_bytes > 0) head.payload_bytes = big_endian(bytes.substr(2, length_bytes));
  return head;
}

std::optional<std::size_t> complete_frame(std::string_view bytes) {
  const auto head = read_frame_head(bytes);
  if (!head || bytes.size() - head->head_bytes < head->payload_bytes) return std::nullopt;
  return head->head_bytes + static_cast<std::size_t>(head->payload_bytes);
}

void ReceivedFrames::given(std::string_view bytes) {
  if (given_up_) return;
  bytes_.append(bytes);
  if (bytes_.size() > limit_) give_up();
}

void ReceivedFrames::asked() { forget_idle(/*until_last=*/false); }

void ReceivedFrames::came() { forget_idle(/*until_last=*/true); }

void ReceivedFrames::forget_idle(bool until_last) {
  // One pass over what is new; what stays moves over what goes.
  std::size_t read = next_;
  while (const auto size = complete_frame(std::string_view(bytes_).substr(read))) {
    const auto head = read_frame_head(std::string_view(bytes_).substr(read));
    if (until_last && !head->control() && head->fin) break;
    const bool keep = !head->idle();
    if (keep && read != next_) std::memmove(bytes_.data() + next_, bytes_.data() + read, *size);
    if (keep) next_ += *size;
    read += *size;
  }
  bytes_.erase(next_, read - next_);
}

void ReceivedFrames::delivered() {
  std::size_t end = next_;
  bool found = given_up_;
  while (!found) {
    const auto rest = std::string_view(bytes_).substr(end);
    const auto size = complete_frame(rest);
    if (!size) return give_up();  // Beast saw a message that we do not see: never guess.
    const auto head = read_frame_head(rest);
    found = !head->control() && head->fin;
    end += *size;
  }
  if (given_up_) return;
  bytes_.erase(0, end);
  next_ = 0;
  if (bytes_.capacity() > kIdleBytes && bytes_.size() < kIdleBytes) bytes_.shrink_to_fit();
}

void ReceivedFrames::give_up() {
  given_up_ = true;
  bytes_ = {};
  next_ = 0;
}

}  // namespace term::server
