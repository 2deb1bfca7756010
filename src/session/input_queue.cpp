#include "session/input_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace term {

namespace {

/// Chunks are cut and filled up to this size, so neither a paste nor single keystrokes cost more
/// than their bytes.
constexpr std::size_t kChunkBytes = std::size_t{16} * 1024;

/// Two clients typing a byte each in turn cannot share a chunk; this bounds what that may cost.
constexpr std::size_t kMaxChunks = 4096;

}  // namespace

InputQueue::InputQueue(std::size_t capacity) : capacity_(capacity) {}

std::size_t InputQueue::room() const {
  return chunks_.size() >= kMaxChunks ? 0 : capacity_ - size_;
}

std::size_t InputQueue::size() const { return size_; }
bool InputQueue::empty() const { return size_ == 0; }

std::size_t InputQueue::push(const std::string& client, Offset first, std::span<const char> bytes) {
  bytes = bytes.first(std::min(bytes.size(), room()));
  const std::size_t taken = bytes.size();
  size_ += taken;
  while (!bytes.empty()) {
    if (!continues_last(client, first)) {
      chunks_.push_back({.client = client, .first = first, .bytes = {}, .taken = 0});
    }
    std::string& last = chunks_.back().bytes;
    const std::size_t n = std::min(bytes.size(), kChunkBytes - last.size());
    last.append(bytes.data(), n);
    first += n;
    bytes = bytes.subspan(n);
  }
  return taken;
}

bool InputQueue::continues_last(const std::string& client, Offset first) const {
  if (chunks_.empty()) return false;
  const Chunk& last = chunks_.back();
  return last.bytes.size() < kChunkBytes && last.first + last.bytes.size() == first &&
         last.client == client;
}

std::span<const char> InputQueue::front() const {
  if (chunks_.empty()) return {};
  return std::span<const char>(chunks_.front().bytes).subspan(chunks_.front().taken);
}

InputQueue::Progress InputQueue::pop(std::size_t n) {
  assert(!chunks_.empty() && n <= front().size());
  Chunk& chunk = chunks_.front();
  chunk.taken += n;
  size_ -= n;
  Progress progress{chunk.client, chunk.first + chunk.taken};
  if (chunk.taken == chunk.bytes.size()) chunks_.pop_front();
  return progress;
}

std::string InputQueue::copy() const {
  std::string bytes;
  bytes.reserve(size_);
  for (const Chunk& chunk : chunks_) bytes.append(chunk.bytes, chunk.taken);
  return bytes;
}

bool InputQueue::holds(std::string_view client) const {
  return std::ranges::any_of(chunks_, [&](const Chunk& c) { return c.client == client; });
}

std::vector<InputQueue::Run> InputQueue::runs() const {
  std::vector<Run> all;
  for (const Chunk& chunk : chunks_)
    all.push_back({chunk.client, chunk.first + chunk.taken, chunk.bytes.substr(chunk.taken)});
  return all;
}

}  // namespace term
