#pragma once
// Ptys with a shell on them, and where they come from.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "session/snapshot.h"
#include "session/types.h"
#include "session/unique_fd.h"

namespace term {

struct PtyCommand {
  std::vector<std::string> argv;  ///< argv[0] is the path of the program.
  std::vector<std::string> env;   ///< `NAME=value`; the whole environment.
  std::string directory;          ///< Must exist.
};

/// Our end of a pty and the child on the other. Both descriptors are close-on-exec.
///
/// Lifetime: closing `fd` does not end the child for sure (it may ignore SIGHUP), nor does it reap
/// it. The owner keeps the Pty until PtySource::exit_status() has answered, or leaves a zombie.
struct Pty {
  UniqueFd fd;     ///< The pty, non-blocking. Closing it hangs up the child's session (SIGHUP).
  UniqueFd pidfd;  ///< Readable once the child has ended.
  pid_t pid = 0;
};

/// Where ptys come from: this process now, the holder later. The holder answers over a socket, so
/// nobody may count on the child being a child of this process.
class PtySource {
 public:
  virtual ~PtySource() = default;

  /// Starts `command` as the leader of a session of its own with the pty as controlling terminal,
  /// default signal dispositions, an empty signal mask and descriptors 0, 1, 2 only.
  /// Errors: no_shell (the program cannot be run), os_error (no pty, no process, no such
  /// directory; names the call).
  virtual Result<Pty> spawn(const PtyCommand& command, WindowSize size) = 0;

  /// How the child ended, once its pidfd is readable; nothing while it runs. Reaps it. Neither code
  /// nor signal when it cannot be told, as when asked again after the answer.
  virtual std::optional<ExitStatus> exit_status(Pty& pty) = 0;
};

/// Starts shells as children of this process; they end with it.
class LocalPtySource final : public PtySource {
 public:
  explicit LocalPtySource(Clock clock);
  Result<Pty> spawn(const PtyCommand& command, WindowSize size) override;
  std::optional<ExitStatus> exit_status(Pty& pty) override;

 private:
  Clock clock_;
};

/// TIOCSWINSZ. Errors: os_error.
Result<void> set_window_size(const Pty& pty, WindowSize size);
/// Is what is typed now shown, by the tty or by the shell's own line editor? False at a password
/// prompt and in full-screen programs. True when it cannot be told.
bool echoes(const Pty& pty);
/// The working directory of the child now, from /proc; empty when it cannot be told or is gone.
std::string working_directory(pid_t pid);
/// Sends `signal` to the child's process group and to the foreground group of the pty.
void signal_session(const Pty& pty, int signal);
/// `SIGKILL` for 9, `SIGRTMIN+1`, `signal 99`.
std::string signal_name(int signal);

}  // namespace term
