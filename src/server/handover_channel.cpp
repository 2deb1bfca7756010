#include "server/handover_channel.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "server/json_read.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxPacket = 128 * 1024;
constexpr std::size_t kMaxFds = 253;  // SCM_MAX_FD.

Error os_error(const std::string& what) {
  return {Errc::os_error, what + ": " + std::generic_category().message(errno)};
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> HandoverChannel::make() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return os_error("socketpair");
  return std::pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<void> HandoverChannel::send(const Json& message, std::span<const int> fds) {
  const std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  ssize_t n = 0;
  do {
    n = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return os_error("the other process of the hand-over does not listen");
  return {};
}

Result<HandoverChannel::Message> HandoverChannel::receive(std::chrono::milliseconds timeout) {
  pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(timeout.count()));
  if (ready == 0)
    return Error{Errc::os_error, "the other process did not answer within " +
                                     std::to_string(timeout.count()) + " ms"};
  std::string text(kMaxPacket, '\0');
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n = 0;
  do {
    n = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return Error{Errc::os_error, "the other process has ended"};
  Message message;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      message.fds.emplace_back(fd);
    }
  }
  text.resize(static_cast<std::size_t>(n));
  const auto json = parse_object(text, kMaxPacket);
  if (!json || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return Error{Errc::bad_snapshot, "a message of the hand-over is damaged or cut off"};
  message.type = read_string(*json, "type").value_or("");
  message.text = std::move(text);
  return message;
}

Result<HandoverChannel::Message> HandoverChannel::expected(Result<Message> message,
                                                           const std::string& type) {
  if (!message || message->type == type) return message;
  if (message->type == "failed") {
    const Json json = Json::parse(message->text, nullptr, false);
    return Error{Errc::bad_snapshot, read_string(json, "error").value_or("no reason given")};
  }
  return Error{Errc::bad_snapshot, "the other process said \"" + message->type.substr(0, 40) +
                                       "\" where \"" + type + "\" was due"};
}

Result<UniqueFd> bytes_to_memfd(const std::string& bytes) {
  UniqueFd fd(::memfd_create("terminal-handover", MFD_CLOEXEC));
  if (!fd) return os_error("memfd_create");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return os_error("write of the hand-over's state");
    done += static_cast<std::size_t>(n);
  }
  return fd;
}

Result<std::string> bytes_of_memfd(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return os_error("fstat of the hand-over's state");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return os_error("read of the hand-over's state");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace term::server
