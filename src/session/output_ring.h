#pragma once
// The newest bytes a session printed, addressed by absolute offset.

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "session/durable.h"
#include "session/types.h"

namespace term {

/// A bounded ring over output bytes [first(), next()).
///
/// Memory: one private mapping of `capacity` bytes, or a part of the arena; both take pages only as
/// they fill (DESIGN.md 10). Write in place: fill a prefix of writable(), then commit() it.
/// Move-only. Thread: one.
class OutputRing {
 public:
  /// `capacity`: bytes, rounded up to a whole page. `next`: offset of the first byte to come; the
  /// ring starts empty there. Throws std::bad_alloc when the mapping is refused.
  explicit OutputRing(std::size_t capacity, Offset next = 0);
  /// Over memory that outlives the process, whole pages of a memfd, with what it holds.
  OutputRing(std::span<char> memory, Durable& first, Durable& next);
  OutputRing(OutputRing&& other) noexcept;
  OutputRing& operator=(OutputRing&& other) noexcept;
  ~OutputRing();

  std::size_t capacity() const;
  Offset first() const;  ///< Oldest byte held.
  Offset next() const;   ///< One past the newest.
  std::size_t size() const;

  /// Where the next bytes go: contiguous, at most `max`, at least 1 byte long. Writing there
  /// destroys the oldest bytes, which commit() then accounts for; first() moves at once, here.
  std::span<char> writable(std::size_t max);
  void commit(std::size_t n);
  /// Copies bytes in, whatever their number; only the newest capacity() stay.
  void append(std::span<const char> bytes);

  /// Bytes [from, min(from + max, next())) as at most two spans; valid until the next writable().
  /// `from` below first() or beyond next() gives nothing.
  std::array<std::span<const char>, 2> read(Offset from, std::size_t max) const;
  std::string copy(Offset from, std::size_t max) const;

  /// Gives up the oldest bytes until at most `keep` are held, and every page without held bytes.
  /// Not between writable() and commit(): what was written there would be lost.
  void shrink(std::size_t keep);

 private:
  struct Own {
    Durable first;
    Durable next;
  };
  void release_pages(std::size_t begin, std::size_t end);

  char* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::unique_ptr<Own> own_;  ///< Null over memory of others.
  Durable* first_ = nullptr;
  Durable* next_ = nullptr;
};

}  // namespace term
