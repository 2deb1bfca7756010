#pragma once
// Connections handed from one service to another, both in this process.

#include <sys/types.h>

#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/connection.h"
#include "session/unique_fd.h"
#include "support/tcp_segments.h"
#include "support/test_server.h"

namespace term::test {

/// Runs `f()` on the shard's thread and waits for its result.
template <class F>
auto on_shard(server::Shard& shard, F f) {
  std::promise<decltype(f())> promise;
  auto future = promise.get_future();
  boost::asio::post(shard.io, [&] { promise.set_value(f()); });
  return future.get();
}

/// The beginning of a script that waits for CarryServer::go().
inline constexpr auto kWait = "while [ ! -e go ]; do sleep 0.01; done\n";

/// A service whose shells run `script` (in /bin/sh, on a tty without echo and translation) in a
/// directory of its own.
class CarryServer {
 public:
  explicit CarryServer(const std::string& script,
                       const std::function<void(server::Config&)>& adjust = {});
  ~CarryServer();

  TestServer& server() { return *server_; }
  server::Shard& shard(const SessionId& id) { return server_->service().shards().of(id); }
  /// A session without a viewer, and without the one in whose name it was created.
  void create(const SessionId& id);
  /// Its shells wait for this where the script has kWait.
  void go();
  /// Until the session has printed this many bytes.
  bool printed(const SessionId& id, Offset bytes);
  /// All it has printed, from the ring.
  std::string output(const SessionId& id);
  /// What its shell wrote to the file `name` in its directory.
  std::string file(const std::string& name) const;
  bool file_has(const std::string& name, std::size_t bytes) const;
  InputOffsets input(const SessionId& id, const std::string& client);

 private:
  std::string directory_;
  std::unique_ptr<TestServer> server_;
};

/// One connection on its way.
struct Parcel {
  UniqueFd fd;  ///< A duplicate, as SCM_RIGHTS would make one.
  SessionId session;
  std::string state;
  server::Connection* from = nullptr;
  std::size_t turns = 0;  ///< Of the loop, until it was quiet.
};

/// Freezes the only connection of a session's shard and has it carried; nothing if it is ending.
/// It stays frozen.
std::optional<Parcel> freeze(CarryServer& from, const SessionId& id);
void thaw(CarryServer& from, const SessionId& id);
void forget(CarryServer& from, const SessionId& id);
Result<void> adopt(CarryServer& to, Parcel parcel);
/// All of it: freeze, carry, adopt, forget, thaw.
testing::AssertionResult hand_over(CarryServer& from, CarryServer& to, const SessionId& id);

/// A connected TCP socket that speaks only what the test writes.
class RawPeer {
 public:
  /// With a WebSocket of the native dialect on it, unless `target` is empty.
  RawPeer(unsigned short port, const std::string& target, const std::string& more_headers = {});

  void send(const std::string& bytes);
  /// A masked client frame.
  static std::string frame(unsigned opcode, bool fin, const std::string& payload);
  /// The next frame of the server, head and payload; nothing at the end or after the deadline.
  struct Frame {
    unsigned opcode = 0;
    bool fin = false;
    std::string payload;
  };
  std::optional<Frame> receive();
  /// Frames up to and without one of this opcode and with `part` in it.
  bool receives(unsigned opcode, const std::string& part, std::vector<Frame>* before = nullptr);
  /// Until `part` has come in whatever it is that comes; eats everything up to its end.
  bool reads(const std::string& part);
  const std::string& response() const { return response_; }
  /// TCP segments with data that came so far.
  unsigned segments() const { return segments_received(fd_.get()); }

 private:
  bool more();
  UniqueFd fd_;
  std::string bytes_;
  std::string response_;
};

/// What a client of the native dialect says first.
std::string attach_frame(const std::string& client);

}  // namespace term::test
