#pragma once
// Closing a descriptor that another process may have, too.

#include <unistd.h>

#include <boost/system/error_code.hpp>

namespace term::server {

/// As `close()`, and the event loop hears no more of it. Asio leaves that to the kernel, which
/// keeps a socket in our epoll set for as long as any process has it open: after a hand-over every
/// byte that came to the new process would wake the old one.
template <class Socket>
void let_go(Socket& socket) {
  boost::system::error_code ec;
  if (!socket.is_open()) return;
  const int fd = socket.release(ec);
  if (!ec) ::close(fd);
}

}  // namespace term::server
