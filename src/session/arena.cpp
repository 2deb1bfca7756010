#include "session/arena.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace term {

namespace {

constexpr std::uint64_t kMagic = 0x616e657261'02'01ULL;  // "arena" and the layout's version.
constexpr std::size_t kPage = 4096;

constexpr std::size_t page_ceil(std::size_t n) { return (n + kPage - 1) / kPage * kPage; }

struct ArenaHeader {
  std::uint64_t magic;
  std::uint64_t slots;
  std::uint64_t ring_bytes;
  Durable service_books;
  StagingIntent staging[Arena::kMaxShards];
};

constexpr std::size_t kServiceBooksAt = page_ceil(sizeof(ArenaHeader));
constexpr std::size_t kSlotHeaderBytes = page_ceil(sizeof(SlotHeader));

std::size_t slots_at() {
  return kServiceBooksAt + DurableText::memory_bytes(Arena::kLargeServiceBooks);
}

std::size_t slot_stride(std::size_t ring_bytes) {
  return kSlotHeaderBytes + DurableText::memory_bytes(Arena::kLargeBooks) + ring_bytes;
}

Error os_error(const char* what) {
  return {Errc::os_error, std::string(what) + ": " + std::generic_category().message(errno)};
}

/// FNV-1a; only to notice that a text is not one of ours.
std::uint32_t checksum(std::string_view text) {
  std::uint32_t sum = 2166136261U;
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 16777619U;
  return sum;
}

Result<char*> map(int fd, std::size_t bytes) {
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) return os_error("mmap of the arena");
  (void)::madvise(base, bytes, MADV_NOHUGEPAGE);
  (void)::madvise(base, bytes, MADV_DONTDUMP);  // What terminals show does not belong into a core.
  return static_cast<char*>(base);
}

}  // namespace

std::size_t DurableText::memory_bytes(std::size_t large) { return 2 * kSmall + 2 * large; }

std::span<char> DurableText::place(unsigned number) const {
  if (number <= 2) return {memory_ + (number - 1) * kSmall, kSmall};
  return {memory_ + 2 * kSmall + (number - 3) * large_, large_};
}

Result<void> DurableText::write(std::string_view text) {
  if (text.size() > large_)
    return Error{Errc::limit_reached, "a text of " + std::to_string(text.size()) +
                                          " bytes; the arena keeps at most " +
                                          std::to_string(large_)};
  const auto in_force = static_cast<unsigned>(current_->load() & 7U);
  unsigned next = text.size() <= kSmall ? 1 : 3;
  if (next == in_force) ++next;
  std::memcpy(place(next).data(), text.data(), text.size());
  current_->store(next | static_cast<std::uint64_t>(text.size()) << 3U |
                  static_cast<std::uint64_t>(checksum(text)) << 32U);
  return {};
}

std::string DurableText::read() const {
  const std::uint64_t current = current_->load();
  const auto number = static_cast<unsigned>(current & 7U);
  const auto length = static_cast<std::size_t>(current >> 3U & 0x1FFFFFFFU);
  if (number < 1 || number > 4 || length > place(number).size()) return {};
  std::string text(place(number).data(), length);
  return checksum(text) == current >> 32U ? text : std::string{};
}

SlotHeader& ArenaSlot::header() const {
  return *reinterpret_cast<SlotHeader*>(arena_->slot_base(index_));
}

std::span<char> ArenaSlot::ring() const {
  char* ring =
      arena_->slot_base(index_) + kSlotHeaderBytes + DurableText::memory_bytes(Arena::kLargeBooks);
  return {ring, arena_->ring_bytes_};
}

DurableText ArenaSlot::books() const {
  return {header().books, arena_->slot_base(index_) + kSlotHeaderBytes, Arena::kLargeBooks};
}

ArenaClient* ArenaSlot::client(std::string_view client, Offset written,
                               const std::function<bool(std::string_view)>& in_use) const {
  ArenaClient* free = nullptr;
  ArenaClient* idle = nullptr;
  for (ArenaClient& entry : header().clients) {
    const auto length = static_cast<std::size_t>(entry.length.load());
    if (length == 0) {
      // Entries are taken from the front and never given back; but a kill while one changed hands
      // leaves it free among the taken.
      if (free != nullptr) break;
      free = &entry;
      continue;
    }
    const std::string_view id(entry.id, std::min(length, sizeof entry.id));
    if (id == client) return &entry;
    if (idle == nullptr && !in_use(id)) idle = &entry;
  }
  if (free == nullptr) free = idle;
  if (free == nullptr || client.empty() || client.size() > sizeof free->id) return nullptr;
  free->length.store(0);
  free->written.store(written);
  std::memcpy(free->id, client.data(), client.size());
  free->length.store(client.size());
  return free;
}

std::vector<std::pair<std::string, Offset>> ArenaSlot::clients() const {
  std::vector<std::pair<std::string, Offset>> all;
  for (const ArenaClient& entry : header().clients) {
    const auto length = static_cast<std::size_t>(entry.length.load());
    // A kill while an entry changed hands leaves a free one among the taken.
    if (length > 0 && length <= sizeof entry.id)
      all.emplace_back(std::string(entry.id, length), entry.written.load());
  }
  return all;
}

void ArenaSlot::release() const { arena_->release(index_); }

Arena::Arena(UniqueFd fd, char* base, std::size_t bytes, std::uint32_t slots,
             std::size_t ring_bytes)
    : fd_(std::move(fd)),
      base_(base),
      bytes_(bytes),
      slots_(slots),
      ring_bytes_(ring_bytes),
      taken_((slots + 63) / 64) {
  // Bits beyond the last slot are never free.
  if (slots % 64 != 0) taken_.back() = ~std::uint64_t{0} << (slots % 64);
}

Arena::~Arena() { ::munmap(base_, bytes_); }

Result<std::unique_ptr<Arena>> Arena::create(std::uint32_t slots, std::size_t ring_bytes) {
  ring_bytes = page_ceil(std::max(ring_bytes, kPage));
  const std::size_t bytes = slots_at() + slots * slot_stride(ring_bytes);
  UniqueFd fd(::memfd_create("terminal-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return os_error("memfd_create");
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
    return os_error("ftruncate of the arena");
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)  // NOLINT
    return os_error("F_ADD_SEALS");
  auto base = map(fd.get(), bytes);
  if (!base) return base.error();
  auto& header = *reinterpret_cast<ArenaHeader*>(*base);
  header.slots = slots;
  header.ring_bytes = ring_bytes;
  header.magic = kMagic;
  return std::unique_ptr<Arena>(new Arena(std::move(fd), *base, bytes, slots, ring_bytes));
}

Result<std::unique_ptr<Arena>> Arena::open(UniqueFd fd) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return os_error("fstat of the arena");
  const auto bytes = static_cast<std::size_t>(status.st_size);
  const Error wrong{Errc::bad_snapshot,
                    "what the holder keeps as the arena is none of this version"};
  if (bytes < slots_at()) return wrong;
  auto base = map(fd.get(), bytes);
  if (!base) return base.error();
  const auto& header = *reinterpret_cast<const ArenaHeader*>(*base);
  const bool plausible = header.magic == kMagic && header.slots <= 65536 && header.ring_bytes > 0 &&
                         header.ring_bytes % kPage == 0 &&
                         bytes == slots_at() + header.slots * slot_stride(header.ring_bytes);
  if (!plausible) {
    ::munmap(*base, bytes);
    return wrong;
  }
  return std::unique_ptr<Arena>(new Arena(std::move(fd), *base, bytes,
                                          static_cast<std::uint32_t>(header.slots),
                                          static_cast<std::size_t>(header.ring_bytes)));
}

char* Arena::slot_base(std::uint32_t index) const {
  return base_ + slots_at() + index * slot_stride(ring_bytes_);
}

StagingIntent& Arena::staging(std::size_t shard) {
  return reinterpret_cast<ArenaHeader*>(base_)->staging[shard];
}

DurableText Arena::service_books() {
  return {reinterpret_cast<ArenaHeader*>(base_)->service_books, base_ + kServiceBooksAt,
          kLargeServiceBooks};
}

std::optional<ArenaSlot> Arena::claim() {
  const std::size_t begin = hint_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    const std::size_t at = (begin + i) % taken_.size();
    auto& word = taken_[at];
    std::uint64_t bits = word.load();
    while (bits != ~std::uint64_t{0}) {
      const auto bit = static_cast<unsigned>(__builtin_ctzll(~bits));
      if (!word.compare_exchange_weak(bits, bits | std::uint64_t{1} << bit)) continue;
      hint_.store(at, std::memory_order_relaxed);
      return ArenaSlot(*this, static_cast<std::uint32_t>(at * 64 + bit));
    }
  }
  return std::nullopt;
}

bool Arena::claim(std::uint32_t index) {
  if (index >= slots_) return false;
  const std::uint64_t bit = std::uint64_t{1} << index % 64;
  return (taken_[index / 64].fetch_or(bit) & bit) == 0;
}

void Arena::release(std::uint32_t index) {
  (void)::madvise(slot_base(index), slot_stride(ring_bytes_), MADV_REMOVE);
  taken_[index / 64].fetch_and(~(std::uint64_t{1} << index % 64));
}

void Arena::clear_unclaimed() {
  const auto taken = [&](std::uint32_t i) { return (taken_[i / 64].load() >> i % 64 & 1U) != 0; };
  const std::size_t stride = slot_stride(ring_bytes_);
  for (std::uint32_t begin = 0; begin < slots_;) {
    std::uint32_t end = begin;
    while (end < slots_ && !taken(end)) ++end;
    // Whole runs, and without a look inside: a look would take a page of each.
    if (end > begin) (void)::madvise(slot_base(begin), (end - begin) * stride, MADV_REMOVE);
    begin = end + 1;
  }
}

}  // namespace term
