#pragma once
// A Redis server of the test's own: private directory, no persistence, ended with the object.

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace term::test {

class RedisServer {
 public:
  /// Started, and answering. `password`: asked of everybody.
  explicit RedisServer(std::string password = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string unix_url() const;
  std::string tcp_url() const;  ///< With the password, if there is one.
  std::uint16_t port() const { return port_; }

  /// Runs a command on a connection of its own; its answer as text, nothing for nil or an error.
  std::optional<std::string> run(const std::vector<std::string>& words) const;

  void kill();   ///< SIGKILL; its data is gone.
  void start();  ///< Again, on the same socket and port, empty.
  void stop();   ///< SIGSTOP: it holds its connections and answers nothing.
  void go_on();

 private:
  std::string password_;
  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace term::test
