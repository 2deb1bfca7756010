#include "server/state_dir.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <thread>

#include "server/json_read.h"

namespace term::server {

namespace {

constexpr auto kLeavingTime = std::chrono::seconds(5);

}  // namespace

pid_t running_service(const std::filesystem::path& dir) {
  std::ifstream file(dir / "service.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto json = parse_object(text.str(), 64 * 1024);
  const auto pid = json ? read_integer(*json, "pid", 1, 1 << 30) : std::nullopt;
  if (!pid) return 0;
  std::ifstream comm("/proc/" + std::to_string(*pid) + "/comm");
  std::string name;
  std::getline(comm, name);
  return name.starts_with("terminal-servic") ? static_cast<pid_t>(*pid) : 0;
}

Result<UniqueFd> lock_state_dir(const std::filesystem::path& dir) {
  std::error_code ec;
  std::filesystem::create_directories(dir, ec);
  if (ec) return Error{Errc::os_error, "TERMINAL_STATE_DIR " + dir.string() + ": " + ec.message()};
  std::filesystem::permissions(dir, std::filesystem::perms::owner_all, ec);
  const auto path = dir / "service.lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));  // NOLINT
  if (!lock)
    return Error{Errc::os_error,
                 "cannot open " + path.string() + ": " + std::generic_category().message(errno)};
  const auto end = std::chrono::steady_clock::now() + kLeavingTime;
  for (bool told = false; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; told = true) {
    if (errno != EWOULDBLOCK)
      return Error{Errc::os_error,
                   "cannot lock " + path.string() + ": " + std::generic_category().message(errno)};
    if (running_service(dir) != 0 || std::chrono::steady_clock::now() >= end)
      return Error{Errc::os_error, "another service uses " + dir.string() +
                                       "; stop it or set TERMINAL_STATE_DIR to another directory"};
    if (!told) spdlog::info("service.waiting for the process before, which has {}", path.string());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return lock;
}

}  // namespace term::server
