#pragma once
// The real binary as a process of its own, in a directory of its own, and everything it starts.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace term::test {

/// One HTTP exchange with 127.0.0.1; status 0: no whole answer in time, `body` says why if it is
/// known.
struct HttpAnswer {
  unsigned status = 0;
  std::string body;
  nlohmann::json json() const;  ///< Discarded (`is_discarded`) when it is none.
};
HttpAnswer http_exchange(unsigned short port, const std::string& method, const std::string& target,
                         const std::string& body = "",
                         std::chrono::milliseconds at_most = std::chrono::seconds(10));

/// A service with state directory, home and working directory below one temporary directory. Its
/// ports are fixed, so that it can come back where its clients look for it.
///
/// The destructor ends the service, the holder and whatever runs in the sessions, and removes the
/// directory. A process is known as ours by the directory's name in its environment, arguments or
/// working directory, whoever its parent is by then. Thread: one.
class ServiceProcess {
 public:
  struct Options {
    std::filesystem::path binary;
    std::map<std::string, std::string> environment;  ///< Besides what the class sets.
    std::filesystem::path shell;                     ///< SHELL; empty: that of the machine.
    std::vector<std::string> wrapper;                ///< Put before the binary, `unshare …`.
    std::optional<std::string> state_size;  ///< The state directory is a tmpfs of this size (root).
  };
  explicit ServiceProcess(Options options);
  ~ServiceProcess();
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  /// Starts it and returns at once.
  void start();
  /// The process that start() made wrote service.json and answers; false after the deadline or when
  /// it ended.
  bool wait_ready(std::chrono::milliseconds at_most = std::chrono::seconds(20));
  /// Once: is it ready now?
  bool ready();
  /// SIGKILL to the process that serves now.
  void kill();
  /// SIGTERM, and waits for the end; its exit status, nothing if it is still there after the
  /// deadline.
  std::optional<int> terminate(std::chrono::milliseconds at_most = std::chrono::seconds(10));
  void signal(int number);

  /// After a hand-over the one that service.json names; 0 when it is gone.
  pid_t pid() const;
  pid_t holder_pid() const;
  /// The service that start() made has ended without being told; how, in words.
  std::optional<std::string> died();

  unsigned short ws_port() const { return ws_port_; }
  unsigned short http_port() const { return http_port_; }
  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path home() const { return directory_ / "home"; }
  std::filesystem::path state() const { return directory_ / "state"; }
  nlohmann::json service_json() const;
  std::string log() const;
  std::string log_tail(std::size_t bytes = 4000) const;
  void set_wrapper(std::vector<std::string> wrapper) { options_.wrapper = std::move(wrapper); }

  HttpAnswer post(const std::string& target, const nlohmann::json& body,
                  std::chrono::milliseconds at_most = std::chrono::seconds(30)) const;
  HttpAnswer get(const std::string& target) const;

  /// Every process of ours that runs now, the service and the holder included.
  std::vector<pid_t> processes() const;

 private:
  void end_everything();
  void reap();

  Options options_;
  std::filesystem::path directory_;
  unsigned short ws_port_ = 0;
  unsigned short http_port_ = 0;
  pid_t child_ = 0;  ///< As start() made it; 0 once reaped.
  std::optional<int> wait_status_;
  bool told_to_end_ = false;
};

/// Runs and is no zombie.
bool running(pid_t pid);
/// The content of a small file; empty when it cannot be read (files of /proc, too).
std::string read_file(const std::filesystem::path& path);

}  // namespace term::test
