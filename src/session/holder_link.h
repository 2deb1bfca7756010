#pragma once
// The service's end of the holder's socket (src/holder/wire.h, docs/holder.md).

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "holder/wire.h"
#include "session/snapshot.h"
#include "session/unique_fd.h"

namespace term {

/// A session that the holder keeps.
struct HeldSession {
  std::uint32_t slot = 0;
  pid_t pid = 0;
  int pts = -1;
  SessionId id;
  UniqueFd pty;
  std::optional<ExitStatus> exit;  ///< Set once the child has ended.
};

/// One packet with its descriptors.
struct HolderPacket {
  std::vector<char> bytes;
  std::vector<UniqueFd> fds;
  const holder::Header* header() const;
  /// The packet as a T, null when it is too short for one.
  template <class T>
  const T* as() const {
    return bytes.size() < sizeof(T) ? nullptr : reinterpret_cast<const T*>(bytes.data());
  }
};

/// Connected to the holder of one state directory, or not any more.
///
/// Before serve(): open(), list(), fetch() and ask() block, one thread only. After it: request()
/// from any thread; answers and events come on the executor of serve(). Messages keep the order in
/// which they were given, across threads; hence the mutex.
class HolderLink : public std::enable_shared_from_this<HolderLink> {
 public:
  struct Events {
    std::function<void(std::uint32_t slot, pid_t pid, ExitStatus)> exited;
    /// Another service has taken over; it has the sessions now.
    std::function<void(pid_t by)> taken_over;
    /// The holder is gone. Requests under way were answered with an error before.
    std::function<void(const std::string& why)> lost;
  };
  using Answer = std::function<void(Result<HolderPacket>)>;

  struct Place {
    std::filesystem::path state_dir;
    std::filesystem::path program;  ///< Of the holder.
    bool start = true;              ///< When none answers.
    bool take_over = false;         ///< In place of the service that is connected.
    /// Soft limit of open files that a started holder, and so its shells, begin with; 0 = ours.
    std::uint64_t soft_open_files = 0;
  };
  /// Errors: busy (another service is connected), os_error, bad_snapshot (a version we do not
  /// speak), bad_argument (a path too long for a socket).
  static Result<std::shared_ptr<HolderLink>> open(const Place& place);
  ~HolderLink();

  pid_t holder_pid() const { return pid_; }
  Result<std::vector<HeldSession>> list();
  Result<std::map<std::string, UniqueFd>> fetch();
  /// Sends one message and waits for its answer, at most 5 s. Errors: os_error.
  Result<HolderPacket> ask(std::vector<char> message, int fd = -1);

  void serve(const boost::asio::any_io_executor& executor, Events events);
  /// `answer` is called once, on the executor: with what came, or with an error (the holder said
  /// no, is gone, or did not answer within 10 s). It may be null.
  void request(std::vector<char> message, Answer answer);
  /// Stops listening; nothing is called any more.
  void close();

 private:
  static std::optional<ExitStatus> exit_status(const holder::Exit& exit);
  /// An answer that means yes, or the error that it stands for.
  static Result<HolderPacket> judge(HolderPacket packet);
  HolderLink(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  Result<HolderPacket> receive(int timeout_ms);
  Result<std::vector<HolderPacket>> collect(holder::Type question, holder::Type part);
  bool send_now(const std::vector<char>& message, int fd);
  void wait_readable();
  void wait_writable();
  void read_all();
  void take(HolderPacket packet);
  void fail_all(const std::string& why);
  void expire();

  struct Waiting {
    Answer answer;
    std::chrono::steady_clock::time_point deadline;
  };

  UniqueFd socket_;
  pid_t pid_ = 0;
  std::uint32_t next_request_ = 1;
  boost::asio::any_io_executor executor_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> ready_;
  std::unique_ptr<boost::asio::steady_timer> timer_;
  Events events_;
  bool closed_ = false;

  std::mutex mutex_;  ///< Guards what follows.
  std::map<std::uint32_t, Waiting> waiting_;
  std::deque<std::vector<char>> unsent_;  ///< The holder does not take more now.
  bool gone_ = false;
};

/// The messages, as request() and ask() take them; the request's number is filled in there.
std::vector<char> release_message(std::uint32_t slot);
std::vector<char> signal_message(std::uint32_t slot, int signal);
std::vector<char> keep_message(const std::string& name);
std::vector<char> adopt_message(const HeldSession& session);
std::vector<char> end_message();

}  // namespace term
