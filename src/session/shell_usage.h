#pragma once
// What a session's shell uses: CPU time and memory, from /proc.

#include <sys/types.h>

#include <cstdint>

namespace term {

/// One look at a shell and at the program in front of it, if that is another.
struct ShellSample {
  double cpu_percent = 0;          ///< Since the sample before; 100 = one core.
  std::uint64_t memory_bytes = 0;  ///< Resident, of both together.
  std::int64_t at_ms = 0;          ///< Since boot; 0: never looked.
  pid_t foreground = 0;            ///< The leader of the foreground group; 0: the shell itself.
  std::uint64_t shell_ticks = 0;   ///< Clock ticks of CPU time since its start.
  std::uint64_t foreground_ticks = 0;
};

/// `pty`: our end, to be asked who is in front. What cannot be read counts as nothing. The first
/// sample of a process that began before the last look has no CPU share yet. Two small files of
/// /proc at most.
ShellSample sample_shell(pid_t shell, int pty, const ShellSample& before);

}  // namespace term
