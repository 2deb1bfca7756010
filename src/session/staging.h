#pragma once
// How bytes get from a pty into a ring, and from a client to a pty, so that a kill -9 between any
// two instructions loses and repeats none.
//
// The trouble: read(pty) takes bytes away from the kernel, and only a later store says that we have
// them. A kill in between loses them (2,933 of 3,000 kills under a flood, reliability.md P3).
// Written input is the same the other way round. Here every byte is at each moment in exactly one
// place that outlives us, and a record in the arena says where:
//
//   output   pty --splice--> pipe --read--> ring      input   memory --write--> pipe --splice-->
//   pty
//
// splice() moves or does not move; what a pipe holds can be asked (FIONREAD); the holder keeps both
// pipes. An intent is written before each step, and always with absolute numbers (base, fill), so
// that recovery may itself be killed and begin anew:
//
// Output, with the pipe empty and `base` = the ring's next offset:
//   1. slot, base; phase `splicing`.   Killed from here on: what the pipe holds is the slot's from
//                                      base on, and nothing of it is in the ring.
//   2. splice(pty, pipe), again while the pty has more: one behind the other in the pipe.
//   3. fill = their sum; `reading`.    From here on: fill - FIONREAD(pipe) bytes from base on are
//                                      in the ring, the rest is in the pipe.
//   4. read(pipe) into the ring at base.
//   5. the ring's next = base + fill.  Before and after it, recovery stores the same number.
//   6. phase `idle`.
// Input, with the pipe empty and `base` = the client's offset of the first byte:
//   1. slot, client, base, count; phase `filling`.  Killed here: nothing has reached the pty; what
//                                      the pipe holds is thrown away, the client still has it.
//   2. write(pipe), at most PIPE_BUF: all or nothing.
//   3. phase `moving`.                 Now count - FIONREAD(pipe) bytes are in the pty.
//   4. splice(pipe, pty).
//   5. the client's written = base + count - FIONREAD(pipe); phase `emptying`.
//   6. what the pty did not take is read from the pipe and thrown away; phase `idle`.
// One pair of pipes serves a shard: it works on one session at a time and never waits within.

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "session/arena.h"
#include "session/output_ring.h"

namespace term {

/// The place between two steps, for tests that kill there. Null in a service.
extern void (*staging_step)(const char* step);

/// A shard's two pipes. Thread: the shard's.
class Staging {
 public:
  /// The pipes are empty: recover() has run. Both non-blocking, open for reading and writing.
  Staging(StagingIntent& intent, UniqueFd output_pipe, UniqueFd input_pipe);

  /// A new pipe, one descriptor for both ends. Errors: os_error.
  static Result<UniqueFd> make_pipe();
  /// Finishes what a killed service was in the middle of; may be repeated. Before any ring or
  /// client entry is looked at. Errors: bad_snapshot (what the arena says cannot be), os_error.
  static Result<void> recover(Arena& arena, std::size_t shard, int output_pipe, int input_pipe);
  /// Where recover() failed: the pipes are emptied, and what was in them is lost.
  static void reset(Arena& arena, std::size_t shard, int output_pipe, int input_pipe);
  /// Does this kernel splice to and from a pty? Asked once at the start. Errors: os_error.
  static Result<void> self_test();

  /// As read(2) on `pty`, into `ring`, which is the slot's: at most `max` bytes and at most what
  /// the pipe holds, -1 with errno. The ring's next has moved when it returns.
  ssize_t read_output(int pty, OutputRing& ring, std::uint32_t slot, std::size_t max);
  /// As write(2) on `pty`. `client` (of `slot`) is at `base`; null: the bytes are numbered by
  /// nobody. Its `written` has moved when it returns.
  ssize_t write_input(int pty, ArenaSlot slot, ArenaClient* client, Offset base,
                      std::span<const char> bytes);

 private:
  StagingIntent& intent_;
  UniqueFd output_pipe_;
  UniqueFd input_pipe_;
};

}  // namespace term
