#pragma once
// Ptys with a shell on them, and where they come from.

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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

/// Our end of a pty and the child on the other. All descriptors are close-on-exec.
///
/// Lifetime: closing `fd` does not end the child for sure (it may ignore SIGHUP), nor does it reap
/// it. Whoever has a Pty gives it back to its PtySource once the child has ended.
struct Pty {
  UniqueFd fd;     ///< The pty, non-blocking. Closing the last of it hangs up the child (SIGHUP).
  UniqueFd pidfd;  ///< Readable once the child has ended; only of children of this process.
  pid_t pid = 0;
  std::uint32_t slot = 0;  ///< Where the holder has it; of no meaning without one.
};

struct PtyRequest {
  PtyCommand command;
  WindowSize size;
  SessionId id;
  std::uint32_t slot = 0;  ///< Free; see Arena.
};

/// Where ptys come from: the holder, or this process. The holder answers over a socket, so nobody
/// may count on the child being a child of this process.
/// Thread: any.
class PtySource {
 public:
  using Started = std::function<void(Result<Pty>)>;
  using Ended = std::function<void(ExitStatus)>;
  virtual ~PtySource() = default;

  /// Starts the command as the leader of a session of its own with the pty as controlling terminal,
  /// default signal dispositions, an empty signal mask and descriptors 0, 1, 2 only. `done` is
  /// called once, on any thread, perhaps before this returns.
  /// Errors: no_shell (the program cannot be run), os_error (no pty, no process, no such
  /// directory, no holder; names the call).
  virtual void spawn(PtyRequest request, Started done) = 0;

  /// `ended` is called once on `executor` when the child has ended, also if it has already. Neither
  /// code nor signal when it cannot be told. The Pty must live until then.
  virtual void on_end(const Pty& pty, const boost::asio::any_io_executor& executor,
                      Ended ended) = 0;

  /// To the child's process group, and to the foreground group of the pty.
  virtual void signal(const Pty& pty, int signal) = 0;

  /// The session is over; its slot may be used again. A child that still runs is hung up.
  virtual void release(Pty pty) = 0;
};

/// Starts shells as children of this process; they end with it.
class LocalPtySource final : public PtySource {
 public:
  explicit LocalPtySource(Clock clock);
  void spawn(PtyRequest request, Started done) override;
  void on_end(const Pty& pty, const boost::asio::any_io_executor& executor, Ended ended) override;
  void signal(const Pty& pty, int signal) override;
  void release(Pty pty) override;

  Result<Pty> spawn(const PtyCommand& command, WindowSize size);
  /// How the child ended, once its pidfd is readable; nothing while it runs. Reaps it. Neither code
  /// nor signal when it cannot be told, as when asked again after the answer.
  std::optional<ExitStatus> exit_status(const Pty& pty);

 private:
  Clock clock_;
};

/// What a start that failed is to whoever asked for it (holder/start.h: Started, or Failed).
Error start_error(std::string_view what, int error);
/// The number N of /dev/pts/N; -1 when it cannot be told.
int pty_number(const Pty& pty);
/// TIOCSWINSZ. Errors: os_error.
Result<void> set_window_size(const Pty& pty, WindowSize size);
/// Is what is typed now shown, by the tty or by the shell's own line editor? False at a password
/// prompt and in full-screen programs. True when it cannot be told.
bool echoes(const Pty& pty);
/// The working directory of the child now, from /proc; empty when it cannot be told or is gone.
std::string working_directory(pid_t pid);
/// Sends `signal` to the foreground group of the pty, unless that is the child's own.
void signal_foreground(const Pty& pty, int signal);
/// `SIGKILL` for 9, `SIGRTMIN+1`, `signal 99`.
std::string signal_name(int signal);

}  // namespace term
