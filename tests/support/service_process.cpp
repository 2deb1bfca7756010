#include "support/service_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace term::test {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// Polls a condition of another process, for which there is nothing to wait on.
template <class Condition>
bool poll_until(Condition done, std::chrono::milliseconds at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

sockaddr_in loopback(unsigned short port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A port nobody listens on, below those that the kernel gives to outgoing connections: one of our
/// own clients could otherwise take it while the service is away, or even connect to itself.
unsigned short free_port() {
  static std::mt19937 random{std::random_device{}()};
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = std::uniform_int_distribution<unsigned short>(12000, 32000)(random);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    if (free) return port;
  }
  throw std::runtime_error("no free port");
}

/// The environment of the service: the test's own without keys of the service.
std::vector<std::string> environment_of(const std::map<std::string, std::string>& additions) {
  std::map<std::string, std::string> all;
  for (char** line = environ; *line != nullptr; ++line) {
    const std::string text = *line;
    const auto equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (name.starts_with("TERMINAL_") || name.starts_with("MAX_") || name == "HOST") continue;
    if (name == "DATABASE_URL" || name == "REDIS_URL" || name == "SLACK_WEBHOOK") continue;
    all[name] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : additions) all[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& lines) {
  std::vector<char*> result;
  for (auto& line : lines) result.push_back(line.data());
  result.push_back(nullptr);
  return result;
}

pid_t number_in(const Json& json, const char* name) {
  return json.is_object() && json.contains(name) && json[name].is_number_integer()
             ? json[name].get<pid_t>()
             : 0;
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool running(pid_t pid) {
  if (pid <= 0) return false;
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto after = stat.rfind(')');
  return after != std::string::npos && after + 2 < stat.size() && stat[after + 2] != 'Z' &&
         stat[after + 2] != 'X';
}

Json HttpAnswer::json() const { return Json::parse(body, nullptr, false); }

HttpAnswer http_exchange(unsigned short port, const std::string& method, const std::string& target,
                         const std::string& body, std::chrono::milliseconds at_most) {
  HttpAnswer answer;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{.tv_sec = at_most.count() / 1000, .tv_usec = at_most.count() % 1000 * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const sockaddr_in address = loopback(port);
  std::string got;
  ssize_t n = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (n == 0) {
    const std::string request =
        method + " " + target + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port) +
        "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
        body;
    n = ::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    std::array<char, 16384> part{};
    while (n > 0 && (n = ::recv(fd, part.data(), part.size(), 0)) > 0)
      got.append(part.data(), static_cast<std::size_t>(n));
  }
  if (n < 0) answer.body = "no answer: " + std::generic_category().message(errno);
  ::close(fd);
  const auto blank = got.find("\r\n\r\n");
  if (!got.starts_with("HTTP/1.") || blank == std::string::npos) return answer;
  answer.status = static_cast<unsigned>(std::stoul(got.substr(9, 3)));
  answer.body = got.substr(blank + 4);
  return answer;
}

ServiceProcess::ServiceProcess(Options options) : options_(std::move(options)) {
  std::string path = (fs::temp_directory_path() / "term-service-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp " + path);
  directory_ = path;
  fs::create_directory(home());
  fs::create_directory(state());
  if (options_.state_size) {
    const std::string size = "size=" + *options_.state_size + ",mode=0700";
    if (::mount("tmpfs", state().c_str(), "tmpfs", 0, size.c_str()) != 0)
      options_.state_size.reset();
  }
  ws_port_ = free_port();
  do http_port_ = free_port();
  while (http_port_ == ws_port_);
}

ServiceProcess::~ServiceProcess() {
  end_everything();
  if (options_.state_size) ::umount2(state().c_str(), MNT_DETACH);
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void ServiceProcess::start() {
  std::map<std::string, std::string> additions = options_.environment;
  additions["HOME"] = home();
  additions["TERMINAL_STATE_DIR"] = state();
  additions["TERMINAL_WS_PORT"] = std::to_string(ws_port_);
  additions["PORT"] = std::to_string(http_port_);
  if (!options_.shell.empty()) additions["SHELL"] = options_.shell;
  auto environment = environment_of(additions);
  std::vector<std::string> arguments = options_.wrapper;
  arguments.push_back(options_.binary);
  auto argv = pointers(arguments);
  auto envp = pointers(environment);
  const std::string log_path = directory_ / "service.log";
  reap();
  wait_status_.reset();
  told_to_end_ = false;
  child_ = ::fork();
  if (child_ < 0) throw std::runtime_error("fork");
  if (child_ > 0) return;
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int none = ::open("/dev/null", O_RDONLY);
  ::dup2(none, 0);
  ::dup2(log, 1);
  ::dup2(log, 2);
  // As from a supervisor: nothing of the harness goes along.
  for (int fd = 3; fd < 1024; ++fd) ::close(fd);
  if (::setsid() < 0 || ::chdir(directory_.c_str()) != 0) ::_exit(126);
  ::execvpe(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

bool ServiceProcess::ready() {
  const pid_t serving = pid();
  if (serving == 0) return false;
  // Started through a wrapper it is not our child; else an old service.json must not deceive us.
  if (options_.wrapper.empty() && child_ > 0 && serving != child_) return false;
  return http_exchange(http_port_, "GET", "/api/health/live", "", 500ms).status == 200;
}

bool ServiceProcess::wait_ready(std::chrono::milliseconds at_most) {
  bool is_ready = false;
  poll_until([&] { return (is_ready = ready()) || died(); }, at_most);
  return is_ready;
}

void ServiceProcess::kill() {
  told_to_end_ = true;
  const pid_t serving = pid();
  if (serving > 0) ::kill(serving, SIGKILL);
  if (child_ > 0 && child_ != serving) ::kill(child_, SIGKILL);
  if (child_ > 0) ::waitpid(child_, nullptr, 0);
  child_ = 0;
  poll_until([&] { return !running(serving); }, 10s);
}

std::optional<int> ServiceProcess::terminate(std::chrono::milliseconds at_most) {
  told_to_end_ = true;
  const pid_t serving = pid();
  signal(SIGTERM);
  const bool gone = poll_until(
      [&] {
        reap();
        return !running(serving) && child_ == 0;
      },
      at_most);
  return gone ? wait_status_ : std::nullopt;
}

void ServiceProcess::signal(int number) {
  const pid_t serving = pid();
  if (serving > 0) {
    ::kill(serving, number);
  } else if (child_ > 0) {
    ::kill(child_, number);
  }
}

pid_t ServiceProcess::pid() const {
  const pid_t named = number_in(service_json(), "pid");
  return running(named) ? named : 0;
}

pid_t ServiceProcess::holder_pid() const {
  const pid_t named = number_in(service_json(), "holder_pid");
  return running(named) ? named : 0;
}

void ServiceProcess::reap() {
  int status = 0;
  if (child_ <= 0 || ::waitpid(child_, &status, WNOHANG) != child_) return;
  wait_status_ = status;
  child_ = 0;
}

std::optional<std::string> ServiceProcess::died() {
  reap();
  if (child_ != 0 || !wait_status_ || told_to_end_ || pid() != 0) return std::nullopt;
  if (WIFSIGNALED(*wait_status_)) return "signal " + std::to_string(WTERMSIG(*wait_status_));
  return "exit status " + std::to_string(WEXITSTATUS(*wait_status_));
}

Json ServiceProcess::service_json() const {
  return Json::parse(read_file(state() / "service.json"), nullptr, false);
}

std::string ServiceProcess::log() const { return read_file(directory_ / "service.log"); }

std::string ServiceProcess::log_tail(std::size_t bytes) const {
  const std::string all = log();
  return all.substr(all.size() - std::min(bytes, all.size()));
}

HttpAnswer ServiceProcess::post(const std::string& target, const Json& body,
                                std::chrono::milliseconds at_most) const {
  return http_exchange(http_port_, "POST", target, body.dump(), at_most);
}

HttpAnswer ServiceProcess::get(const std::string& target) const {
  return http_exchange(http_port_, "GET", target);
}

std::vector<pid_t> ServiceProcess::processes() const {
  std::vector<pid_t> found;
  const std::string mark = directory_.string() + "/";
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
    const auto pid = static_cast<pid_t>(std::stol(name));
    if (pid == ::getpid() || !running(pid)) continue;
    std::error_code ignored;
    const bool ours =
        read_file(entry.path() / "environ").find(mark) != std::string::npos ||
        read_file(entry.path() / "cmdline").find(mark) != std::string::npos ||
        (fs::read_symlink(entry.path() / "cwd", ignored).string() + "/").starts_with(mark);
    if (ours) found.push_back(pid);
  }
  return found;
}

void ServiceProcess::end_everything() {
  // Stopped ones must run to be told, and the holder must not start a service again meanwhile.
  for (const pid_t pid : processes()) ::kill(pid, SIGCONT);
  terminate(3s);
  const auto none_left = [&] {
    const auto left = processes();
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    reap();
    return left.empty();
  };
  poll_until(none_left, 10s);
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
}

}  // namespace term::test
