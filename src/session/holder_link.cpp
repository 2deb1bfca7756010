#include "session/holder_link.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "session/pty.h"

namespace term {

using holder::Type;

namespace {

constexpr int kAnswerMs = 5000;

Error os_error(const std::string& what, int error) {
  return {Errc::os_error, what + ": " + std::generic_category().message(error)};
}

/// A message of one struct.
template <class T>
std::vector<char> packed(Type type, T message) {
  message.header = {type, 0};
  std::vector<char> bytes(sizeof message);
  std::memcpy(bytes.data(), &message, sizeof message);
  return bytes;
}

Result<UniqueFd> connect_to(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.size() >= sizeof address.sun_path)
    return Error{Errc::bad_argument, "the path " + name +
                                         " is too long for a socket; set a shorter "
                                         "TERMINAL_STATE_DIR"};
  std::memcpy(address.sun_path, name.c_str(), name.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return os_error("socket", errno);
  const int bytes = 1024 * 1024;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return os_error("connect to the holder at " + name, errno);
  return socket;
}

/// Returns once the new holder listens.
Result<void> start_holder(const HolderLink::Place& place) {
  const std::string program = place.program.string();
  const std::string dir = "--state-dir=" + place.state_dir.string();
  // Our own soft limit was raised for our connections; a program that a shell starts expects the
  // usual one.
  const std::string limit = place.soft_open_files == 0 ? "" : std::to_string(place.soft_open_files);
  const char* const script = "[ -z \"$1\" ] || ulimit -Sn \"$1\"; exec \"$2\" \"$3\" --daemon";
  const char* const argv[] = {"/bin/sh",       "-c",        script, "sh", limit.c_str(),
                              program.c_str(), dir.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, argv[0], &actions, nullptr, const_cast<char* const*>(argv), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return os_error("start " + program, error);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error{Errc::os_error,
               program + " could not start; see holder.log in " + place.state_dir.string()};
}

std::string text_of(const char* text, std::size_t size) { return {text, ::strnlen(text, size)}; }

Error said_no(const HolderPacket& packet) {
  const auto* failed = packet.as<holder::Failed>();
  if (failed == nullptr) return {Errc::os_error, "the holder sent a message we cannot read"};
  return start_error(text_of(failed->text, sizeof failed->text), failed->error);
}

Result<pid_t> greet(const Result<HolderPacket>& answer) {
  if (!answer) return answer.error();
  if (const auto* refused = answer->as<holder::Refused>();
      answer->header()->type == Type::refused && refused != nullptr) {
    if (refused->pid != 0)
      return Error{Errc::busy, "the holder serves another service, process " +
                                   std::to_string(refused->pid) + "; stop it first"};
    return Error{Errc::bad_snapshot,
                 "the holder refused us: " + text_of(refused->text, sizeof refused->text)};
  }
  const auto* welcome = answer->as<holder::Welcome>();
  if (answer->header()->type != Type::welcome || welcome == nullptr)
    return Error{Errc::bad_snapshot, "the holder did not say welcome"};
  return pid_t{welcome->pid};
}

}  // namespace

const holder::Header* HolderPacket::header() const { return as<holder::Header>(); }

HolderLink::~HolderLink() {
  if (ready_ && ready_->is_open()) ready_->release();
}

std::optional<ExitStatus> HolderLink::exit_status(const holder::Exit& exit) {
  if (exit.ended == 0) return std::nullopt;
  ExitStatus status{.at = WallTime(Millis(exit.at_ms))};
  if (exit.known != 0 && exit.signal != 0) status.signal = signal_name(exit.signal);
  if (exit.known != 0 && exit.signal == 0) status.code = exit.code;
  return status;
}

Result<HolderPacket> HolderLink::judge(HolderPacket packet) {
  if (packet.header()->type == Type::failed) return said_no(packet);
  return packet;
}

Result<std::shared_ptr<HolderLink>> HolderLink::open(const Place& place) {
  const auto path = place.state_dir / "holder.sock";
  auto socket = connect_to(path);
  if (!socket && socket.error().code != Errc::bad_argument && place.start) {
    if (auto started = start_holder(place); !started) return started.error();
    socket = connect_to(path);
  }
  if (!socket) return socket.error();
  std::shared_ptr<HolderLink> link(new HolderLink(std::move(*socket), 0));
  const auto hello = packed(Type::hello, holder::Hello{.version = holder::kVersion,
                                                       .take_over = place.take_over ? 1U : 0});
  auto pid = greet(link->ask(hello));
  if (!pid) return pid.error();
  link->pid_ = *pid;
  return link;
}

bool HolderLink::send_now(const std::vector<char>& message, int fd) {
  iovec part{const_cast<char*>(message.data()), message.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  ssize_t n = 0;
  do {
    n = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  return n >= 0;
}

Result<HolderPacket> HolderLink::receive(int timeout_ms) {
  if (timeout_ms != 0) {
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, timeout_ms) == 0)
      return Error{Errc::os_error, "the holder (process " + std::to_string(pid_) +
                                       ") does not answer; is it stopped?"};
  }
  HolderPacket packet;
  packet.bytes.resize(holder::kMaxPacket);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(holder::kMaxFds * sizeof(int))];
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n = 0;
  do {
    n = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return Error{Errc::busy, "nothing came from the holder yet"};
  if (n < 0) return os_error("recvmsg from the holder", errno);
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      packet.fds.emplace_back(fd);
    }
  }
  packet.bytes.resize(static_cast<std::size_t>(n));
  if (n == 0) return Error{Errc::os_error, "the holder has ended"};
  if (packet.header() == nullptr || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return Error{Errc::os_error, "a message of the holder came cut off; too few descriptors left?"};
  return packet;
}

Result<HolderPacket> HolderLink::ask(std::vector<char> message, int fd) {
  const std::uint32_t number = next_request_++;
  reinterpret_cast<holder::Header*>(message.data())->request = number;
  if (!send_now(message, fd)) return os_error("sendmsg to the holder", errno);
  for (;;) {
    auto packet = receive(kAnswerMs);
    if (!packet) return packet;
    const holder::Header& header = *packet->header();
    // A refusal is of the connection, not of a request.
    if (header.request == number || header.type == Type::refused) return judge(std::move(*packet));
  }
}

Result<std::vector<HolderPacket>> HolderLink::collect(Type question, Type part) {
  holder::Slot message{};
  auto bytes = packed(question, message);
  bytes.resize(sizeof(holder::Header));
  const std::uint32_t number = next_request_;
  auto packet = ask(std::move(bytes));
  std::vector<HolderPacket> all;
  while (packet && packet->header()->type == part) {
    all.push_back(std::move(*packet));
    do {
      packet = receive(kAnswerMs);
    } while (packet && packet->header()->request != number);
  }
  if (!packet) return packet.error();
  if (packet->header()->type != Type::listed)
    return Error{Errc::os_error, "the holder's list does not end as it should"};
  return all;
}

Result<std::vector<HeldSession>> HolderLink::list() {
  auto packets = collect(Type::list, Type::held);
  if (!packets) return packets.error();
  std::vector<HeldSession> sessions;
  for (auto& packet : *packets) {
    const std::size_t count = (packet.bytes.size() - sizeof(holder::Header)) / sizeof(holder::Held);
    if (count != packet.fds.size())
      return Error{Errc::os_error, "the holder sent " + std::to_string(packet.fds.size()) +
                                       " ptys for " + std::to_string(count) +
                                       " sessions; raise the limit of open files"};
    for (std::size_t i = 0; i < count; ++i) {
      holder::Held held{};
      std::memcpy(&held, packet.bytes.data() + sizeof(holder::Header) + i * sizeof held,
                  sizeof held);
      sessions.push_back({.slot = held.slot,
                          .pid = held.pid,
                          .pts = held.pts,
                          .id = text_of(held.tag, sizeof held.tag),
                          .pty = std::move(packet.fds[i]),
                          .exit = exit_status(held.exit)});
    }
  }
  return sessions;
}

Result<std::map<std::string, UniqueFd>> HolderLink::fetch() {
  auto packets = collect(Type::fetch, Type::named);
  if (!packets) return packets.error();
  std::map<std::string, UniqueFd> all;
  for (auto& packet : *packets) {
    for (std::size_t i = 0; i < packet.fds.size(); ++i) {
      const std::size_t at = sizeof(holder::Header) + i * sizeof(holder::Name);
      if (at + sizeof(holder::Name) > packet.bytes.size()) break;
      all[text_of(packet.bytes.data() + at, sizeof(holder::Name))] = std::move(packet.fds[i]);
    }
  }
  return all;
}

std::vector<char> release_message(std::uint32_t slot) {
  return packed(Type::release, holder::Slot{.slot = slot});
}

std::vector<char> signal_message(std::uint32_t slot, int signal) {
  return packed(Type::signal, holder::Signal{.slot = slot, .signal = signal});
}

std::vector<char> keep_message(const std::string& name) {
  holder::Named message{};
  name.copy(message.name.name, holder::kMaxName);
  return packed(Type::keep, message);
}

std::vector<char> adopt_message(const HeldSession& session) {
  holder::Adopt message{};
  message.slot = session.slot;
  message.pid = session.pid;
  message.pts = session.pts;
  session.id.copy(message.tag, holder::kMaxTag);
  return packed(Type::adopt, message);
}

std::vector<char> end_message() {
  auto bytes = packed(Type::end, holder::Slot{});
  bytes.resize(sizeof(holder::Header));
  return bytes;
}

}  // namespace term
