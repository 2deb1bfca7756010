// Peers: who may connect, reading a packet, and sending without ever waiting.

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "holder/holder.h"

namespace term::holder {

namespace {

constexpr int kPacketsInOneTurn = 64;
constexpr int64_t kPauseMs = 100;  ///< Without accepting, when there is no descriptor for it.

bool waits(const Connection& c) { return c.answering || c.listing || c.naming; }

void set_interest(Holder* h, Connection* c) {
  if (!c->used) return;
  uint32_t events = waits(*c) ? EPOLLOUT : EPOLLIN;
  if (c == h->service && h->untold > 0) events |= EPOLLOUT;
  if (c->retry) events = 0;
  if (events == c->events) return;
  c->events = events;
  epoll_event event{.events = events};
  event.data.u64 = uint64_t{static_cast<uint32_t>(Source::connection)} << 32 |
                   static_cast<uint32_t>(c - h->connections);
  epoll_ctl(h->events, EPOLL_CTL_MOD, c->fd, &event);
}

/// False: it does not take it now. Whoever reads no more takes everything.
bool send_packet(Connection* c, const void* packet, size_t size, const int* fds, size_t fd_count) {
  if (c->mute) return true;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  iovec part{.iov_base = const_cast<void*>(packet), .iov_len = size};
  msghdr message{.msg_iov = &part, .msg_iovlen = 1};
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
  }
  if (sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
    c->deadline = 0;
    return true;
  }
  const bool scarce = errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM;
  if (errno != EAGAIN && !scarce) {
    c->mute = true;
    return true;
  }
  c->retry = scarce;
  if (c->deadline == 0) c->deadline = now_ms() + kStallMs;
  return false;
}

bool send_held(Holder* h, Connection* c) {
  struct {
    Header header;
    Held held[kMaxFds];
  } packet;
  int ptys[kMaxFds];
  packet.header = {Type::held, c->request};
  uint32_t count = 0;
  uint32_t slot = c->next;
  for (; slot < h->high && count < kMaxFds; ++slot) {
    const Session& s = h->sessions[slot];
    if (!s.used) continue;
    packet.held[count] = {.slot = slot, .pid = s.pid, .pts = s.pts, .padding = 0, .exit = s.exit};
    memcpy(packet.held[count].tag, s.tag, sizeof s.tag);
    ptys[count++] = s.pty;
  }
  if (count > 0) {
    const size_t size = offsetof(decltype(packet), held) + count * sizeof(Held);
    if (!send_packet(c, &packet, size, ptys, count)) return false;
    c->next = slot;
    c->listed += count;
    return true;
  }
  c->listing = false;
  const Listed end{{Type::listed, c->request}, c->listed};
  answer(c, &end, sizeof end);
  return true;
}

bool send_names(Holder* h, Connection* c) {
  struct {
    Header header;
    Name names[kMaxFds];
  } packet;
  int fds[kMaxFds];
  packet.header = {Type::named, c->request};
  uint32_t count = 0;
  uint32_t i = c->next;
  for (; i < kMaxNamed && count < kMaxFds; ++i) {
    if (h->names[i].name.name[0] == '\0') continue;
    packet.names[count] = h->names[i].name;
    fds[count++] = h->names[i].fd;
  }
  if (count > 0) {
    if (!send_packet(c, &packet, sizeof(Header) + count * sizeof(Name), fds, count)) return false;
    c->next = i;
    c->listed += count;
    return true;
  }
  c->naming = false;
  const Listed end{{Type::listed, c->request}, c->listed};
  answer(c, &end, sizeof end);
  return true;
}

bool send_answer(Connection* c) {
  const bool with_fd = c->answer_fd >= 0;
  if (!send_packet(c, c->answer, c->answer_size, &c->answer_fd, with_fd ? 1 : 0)) return false;
  c->answering = false;
  return true;
}

/// False: something still waits.
bool send_waiting(Holder* h, Connection* c) {
  bool going = true;
  while (going && waits(*c)) {
    if (c->answering) {
      going = send_answer(c);
    } else {
      going = c->listing ? send_held(h, c) : send_names(h, c);
    }
  }
  return going;
}

void take_fds(msghdr* message, Packet* packet) {
  packet->fd_count = 0;
  for (cmsghdr* m = CMSG_FIRSTHDR(message); m != nullptr; m = CMSG_NXTHDR(message, m)) {
    if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(packet->fds, CMSG_DATA(m), count * sizeof(int));
    packet->fd_count = static_cast<uint32_t>(count);
  }
}

/// False: nothing more to read now.
bool receive(Holder* h, Connection* c) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  iovec part{.iov_base = h->buffer, .iov_len = sizeof h->buffer};
  msghdr message{
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  const ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && errno == EAGAIN) return false;
  if (n < 0 && errno == ECONNRESET && !c->mute) {
    // It closed without reading all of our answers; what it asked for is still in the queue.
    c->mute = true;
    return true;
  }
  Packet packet{.bytes = h->buffer, .size = n > 0 ? static_cast<size_t>(n) : 0};
  packet.too_large = (message.msg_flags & MSG_TRUNC) != 0;
  packet.fds_lost = (message.msg_flags & MSG_CTRUNC) != 0;
  if (n >= 0) take_fds(&message, &packet);
  if (n > 0 && !c->leaving) handle_packet(h, c, &packet);
  for (uint32_t i = 0; i < packet.fd_count; ++i) {
    if (packet.fds[i] >= 0) close(packet.fds[i]);
  }
  if (n <= 0) drop_connection(h, c);
  return n > 0;
}

/// Null when all places are taken; one is the service's.
Connection* free_place(Holder* h) {
  Connection* place = nullptr;
  uint32_t others = 0;
  for (Connection& c : h->connections) {
    if (!c.used) place = &c;
    if (c.used && &c != h->service) ++others;
  }
  return others < kMaxHalfOpen ? place : nullptr;
}

/// False: it was refused, and closed.
bool welcome_peer(Holder* h, int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (!known || (peer.uid != geteuid() && peer.uid != 0)) {
    log_line("holder.refused reason=uid uid=%u pid=%d count=%u", peer.uid, peer.pid, ++h->foreign);
    close(fd);
    return false;
  }
  Connection* c = free_place(h);
  if (c == nullptr) {
    log_line("holder.refused reason=half_open limit=%u pid=%d", kMaxHalfOpen, peer.pid);
    close(fd);
    return false;
  }
  *c = Connection{.used = true, .fd = fd, .pid = peer.pid, .deadline = now_ms() + kHelloMs};
  c->events = EPOLLIN;
  c->answer_fd = -1;
  if (watch(h, fd, Source::connection, static_cast<uint32_t>(c - h->connections), EPOLLIN) != 0) {
    drop_connection(h, c);
  }
  return true;
}

}  // namespace

int watch(Holder* h, int fd, Source source, uint32_t number, uint32_t events) {
  epoll_event event{.events = events};
  event.data.u64 = uint64_t{static_cast<uint32_t>(source)} << 32 | number;
  return epoll_ctl(h->events, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void accept_peers(Holder* h) {
  for (;;) {
    const int fd = accept4(h->listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      welcome_peer(h, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      // The listener stays readable: without a pause this would spin.
      epoll_ctl(h->events, EPOLL_CTL_DEL, h->listener, nullptr);
      h->accept_ms = now_ms() + kPauseMs;
      return;
    } else if (errno != ECONNABORTED && errno != EINTR) {
      return;
    }
  }
}

void serve(Holder* h, Connection* c) {
  for (int i = 0; i < kPacketsInOneTurn && c->used; ++i) {
    if (!send_waiting(h, c) || !receive(h, c)) break;
  }
  if (c->used) send_waiting(h, c);
  if (c == h->service) push(h);
  set_interest(h, c);
}

void push(Holder* h) {
  Connection* c = h->service;
  if (c == nullptr || waits(*c)) return;
  for (uint32_t slot = 0; slot < h->high && h->untold > 0; ++slot) {
    Session& s = h->sessions[slot];
    if (!s.untold) continue;
    const Exited news{{Type::exited, 0}, slot, s.pid, s.exit};
    if (!send_packet(c, &news, sizeof news, nullptr, 0)) break;
    s.untold = false;
    --h->untold;
  }
  set_interest(h, c);
}

void check_deadlines(Holder* h) {
  const int64_t now = now_ms();
  if (h->accept_ms != 0 && now >= h->accept_ms) {
    h->accept_ms = 0;
    watch(h, h->listener, Source::listener, 0, EPOLLIN);
  }
  for (Connection& c : h->connections) {
    if (!c.used) continue;
    if (c.deadline != 0 && now >= c.deadline) {
      log_line("holder.cut pid=%d reason=%s", c.pid, &c == h->service ? "stalled" : "timeout");
      drop_connection(h, &c);
    } else if (c.retry) {
      c.retry = false;
      serve(h, &c);
    }
  }
}

bool peer_is_gone(const Connection& c) {
  pollfd end{.fd = c.fd, .events = 0, .revents = 0};
  return poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0;
}

void dismiss(Holder* h, Connection* c, const void* packet, size_t size) {
  c->answering = c->listing = c->naming = c->retry = false;
  send_packet(c, packet, size, nullptr, 0);
  // Not closed yet: closing with something unread would take our words from it, too.
  shutdown(c->fd, SHUT_WR);
  c->leaving = true;
  c->deadline = now_ms() + kHelloMs;
  if (c == h->service) h->service = nullptr;
  set_interest(h, c);
}

void drop_connection(Holder* h, Connection* c) {
  if (c == h->service) {
    log_line("holder.left pid=%d sessions=%u", c->pid, h->held);
    h->service = nullptr;
    h->idle_since = now_ms();
  }
  close(c->fd);
  *c = Connection{};
}

}  // namespace term::holder
