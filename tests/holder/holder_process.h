#pragma once
// A real terminal-holder in a directory of its own, and a peer that speaks its protocol.

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "holder/wire.h"
#include "session/unique_fd.h"
#include "support/until.h"

namespace term::holder {

using test::kDeadline;
using test::until;

/// A program and its stderr in a file.
struct Process {
  pid_t pid = 0;
  std::optional<int> wait_status;

  /// Waits for the end; nothing if it does not come. The wait status of waitpid().
  std::optional<int> wait(std::chrono::milliseconds within = kDeadline);
  bool ended() { return wait(std::chrono::milliseconds(0)).has_value(); }
};
/// `env` is added to a small environment with an empty HOME.
Process start_process(const std::vector<std::string>& argv, const std::string& log,
                      const std::vector<std::string>& env = {});

/// A directory that is gone afterwards.
class Directory {
 public:
  Directory();
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string path(const std::string& name = "") const {
    return name.empty() ? root_ : root_ + "/" + name;
  }

 private:
  std::string root_;
};

/// A holder in the foreground, listening. Killed when the test ends.
class HolderProcess {
 public:
  /// `binary` empty: the one under test. `service` not empty: init mode with that service.
  explicit HolderProcess(std::vector<std::string> options = {},
                         std::vector<std::string> service = {}, std::string binary = {});
  ~HolderProcess();
  HolderProcess(const HolderProcess&) = delete;
  HolderProcess& operator=(const HolderProcess&) = delete;

  pid_t pid() const { return process_.pid; }
  Process& process() { return process_; }
  std::string dir() const { return directory_.path("state"); }
  std::string file(const std::string& name) const { return directory_.path(name); }
  std::string log() const;
  /// Starts it again in the same directory.
  void start();
  bool logs(const std::string& text) {
    return until([&] { return log().find(text) != std::string::npos; });
  }
  size_t descriptors() const;

 private:
  Directory directory_;
  std::vector<std::string> argv_;
  Process process_;
};

struct Packet {
  std::string bytes;
  std::vector<UniqueFd> fds;

  Type type() const { return as<Header>().type; }
  uint32_t request() const { return as<Header>().request; }
  template <class Message>
  Message as() const {
    Message message{};
    std::memcpy(&message, bytes.data(), std::min(sizeof message, bytes.size()));
    return message;
  }
  /// Of a failed; 0 of anything else.
  int error() const { return type() == Type::failed ? as<Failed>().error : 0; }
  std::string text() const;
};

struct HeldSession {
  Held held;
  UniqueFd pty;
};
struct NamedDescriptor {
  std::string name;
  UniqueFd fd;
};

/// What the environment of a session's shell is, unless a test says otherwise.
inline const std::vector<std::string> kEnvironment{"PATH=/usr/bin:/bin", "HOME="};

class Peer {
 public:
  /// Connects; says hello unless told not to.
  explicit Peer(const std::string& dir, bool say_hello = true, bool take_over = false);

  int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }
  bool send(std::string_view bytes, const std::vector<int>& fds = {});
  /// Nothing at the end of the connection or the deadline.
  std::optional<Packet> receive(std::chrono::milliseconds within = kDeadline);
  /// The answer; what comes unasked meanwhile is kept for news(). An empty packet if none comes.
  Packet ask(std::string bytes, const std::vector<int>& fds = {});
  template <class Message>
  Packet ask(const Message& message, const std::vector<int>& fds = {}) {
    return ask(std::string(reinterpret_cast<const char*>(&message), sizeof message), fds);
  }
  template <class Message>
  bool send_message(const Message& message) {
    return send({reinterpret_cast<const char*>(&message), sizeof message});
  }
  bool at_end();  ///< The holder closed.

  Packet hello(bool take_over = false, uint32_t version = kVersion);
  Packet spawn(uint32_t slot, const std::vector<std::string>& argv,
               const std::vector<std::string>& env = kEnvironment,
               const std::string& directory = "/");
  Packet sh(uint32_t slot, const std::string& script) {
    return spawn(slot, {"/bin/sh", "-c", script});
  }
  std::vector<HeldSession> list();
  std::vector<NamedDescriptor> fetch();
  Packet release(uint32_t slot) { return ask(Slot{{Type::release, 0}, slot}); }
  Packet signal(uint32_t slot, int signal) { return ask(Signal{{Type::signal, 0}, slot, signal}); }
  Packet keep(const std::string& name, int fd) { return ask(named(Type::keep, name), {fd}); }
  Packet drop(const std::string& name) { return ask(named(Type::drop, name)); }
  Packet end() { return ask(Header{Type::end, 0}); }
  Packet upgrade(const std::string& path);
  /// The next that came unasked.
  std::optional<Packet> news(std::chrono::milliseconds within = kDeadline);
  std::optional<Exited> exited();

  static Named named(Type type, const std::string& name);
  static std::string spawn_message(uint32_t slot, const std::vector<std::string>& argv,
                                   const std::vector<std::string>& env,
                                   const std::string& directory);

 private:
  UniqueFd socket_;
  uint32_t last_request_ = 0;
  std::deque<Packet> news_;
};

/// Reads a pty until `text` has come; what came.
std::string read_until(int pty, const std::string& text);
bool type(int pty, std::string_view keys);
/// The value of a line of /proc/PID/status.
std::string status_of(pid_t pid, const std::string& key);
std::string contents(const std::string& path);
bool is_alive(pid_t pid);  ///< Not even a zombie.

}  // namespace term::holder
