#pragma once
// A program on a pty of its own, without any server: what the limits are measured on.

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace term::bench {

/// Starts in the constructor; the destructor kills it. Errors: std::system_error.
class PtyChild {
 public:
  explicit PtyChild(const std::vector<std::string>& argv);
  ~PtyChild();
  PtyChild(const PtyChild&) = delete;
  PtyChild& operator=(const PtyChild&) = delete;

  int fd() const { return fd_; }  ///< Blocking.
  /// Reads until the marker was printed.
  void read_until(std::string_view marker);

 private:
  int fd_ = -1;
  pid_t pid_ = 0;
};

/// Two connected TCP sockets on the loopback, without delay.
struct TcpPair {
  TcpPair();
  ~TcpPair();
  TcpPair(const TcpPair&) = delete;
  TcpPair& operator=(const TcpPair&) = delete;
  int client = -1;
  int server = -1;
};

/// All of it; false when the other end is gone.
bool write_all(int fd, std::string_view bytes);

}  // namespace term::bench
