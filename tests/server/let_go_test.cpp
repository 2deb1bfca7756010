// A socket that another process has, too, is no longer watched once it is let go.

#include "server/let_go.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>

#include "session/unique_fd.h"

namespace term::server {
namespace {

namespace net = boost::asio;

/// Descriptors in the epoll sets of this process, as the kernel has them (proc_pid_fdinfo(5)).
std::size_t watched() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) count += line.starts_with("tfd:") ? 1 : 0;
  }
  return count;
}

/// A listening socket on which an event loop waits, and its duplicate that another process would
/// have.
class Handed {
 public:
  Handed() : socket_(io_, {net::ip::address_v4::loopback(), 0}) {
    theirs_.reset(::dup(socket_.native_handle()));
    port_ = socket_.local_endpoint().port();
    socket_.async_wait(net::socket_base::wait_read,
                       [this](const boost::system::error_code& ec) { woken_ = !ec; });
    io_.poll();
  }
  net::ip::tcp::acceptor& socket() { return socket_; }
  /// A client comes; does it wake the loop?
  bool wakes() {
    net::io_context own;
    net::ip::tcp::socket client(own);
    client.connect({net::ip::address_v4::loopback(), port_});
    io_.restart();
    io_.poll();
    return woken_;
  }

 private:
  net::io_context io_{1};
  net::ip::tcp::acceptor socket_;
  unsigned short port_ = 0;
  UniqueFd theirs_;
  bool woken_ = false;
};

TEST(LetGo, ThatIsNotLetGoWakesTheLoop) {
  Handed handed;
  EXPECT_TRUE(handed.wakes());
}

TEST(LetGo, LeavesNothingInTheEpollSetThoughSomebodyElseHasTheSocket) {
  Handed handed;
  const std::size_t before = watched();
  let_go(handed.socket());
  EXPECT_EQ(watched(), before - 1);
  EXPECT_FALSE(handed.socket().is_open());
  EXPECT_FALSE(handed.wakes());
  let_go(handed.socket());  // Of none: nothing.
}

// What it is for: if this fails, Asio does it by itself.
TEST(LetGo, IsMoreThanClose) {
  Handed handed;
  const std::size_t before = watched();
  handed.socket().close();
  EXPECT_EQ(watched(), before);
}

}  // namespace
}  // namespace term::server
