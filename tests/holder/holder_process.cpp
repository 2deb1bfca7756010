#include "holder/holder_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <thread>

namespace term::holder {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::optional<int> Process::wait(milliseconds within) {
  until(
      [&] {
        int status = 0;
        if (!wait_status && pid > 0 && ::waitpid(pid, &status, WNOHANG) == pid)
          wait_status = status;
        return wait_status.has_value();
      },
      within);
  return wait_status;
}

Process start_process(const std::vector<std::string>& argv, const std::string& log,
                      const std::vector<std::string>& env) {
  std::vector<std::string> all = kEnvironment;
  all.insert(all.end(), env.begin(), env.end());
  if (const char* options = ::getenv("ASAN_OPTIONS"))
    all.push_back("ASAN_OPTIONS=" + std::string(options));
  const auto pointers = [](const std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (const std::string& s : strings) result.push_back(const_cast<char*>(s.c_str()));
    result.push_back(nullptr);
    return result;
  };
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  Process process;
  const int e = ::posix_spawn(&process.pid, argv[0].c_str(), &actions, nullptr,
                              pointers(argv).data(), pointers(all).data());
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(e, 0) << argv[0];
  return process;
}

Directory::Directory() : root_("/tmp/holder_test_XXXXXX") {
  if (::mkdtemp(root_.data()) == nullptr) ADD_FAILURE() << "mkdtemp";
}
Directory::~Directory() {
  std::error_code error;
  std::filesystem::remove_all(root_, error);
}

HolderProcess::HolderProcess(std::vector<std::string> options, std::vector<std::string> service,
                             std::string binary) {
  argv_ = {binary.empty() ? TERM_HOLDER : binary, "--state-dir=" + dir()};
  argv_.insert(argv_.end(), options.begin(), options.end());
  if (!service.empty()) {
    argv_.insert(argv_.end(), {"--init", "--"});
    argv_.insert(argv_.end(), service.begin(), service.end());
  }
  start();
}

void HolderProcess::start() {
  const auto before = log().size();
  process_ = start_process(argv_, directory_.path("log"), {"TEST_DIR=" + directory_.path()});
  EXPECT_TRUE(until([&] {
    return log().find("holder.ready", before) != std::string::npos || process_.ended();
  })) << log();
  EXPECT_FALSE(process_.ended()) << log();
}

HolderProcess::~HolderProcess() {
  if (process_.pid > 0 && !process_.wait_status) {
    ::kill(process_.pid, SIGKILL);
    process_.wait();
  }
  // The services of init mode outlive it, and write down who they are.
  std::istringstream runs(contents(directory_.path("runs")));
  for (std::string line; std::getline(runs, line);) ::kill(std::atoi(line.c_str() + 8), SIGKILL);
  if (log().find("ERROR: ") != std::string::npos ||
      log().find("runtime error") != std::string::npos) {
    ADD_FAILURE() << log();  // Of a sanitizer.
  }
}

std::string HolderProcess::log() const { return contents(directory_.path("log")); }

size_t HolderProcess::descriptors() const {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid()) + "/fd")) {
    ++count;
  }
  return count;
}

std::string Packet::text() const {
  if (type() == Type::failed) return as<Failed>().text;
  if (type() == Type::refused) return as<Refused>().text;
  return "message " + std::to_string(static_cast<uint32_t>(type()));
}

Peer::Peer(const std::string& dir, bool say_hello, bool take_over) {
  socket_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  const std::string path = dir + "/holder.sock";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  // While a holder becomes another one its socket goes on listening.
  if (::connect(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ADD_FAILURE() << "connect " << path << ": " << std::strerror(errno);
    return;
  }
  if (!say_hello) return;
  const Packet answer = hello(take_over);
  EXPECT_EQ(answer.type(), Type::welcome) << answer.text();
}

bool Peer::send(std::string_view bytes, const std::vector<int>& fds) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control{};
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
  }
  return ::sendmsg(fd(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::optional<Packet> Peer::receive(milliseconds within) {
  pollfd readable{.fd = fd(), .events = POLLIN, .revents = 0};
  if (::poll(&readable, 1, static_cast<int>(within.count())) != 1) return {};
  Packet packet;
  packet.bytes.resize(kMaxPacket);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control;
  iovec part{.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t n = ::recvmsg(fd(), &message, MSG_CMSG_CLOEXEC);
  if (n <= 0) return {};
  packet.bytes.resize(static_cast<size_t>(n));
  for (cmsghdr* m = CMSG_FIRSTHDR(&message); m != nullptr; m = CMSG_NXTHDR(&message, m)) {
    const size_t count = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(m) + i * sizeof(int), sizeof(int));
      packet.fds.emplace_back(received);
    }
  }
  EXPECT_EQ(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC), 0);
  return packet;
}

Packet Peer::ask(std::string bytes, const std::vector<int>& fds) {
  const uint32_t request = ++last_request_;
  std::memcpy(bytes.data() + offsetof(Header, request), &request, sizeof request);
  if (!send(bytes, fds)) return {};
  while (auto packet = receive()) {
    if (packet->request() == request) return std::move(*packet);
    news_.push_back(std::move(*packet));
  }
  return {};
}

bool Peer::at_end() {
  return until([&] {
    while (receive(milliseconds(0))) {
    }
    char byte;
    const ssize_t n = ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
  });
}

Packet Peer::hello(bool take_over, uint32_t version) {
  const Hello message{{Type::hello, 0}, version, take_over ? 1U : 0U};
  if (!send_message(message)) return {};
  auto answer = receive();
  // A child's end may come first; a greeting has no number to tell its answer by.
  for (; answer && answer->type() == Type::exited; answer = receive())
    news_.push_back(std::move(*answer));
  return answer ? std::move(*answer) : Packet{};
}

std::string Peer::spawn_message(uint32_t slot, const std::vector<std::string>& argv,
                                const std::vector<std::string>& env, const std::string& directory) {
  Spawn message{};
  message.header.type = Type::spawn;
  message.slot = slot;
  message.rows = 24;
  message.cols = 80;
  message.argc = static_cast<uint32_t>(argv.size());
  message.envc = static_cast<uint32_t>(env.size());
  ("session_" + std::to_string(slot)).copy(message.tag, kMaxTag);
  std::string bytes(reinterpret_cast<const char*>(&message), sizeof message);
  bytes.append(directory.c_str(), directory.size() + 1);
  for (const std::string& s : argv) bytes.append(s.c_str(), s.size() + 1);
  for (const std::string& s : env) bytes.append(s.c_str(), s.size() + 1);
  return bytes;
}

Packet Peer::spawn(uint32_t slot, const std::vector<std::string>& argv,
                   const std::vector<std::string>& env, const std::string& directory) {
  return ask(spawn_message(slot, argv, env, directory));
}

std::vector<HeldSession> Peer::list() {
  std::vector<HeldSession> sessions;
  Packet packet = ask(Header{Type::list, 0});
  const uint32_t request = packet.request();
  while (packet.type() == Type::held) {
    const size_t count = (packet.bytes.size() - sizeof(Header)) / sizeof(Held);
    EXPECT_EQ(packet.fds.size(), count);
    EXPECT_LE(count, kMaxFds);
    for (size_t i = 0; i < count; ++i) {
      HeldSession session{};
      std::memcpy(&session.held, packet.bytes.data() + sizeof(Header) + i * sizeof(Held),
                  sizeof(Held));
      session.pty = std::move(packet.fds[i]);
      sessions.push_back(std::move(session));
    }
    auto next = receive();
    while (next && next->request() != request) {
      news_.push_back(std::move(*next));
      next = receive();
    }
    if (!next) break;
    packet = std::move(*next);
  }
  EXPECT_EQ(packet.type(), Type::listed) << packet.text();
  EXPECT_EQ(packet.as<Listed>().count, sessions.size());
  return sessions;
}

std::vector<NamedDescriptor> Peer::fetch() {
  std::vector<NamedDescriptor> names;
  Packet packet = ask(Header{Type::fetch, 0});
  while (packet.type() == Type::named) {
    for (size_t i = 0; i < packet.fds.size(); ++i) {
      names.push_back(
          {packet.bytes.c_str() + sizeof(Header) + i * sizeof(Name), std::move(packet.fds[i])});
    }
    auto next = receive();
    if (!next) break;
    packet = std::move(*next);
  }
  EXPECT_EQ(packet.type(), Type::listed) << packet.text();
  EXPECT_EQ(packet.as<Listed>().count, names.size());
  return names;
}

Packet Peer::upgrade(const std::string& path) {
  const Header header{Type::upgrade, 0};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(path.c_str(), path.size() + 1);
  return ask(bytes);
}

std::optional<Packet> Peer::news(milliseconds within) {
  if (!news_.empty()) {
    Packet packet = std::move(news_.front());
    news_.pop_front();
    return packet;
  }
  return receive(within);
}

std::optional<Exited> Peer::exited() {
  auto packet = news();
  if (!packet || packet->type() != Type::exited) return {};
  EXPECT_EQ(packet->request(), 0U);
  return packet->as<Exited>();
}

Named Peer::named(Type type, const std::string& name) {
  Named message{};
  message.header.type = type;
  name.copy(message.name.name, kMaxName);
  return message;
}

std::string read_until(int pty, const std::string& text) {
  std::string seen;
  const auto deadline = steady_clock::now() + kDeadline;
  while (seen.find(text) == std::string::npos && steady_clock::now() < deadline) {
    pollfd readable{.fd = pty, .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 1000) <= 0) continue;
    std::array<char, 4096> chunk;
    const ssize_t n = ::read(pty, chunk.data(), chunk.size());
    if (n <= 0) break;
    seen.append(chunk.data(), static_cast<size_t>(n));
  }
  return seen;
}

bool type(int pty, std::string_view keys) {
  return ::write(pty, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size());
}

std::string status_of(pid_t pid, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
  }
  return "";
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_alive(pid_t pid) {
  const std::string state = status_of(pid, "State");
  return !state.empty() && state[0] != 'Z';
}

}  // namespace term::holder
