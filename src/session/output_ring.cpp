#include "session/output_ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace term {

namespace {

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t page_floor(std::size_t n) { return n / page_bytes() * page_bytes(); }

std::size_t page_ceil(std::size_t n) {
  if (n > std::numeric_limits<std::size_t>::max() - page_bytes()) throw std::bad_alloc();
  return page_floor(n + page_bytes() - 1);
}

}  // namespace

OutputRing::OutputRing(std::size_t capacity, Offset next)
    : capacity_(std::max(page_ceil(capacity), page_bytes())),
      own_(std::make_unique<Own>()),
      first_(&own_->first),
      next_(&own_->next) {
  first_->store(next);
  next_->store(next);
  void* mapping = ::mmap(nullptr, capacity_, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<char*>(mapping);
  // Neighbouring rings merge into one big mapping, which a huge page would fill at the first byte.
  (void)::madvise(mapping, capacity_, MADV_NOHUGEPAGE);
  // What a terminal shows does not belong into a core file.
  (void)::madvise(mapping, capacity_, MADV_DONTDUMP);
}

OutputRing::OutputRing(std::span<char> memory, Durable& first, Durable& next)
    : data_(memory.data()), capacity_(memory.size()), first_(&first), next_(&next) {
  // Whatever stands there: what is held fits and is not negative.
  if (first.load() > next.load()) first.store(next.load());
  if (next.load() - first.load() > capacity_) first.store(next.load() - capacity_);
}

OutputRing::OutputRing(OutputRing&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      own_(std::move(other.own_)),
      first_(std::exchange(other.first_, nullptr)),
      next_(std::exchange(other.next_, nullptr)) {}

OutputRing& OutputRing::operator=(OutputRing&& other) noexcept {
  OutputRing taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(capacity_, taken.capacity_);
  std::swap(own_, taken.own_);
  std::swap(first_, taken.first_);
  std::swap(next_, taken.next_);
  return *this;
}

OutputRing::~OutputRing() {
  if (own_ && data_ != nullptr) ::munmap(data_, capacity_);
}

/// Gives back the pages that lie wholly in [begin, end).
void OutputRing::release_pages(std::size_t begin, std::size_t end) {
  begin = page_ceil(begin);
  end = page_floor(end);
  // A page of a file is only given back as a hole in it.
  if (begin < end) (void)::madvise(data_ + begin, end - begin, own_ ? MADV_DONTNEED : MADV_REMOVE);
}

std::size_t OutputRing::capacity() const { return capacity_; }
Offset OutputRing::first() const { return first_ == nullptr ? 0 : first_->load(); }
Offset OutputRing::next() const { return next_ == nullptr ? 0 : next_->load(); }
std::size_t OutputRing::size() const { return static_cast<std::size_t>(next() - first()); }

std::span<char> OutputRing::writable(std::size_t max) {
  assert(max > 0 && capacity_ > 0);
  const Offset next = this->next();
  const auto at = static_cast<std::size_t>(next % capacity_);
  const std::size_t n = std::min(max, capacity_ - at);
  if (size() + n > capacity_) first_->store(next + n - capacity_);
  return {data_ + at, n};
}

void OutputRing::commit(std::size_t n) {
  assert(size() + n <= capacity_);
  next_->store(next() + n);
}

void OutputRing::append(std::span<const char> bytes) {
  if (bytes.size() > capacity_) {
    const std::size_t skipped = bytes.size() - capacity_;
    next_->store(next() + skipped);
    first_->store(next());
    bytes = bytes.subspan(skipped);
  }
  while (!bytes.empty()) {
    const std::span<char> room = writable(bytes.size());
    std::memcpy(room.data(), bytes.data(), room.size());
    commit(room.size());
    bytes = bytes.subspan(room.size());
  }
}

std::array<std::span<const char>, 2> OutputRing::read(Offset from, std::size_t max) const {
  if (from < first() || from >= next()) return {};
  const std::size_t n = std::min(max, static_cast<std::size_t>(next() - from));
  const auto at = static_cast<std::size_t>(from % capacity_);
  const std::size_t before_end = std::min(n, capacity_ - at);
  return {std::span<const char>(data_ + at, before_end),
          std::span<const char>(data_, n - before_end)};
}

std::string OutputRing::copy(Offset from, std::size_t max) const {
  const auto [head, rest] = read(from, max);
  std::string bytes;
  bytes.reserve(head.size() + rest.size());
  bytes.append(head.data(), head.size());
  bytes.append(rest.data(), rest.size());
  return bytes;
}

void OutputRing::shrink(std::size_t keep) {
  if (capacity_ == 0) return;
  if (size() > keep) first_->store(next() - keep);
  if (first() == next()) return release_pages(0, capacity_);

  // What is not held is [next, first) in the mapping, around its end if need be.
  const auto begin = static_cast<std::size_t>(next() % capacity_);
  const auto end = static_cast<std::size_t>(first() % capacity_);
  if (begin < end) {
    release_pages(begin, end);
  } else if (size() < capacity_) {
    release_pages(begin, capacity_);
    release_pages(0, end);
  }
}

}  // namespace term
