// What the service may ask for, and the answers. Nothing changes unless the answer says so.

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "holder/holder.h"
#include "holder/start.h"

namespace term::holder {

namespace {

struct Request {
  Holder* h;
  Connection* c;
  Packet* packet;
  Header header;
};

void fail_now(const Request& r, int error, const char* text) {
  fail(r.c, r.header.request, error, "%s", text);
}

void done(const Request& r) {
  const Header header{Type::done, r.header.request};
  answer(r.c, &header, sizeof header);
}

/// Reads a message of exactly this size that comes with `fds` descriptors, or answers.
template <class Message>
bool read(const Request& r, Message* message, uint32_t fds = 0) {
  if (r.packet->size != sizeof *message) {
    fail(r.c, r.header.request, EINVAL, "message %u of %zu bytes, it has %zu",
         static_cast<uint32_t>(r.header.type), r.packet->size, sizeof *message);
    return false;
  }
  if (r.packet->fd_count != fds) {
    fail(r.c, r.header.request, EINVAL, "message %u with %u descriptors, it has %u",
         static_cast<uint32_t>(r.header.type), r.packet->fd_count, fds);
    return false;
  }
  memcpy(message, r.packet->bytes, sizeof *message);
  return true;
}

template <size_t size>
bool terminated(const char (&text)[size]) {
  return memchr(text, '\0', size) != nullptr;
}

/// Keeps descriptors for connections: a holder that can accept nobody would be lost.
bool has_files_left(const Request& r) {
  const int lowest = fcntl(r.h->events, F_DUPFD_CLOEXEC, 0);
  if (lowest >= 0) close(lowest);
  if (lowest >= 0 && static_cast<rlim_t>(lowest) + kSpareFiles < r.h->max_files) return true;
  fail(r.c, r.header.request, EMFILE, "the holder may have %llu files open, %llu are spare",
       static_cast<unsigned long long>(r.h->max_files),
       static_cast<unsigned long long>(kSpareFiles));
  return false;
}

/// May something be put into this slot? If not, answers.
bool may_take(const Request& r, uint32_t slot, const char (&tag)[kMaxTag + 1]) {
  if (r.h->ending_ms != 0) {
    fail_now(r, ECANCELED, "the holder is ending");
  } else if (slot >= kMaxSessions) {
    fail(r.c, r.header.request, EINVAL, "slot %u, the last of %zu is %zu", slot, kMaxSessions,
         kMaxSessions - 1);
  } else if (!terminated(tag)) {
    fail(r.c, r.header.request, EINVAL, "a tag over %zu bytes", kMaxTag);
  } else if (r.h->sessions[slot].used) {
    fail(r.c, r.header.request, EEXIST, "slot %u is taken by %.100s", slot,
         r.h->sessions[slot].tag);
  } else {
    return has_files_left(r);
  }
  return false;
}

/// Is something in this slot? If not, answers.
bool is_held(const Request& r, uint32_t slot) {
  if (slot < kMaxSessions && r.h->sessions[slot].used) return true;
  fail(r.c, r.header.request, ENOENT, "nothing is in slot %u", slot);
  return false;
}

void hello(const Request& r) {
  Hello message;
  if (r.packet->size != sizeof message || r.packet->fd_count != 0) {
    return refuse(r.h, r.c, 0, "this is no hello of version 1");
  }
  memcpy(&message, r.packet->bytes, sizeof message);
  if (message.version == 0 || message.version > kVersion || message.version + 1 < kVersion) {
    return refuse(r.h, r.c, 0, "another version of the protocol");
  }
  // One that died is read to its end first: what it asked for is done.
  Connection* before = r.h->service;
  while (before != nullptr && r.h->service == before && peer_is_gone(*before)) serve(r.h, before);
  if (r.h->service != nullptr) {
    if (message.take_over != 1) {
      return refuse(r.h, r.c, r.h->service->pid, "another service is connected");
    }
    const Taken taken{{Type::taken_over, 0}, r.c->pid};
    dismiss(r.h, r.h->service, &taken, sizeof taken);
  }
  r.h->service = r.c;
  r.c->deadline = 0;
  if (r.h->options.init && r.c->pid > 0) r.h->service_pid = r.c->pid;
  // The listing will tell what has ended.
  for (uint32_t slot = 0; slot < r.h->high; ++slot) r.h->sessions[slot].untold = false;
  r.h->untold = 0;
  log_line("holder.service pid=%d sessions=%u take_over=%u", r.c->pid, r.h->held,
           message.take_over);
  const Welcome welcome{
      {Type::welcome, r.header.request}, kVersion, getpid(), r.h->held, r.h->named};
  answer(r.c, &welcome, sizeof welcome);
}

/// Points argv and env into the strings; false unless they are exactly what the counts say.
bool split(const Request& r, const Spawn& message, Program* program) {
  char* at = r.h->buffer + sizeof message;
  const char* const end = r.h->buffer + r.packet->size;
  const uint64_t count = uint64_t{1} + message.argc + message.envc;
  if (message.argc == 0 || count > static_cast<uint64_t>(end - at) || end[-1] != '\0') return false;
  char** next = r.h->strings;
  program->directory = at;
  program->argv = next;
  at += strlen(at) + 1;
  for (uint64_t i = 1; i < count; ++i) {
    if (at >= end) return false;
    if (i == uint64_t{1} + message.argc) *next++ = nullptr;
    *next++ = at;
    at += strlen(at) + 1;
  }
  if (message.envc == 0) *next++ = nullptr;
  *next = nullptr;
  program->env = program->argv + message.argc + 1;
  return at == end;
}

void spawn(const Request& r) {
  Spawn message;
  if (r.packet->size < sizeof message || r.packet->fd_count != 0) {
    return fail_now(r, EINVAL, "a spawn is longer and brings no descriptor");
  }
  memcpy(&message, r.packet->bytes, sizeof message);
  if (r.packet->size - sizeof message > kMaxStrings) {
    return fail(r.c, r.header.request, E2BIG, "%zu bytes of strings, at most %zu",
                r.packet->size - sizeof message, kMaxStrings);
  }
  if (!may_take(r, message.slot, message.tag)) return;
  Program program{.rows = message.rows, .cols = message.cols};
  if (!split(r, message, &program)) {
    return fail_now(r, EINVAL, "the strings are not what argc and envc say");
  }
  Started started = open_pty(program);
  if (started.kind == Started::Kind::ok) {
    before_spawn(r.h);
    start_child(program, &started);
    after_spawn(r.h);
  }
  if (started.kind != Started::Kind::ok) return fail_now(r, started.error, started.text);
  Session session{.pty = started.fd, .pidfd = -1, .pid = started.pid, .pts = started.pts};
  memcpy(session.tag, message.tag, sizeof session.tag);
  put_session(r.h, message.slot, session);
  const Spawned spawned{{Type::spawned, r.header.request}, message.slot, started.pid, started.pts};
  answer(r.c, &spawned, sizeof spawned, started.fd);
}

/// Answers why not, or returns the pidfd of a process that surely is the leader on that pty.
int find_child(const Request& r, const Adopt& message, int pty) {
  int pts = -1;
  if (ioctl(pty, TIOCGPTN, &pts) != 0 || pts != message.pts) {
    fail(r.c, r.header.request, EINVAL, "the descriptor is not the pty %d", message.pts);
    return -1;
  }
  for (uint32_t slot = 0; slot < r.h->high; ++slot) {
    if (r.h->sessions[slot].used && r.h->sessions[slot].pts == pts) {
      fail(r.c, r.header.request, EEXIST, "the pty %d is in slot %u", pts, slot);
      return -1;
    }
  }
  const long pidfd =
      message.pid > 1 ? syscall(SYS_pidfd_open, message.pid, 0) : (errno = EINVAL, -1);
  if (pidfd < 0) {
    fail(r.c, r.header.request, errno, "process %d", message.pid);
    return -1;
  }
  // After the pidfd was opened: the number may be another process's by now.
  if (tcgetsid(pty) != message.pid) {
    close(static_cast<int>(pidfd));
    fail(r.c, r.header.request, ESRCH, "process %d does not lead the session on /dev/pts/%d",
         message.pid, pts);
    return -1;
  }
  return static_cast<int>(pidfd);
}

void adopt(const Request& r) {
  Adopt message;
  if (!read(r, &message, 1) || !may_take(r, message.slot, message.tag)) return;
  const int pidfd = find_child(r, message, r.packet->fds[0]);
  if (pidfd < 0) return;
  Session session{.adopted = true,
                  .pty = r.packet->fds[0],
                  .pidfd = pidfd,
                  .pid = message.pid,
                  .pts = message.pts};
  memcpy(session.tag, message.tag, sizeof session.tag);
  r.packet->fds[0] = -1;
  put_session(r.h, message.slot, session);
  if (const int e = watch_adopted(r.h, message.slot); e != 0) {
    forget_session(r.h, message.slot);
    return fail_now(r, e, "epoll_ctl of the pidfd");
  }
  done(r);
}

void release(const Request& r) {
  Slot message;
  if (!read(r, &message) || !is_held(r, message.slot)) return;
  forget_session(r.h, message.slot);
  done(r);
}

void signal(const Request& r) {
  Signal message;
  if (!read(r, &message) || !is_held(r, message.slot)) return;
  if (message.signal < 1 || message.signal > 64) {
    return fail(r.c, r.header.request, EINVAL, "signal %d, they are 1..64", message.signal);
  }
  const int e = signal_session(r.h, message.slot, message.signal);
  if (e == 0) return done(r);
  fail(r.c, r.header.request, e, "signal %d to process %d", message.signal,
       r.h->sessions[message.slot].pid);
}

/// The place of that name, or of the empty one, which is a free place; null if there is none.
NamedFd* find_name(Holder* h, const char* name) {
  for (NamedFd& n : h->names) {
    if (strcmp(n.name.name, name) == 0) return &n;
  }
  return nullptr;
}

bool read_name(const Request& r, Named* message, uint32_t fds) {
  if (!read(r, message, fds)) return false;
  if (terminated(message->name.name) && message->name.name[0] != '\0') return true;
  fail(r.c, r.header.request, EINVAL, "a name has 1 to %zu bytes", kMaxName);
  return false;
}

void keep(const Request& r) {
  Named message;
  if (!read_name(r, &message, 1)) return;
  NamedFd* place = find_name(r.h, message.name.name);
  if (place != nullptr) {
    close(place->fd);
  } else {
    if (!has_files_left(r)) return;
    place = find_name(r.h, "");
    if (place == nullptr) {
      return fail(r.c, r.header.request, ENOSPC, "%zu names are kept already", kMaxNamed);
    }
    snprintf(place->name.name, sizeof place->name.name, "%s", message.name.name);
    ++r.h->named;
  }
  place->fd = r.packet->fds[0];
  r.packet->fds[0] = -1;
  done(r);
}

void drop(const Request& r) {
  Named message;
  if (!read_name(r, &message, 0)) return;
  NamedFd* place = find_name(r.h, message.name.name);
  if (place == nullptr) return fail_now(r, ENOENT, "no descriptor has that name");
  close(place->fd);
  *place = NamedFd{};
  --r.h->named;
  done(r);
}

void list(const Request& r, bool names) {
  Header message;
  if (!read(r, &message)) return;
  r.c->listing = !names;
  r.c->naming = names;
  r.c->request = r.header.request;
  r.c->next = r.c->listed = 0;
}

void upgrade(const Request& r) {
  const char* path = r.packet->bytes + sizeof(Header);
  const size_t size = r.packet->size - sizeof(Header);
  if (size == 0 || r.packet->fd_count != 0 || strnlen(path, size) + 1 != size) {
    return fail_now(r, EINVAL, "an upgrade has one path, NUL at its end");
  }
  if (path[0] != '\0' && path[0] != '/') return fail_now(r, EINVAL, "the path is not absolute");
  char text[sizeof Failed::text];
  const int e = upgrade(r.h, path[0] != '\0' ? path : nullptr, text, sizeof text);
  fail_now(r, e, text);
}

void end(const Request& r) {
  Header message;
  if (!read(r, &message)) return;
  begin_end(r.h);
  done(r);
}

void dispatch(const Request& r) {
  switch (r.header.type) {
    case Type::hello:
      return fail_now(r, EINVAL, "hello was said already");
    case Type::spawn:
      return spawn(r);
    case Type::list:
      return list(r, false);
    case Type::release:
      return release(r);
    case Type::signal:
      return signal(r);
    case Type::keep:
      return keep(r);
    case Type::fetch:
      return list(r, true);
    case Type::drop:
      return drop(r);
    case Type::adopt:
      return adopt(r);
    case Type::upgrade:
      return upgrade(r);
    case Type::end:
      return end(r);
    default:
      return fail_now(r, EINVAL, "no such message");
  }
}

}  // namespace

void answer(Connection* c, const void* packet, size_t size, int fd) {
  memcpy(c->answer, packet, size);
  c->answer_size = size;
  c->answer_fd = fd;
  c->answering = true;
}

void fail(Connection* c, uint32_t request, int error, const char* format, ...) {
  Failed failed{{Type::failed, request}, error, ""};
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(failed.text, sizeof failed.text, format, arguments);
  va_end(arguments);
  answer(c, &failed, sizeof failed);
}

void refuse(Holder* h, Connection* c, int32_t pid, const char* text) {
  log_line("holder.refused reason=hello pid=%d text=\"%s\"", c->pid, text);
  Refused refused{{Type::refused, 0}, pid, kVersion, ""};
  snprintf(refused.text, sizeof refused.text, "%s", text);
  dismiss(h, c, &refused, sizeof refused);
}

void handle_packet(Holder* h, Connection* c, Packet* packet) {
  Request r{.h = h, .c = c, .packet = packet, .header = {}};
  if (packet->size >= sizeof r.header) memcpy(&r.header, packet->bytes, sizeof r.header);
  if (c != h->service) {
    if (r.header.type != Type::hello) return refuse(h, c, 0, "say hello first");
    return hello(r);
  }
  if (packet->size < sizeof r.header) return fail_now(r, EINVAL, "a packet without a header");
  if (packet->too_large) {
    return fail(c, r.header.request, EMSGSIZE, "a packet over %zu bytes", kMaxPacket);
  }
  if (packet->fds_lost) return fail_now(r, EMFILE, "no room for the descriptors of the packet");
  dispatch(r);
}

}  // namespace term::holder
