#pragma once
// What clients typed and the pty has not taken yet, in order.

#include <cstddef>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/types.h"

namespace term {

/// A bounded first-in first-out queue of input bytes, remembering whose they are.
///
/// Nothing is dropped: push() takes what room() allows and says how much. What one client types
/// without a break is kept in chunks of 16 KiB. Thread: one.
class InputQueue {
 public:
  explicit InputQueue(std::size_t capacity);

  /// Bytes that push() takes now. 0 also while 4096 runs of alternating clients wait.
  std::size_t room() const;
  std::size_t size() const;
  bool empty() const;

  /// Queues at most room() of `bytes`, which are `client`'s from offset `first` on; returns how
  /// many.
  std::size_t push(const std::string& client, Offset first, std::span<const char> bytes);

  /// The oldest bytes, contiguous and of one client; empty when the queue is. Valid until
  /// the next push() or pop().
  std::span<const char> front() const;
  /// Whose front() is and which offset its first byte has. The queue is not empty.
  const std::string& front_client() const { return chunks_.front().client; }
  Offset front_first() const { return chunks_.front().first + chunks_.front().taken; }
  bool holds(std::string_view client) const;
  /// How far one client got.
  struct Progress {
    std::string client;
    Offset upto = 0;
    bool operator==(const Progress&) const = default;
  };
  /// The first `n` bytes of front() were written. The queue is not empty; n <= front().size().
  Progress pop(std::size_t n);

  /// All queued bytes in order, for an export; the queue is unchanged.
  std::string copy() const;
  /// The same, by client and offset.
  struct Run {
    std::string client;
    Offset first = 0;
    std::string bytes;
    bool operator==(const Run&) const = default;
  };
  std::vector<Run> runs() const;

 private:
  struct Chunk {
    std::string client;
    Offset first = 0;
    std::string bytes;
    std::size_t taken = 0;
  };
  bool continues_last(const std::string& client, Offset first) const;

  std::list<Chunk> chunks_;  ///< Not a deque: an empty one has half a KiB.
  std::size_t capacity_;
  std::size_t size_ = 0;
};

}  // namespace term
