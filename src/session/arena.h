#pragma once
// Memory that outlives the service: one memfd with a slot for each session (DESIGN.md 2.1).
//
// The holder keeps a duplicate of the descriptor; a service that starts maps it again and finds
// every session as it was, to the byte. Therefore everything in here must make sense after a kill
// between any two instructions: an offset is published by one store after the bytes it covers, a
// text is written beside the one in force and then named by one store.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/durable.h"
#include "session/mode_ledger.h"
#include "session/types.h"
#include "session/unique_fd.h"

namespace term {

/// A text in shared memory that is replaced whole or not at all. All-zero memory is an empty one.
///
/// Four places, two of 2 KiB and two of kLargeText: a new text goes where the one in force is not,
/// so that a short one (the rule) touches a single page.
class DurableText {
 public:
  static constexpr std::size_t kSmall = 2048;
  static std::size_t memory_bytes(std::size_t large);

  DurableText(Durable& current, char* memory, std::size_t large)
      : current_(&current), memory_(memory), large_(large) {}
  /// Errors: limit_reached beyond `large` bytes; the old text stays.
  Result<void> write(std::string_view text);
  /// Empty when there is none, or when it is damaged.
  std::string read() const;

 private:
  std::span<char> place(unsigned number) const;  ///< 1..4.

  Durable* current_;  ///< Place (3 bits), length (29 bits), checksum (32 bits); 0 = none.
  char* memory_;
  std::size_t large_;
};

/// How far one client's input is written to the pty (DESIGN.md 6).
struct ArenaClient {
  Durable length;  ///< Of the id; 0 = free.
  Durable written;
  char id[128];
};

/// The fixed part of a slot.
struct SlotHeader {
  static constexpr std::size_t kClients = 256;

  Durable first;  ///< Output held: [first, next).
  Durable next;
  Durable books;     ///< See DurableText.
  Durable pid;       ///< Of the child; 0 = none yet.
  Durable pts;       ///< The number N of /dev/pts/N, plus 1; 0 = none yet.
  Durable window;    ///< rows << 16 | cols.
  Durable closing;   ///< 1: told to end; whoever finds it goes on with that.
  ModeLedger modes;  ///< Of the terminal, at the oldest byte held.
  ArenaClient clients[kClients];
};

class Arena;

/// One session's memory. A borrowed view; the arena outlives it. Thread: the session's shard.
class ArenaSlot {
 public:
  ArenaSlot(Arena& arena, std::uint32_t index) : arena_(&arena), index_(index) {}

  std::uint32_t index() const { return index_; }
  SlotHeader& header() const;
  std::span<char> ring() const;
  DurableText books() const;

  /// The entry of `client`, made at `written` if there is none; an entry that `in_use` denies is
  /// taken from its client when all are taken, null when none can be.
  ArenaClient* client(std::string_view client, Offset written,
                      const std::function<bool(std::string_view)>& in_use) const;
  std::vector<std::pair<std::string, Offset>> clients() const;
  /// The session is over. See Arena::release().
  void release() const;

 private:
  Arena* arena_;
  std::uint32_t index_;
};

/// What a shard's staging pipes are in the middle of; see staging.h.
struct StagingIntent {
  Durable output_phase;
  Durable output_slot;
  Durable output_base;
  Durable output_fill;
  Durable input_phase;
  Durable input_slot;
  Durable input_client;  ///< Index of the ArenaClient, kClients = numbered by nobody.
  Durable input_base;
  Durable input_count;
};

/// The mapping. Thread: any for claim() and release(); the rest belongs to whoever has the slot.
class Arena {
 public:
  static constexpr std::size_t kMaxShards = 64;
  static constexpr std::size_t kLargeBooks = 64 * 1024;
  static constexpr std::size_t kLargeServiceBooks = 4 * 1024 * 1024;

  /// A new one: `slots` sessions of `ring_bytes` (rounded up to a page) each. Sealed against
  /// growing and shrinking, so that nobody can make us fault. Errors: os_error.
  static Result<std::unique_ptr<Arena>> create(std::uint32_t slots, std::size_t ring_bytes);
  /// One that an earlier service made. Errors: bad_snapshot (not an arena, or of another version),
  /// os_error.
  static Result<std::unique_ptr<Arena>> open(UniqueFd fd);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  int fd() const { return fd_.get(); }
  std::uint32_t slots() const { return slots_; }
  std::size_t ring_bytes() const { return ring_bytes_; }

  ArenaSlot slot(std::uint32_t index) { return {*this, index}; }
  StagingIntent& staging(std::size_t shard);
  /// What the service itself must find again: flags set through the API.
  DurableText service_books();

  /// A free slot, all zero; none when all are taken.
  std::optional<ArenaSlot> claim();
  /// One that is known to be in use. False when it is taken already or does not exist.
  bool claim(std::uint32_t index);
  /// Gives its pages back, zeroed: what a terminal showed is gone with it.
  void release(std::uint32_t index);
  /// Zeroes every slot that nobody has claimed: what a killed service left half begun.
  void clear_unclaimed();

 private:
  friend class ArenaSlot;
  Arena(UniqueFd fd, char* base, std::size_t bytes, std::uint32_t slots, std::size_t ring_bytes);
  char* slot_base(std::uint32_t index) const;

  UniqueFd fd_;
  char* base_;
  std::size_t bytes_;
  std::uint32_t slots_;
  std::size_t ring_bytes_;
  std::vector<std::atomic<std::uint64_t>> taken_;  ///< A bit for each slot.
  std::atomic<std::size_t> hint_{0};
};

}  // namespace term
