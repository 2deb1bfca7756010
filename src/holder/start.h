#pragma once
// Starts a program on a new pty. libc only: the holder and the service's own PtySource use it.

#include <stdint.h>
#include <sys/types.h>

namespace term::holder {

/// What to start. Everything is borrowed for the call.
struct Program {
  const char* directory;  ///< Must exist.
  char* const* argv;      ///< NULL-terminated; the first is the path of the program.
  char* const* env;       ///< NULL-terminated `NAME=value`; the whole environment.
  uint16_t rows;
  uint16_t cols;
};

/// What `text` begins with, and only then, when the fault is the program's own.
inline constexpr char kCannotRun[] = "cannot run ";

/// A child on a pty, or why there is none. The caller closes `fd` and reaps `pid`.
struct Started {
  enum class Kind {
    ok,
    no_program,  ///< The program cannot be run; `text` begins with kCannotRun.
    os_error     ///< No pty, no process, no such directory.
  };
  Kind kind = Kind::ok;
  int fd = -1;          ///< The pty: close-on-exec, non-blocking.
  pid_t pid = 0;        ///< Leader of a session of its own, the pty its controlling terminal.
  int pts = -1;         ///< The number N of /dev/pts/N.
  int error = 0;        ///< errno, unless ok.
  char text[200] = "";  ///< What failed, without the errno's text, unless ok.
};

/// The child gets default signal dispositions, an empty signal mask and descriptors 0, 1, 2 only.
/// Thread-safe. Leaves no descriptor and no child behind when it fails.
Started start_on_pty(const Program& program);

/// The two halves of it, for who must do something in between: a pty of the program's size without
/// a child, and the child on it. If there can be no child the pty is closed.
Started open_pty(const Program& program);
void start_child(const Program& program, Started* started);

}  // namespace term::holder
