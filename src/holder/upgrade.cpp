// Becoming another binary: the same process, so the children stay its children, and the same
// descriptors; the table travels in a memfd.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holder/holder.h"

namespace term::holder {

namespace {

constexpr char kMagic[8] = {'t', 'e', 'r', 'm', 'h', 'o', 'l', 'd'};
constexpr uint32_t kStateVersion = 1;  ///< Another one needs a conversion in view_state().
constexpr int kPreflightMs = 2'000;

struct SavedHead {
  char magic[8];
  uint32_t version;
  uint32_t sessions;
  uint32_t named;
  int32_t dir, lock, listener;
  int32_t service_pid;
  uint32_t padding;
  uint64_t soft_files;
  int64_t service_start_ms;  ///< CLOCK_MONOTONIC goes on over an exec.
};
struct SavedSession {
  uint32_t slot;
  int32_t pty, pidfd, pid, pts;
  uint32_t adopted;
  Exit exit;
  char tag[kMaxTag + 1];
};
struct SavedName {
  Name name;
  int32_t fd;
};

/// The state in memory, checked for sense.
struct View {
  const SavedHead* head;
  const SavedSession* sessions;
  const SavedName* names;
};

bool put(int fd, const void* bytes, size_t size) {
  return write(fd, bytes, size) == static_cast<ssize_t>(size);
}

bool save(const Holder& h, int fd) {
  SavedHead head{.version = kStateVersion,
                 .sessions = h.held,
                 .named = h.named,
                 .dir = h.dir,
                 .lock = h.lock,
                 .listener = h.listener,
                 .service_pid = h.service_pid,
                 .soft_files = h.soft_files,
                 .service_start_ms = h.service_start_ms};
  memcpy(head.magic, kMagic, sizeof kMagic);
  bool good = put(fd, &head, sizeof head);
  for (uint32_t slot = 0; good && slot < h.high; ++slot) {
    const Session& s = h.sessions[slot];
    if (!s.used) continue;
    SavedSession saved{.slot = slot,
                       .pty = s.pty,
                       .pidfd = s.pidfd,
                       .pid = s.pid,
                       .pts = s.pts,
                       .adopted = s.adopted,
                       .exit = s.exit};
    memcpy(saved.tag, s.tag, sizeof saved.tag);
    good = put(fd, &saved, sizeof saved);
  }
  for (const NamedFd& n : h.names) {
    if (!good || n.name.name[0] == '\0') continue;
    const SavedName saved{n.name, n.fd};
    good = put(fd, &saved, sizeof saved);
  }
  return good;
}

/// Null if the state makes sense, else what does not.
const char* view_state(int fd, View* view) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return "no state on that descriptor";
  const size_t size = static_cast<size_t>(status.st_size);
  if (size < sizeof(SavedHead)) return "the state is too short";
  void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return "cannot read the state";
  view->head = static_cast<const SavedHead*>(at);
  view->sessions = reinterpret_cast<const SavedSession*>(view->head + 1);
  if (memcmp(view->head->magic, kMagic, sizeof kMagic) != 0) return "this is no state of a holder";
  if (view->head->version != kStateVersion) return "the state is of another version";
  if (view->head->sessions > kMaxSessions || view->head->named > kMaxNamed) {
    return "the state holds too much";
  }
  view->names = reinterpret_cast<const SavedName*>(view->sessions + view->head->sessions);
  if (size != sizeof(SavedHead) + view->head->sessions * sizeof(SavedSession) +
                  view->head->named * sizeof(SavedName)) {
    return "the state is cut";
  }
  for (uint32_t i = 0; i < view->head->sessions; ++i) {
    const SavedSession& s = view->sessions[i];
    // In the order of the slots, so that none is there twice.
    if (s.slot >= kMaxSessions || (i > 0 && s.slot <= view->sessions[i - 1].slot) || s.pid <= 1 ||
        s.pty < 3 || memchr(s.tag, '\0', sizeof s.tag) == nullptr) {
      return "a session in the state makes no sense";
    }
  }
  for (uint32_t i = 0; i < view->head->named; ++i) {
    const SavedName& n = view->names[i];
    if (n.fd < 3 || memchr(n.name.name, '\0', sizeof n.name.name) == nullptr) {
      return "a name in the state makes no sense";
    }
  }
  return nullptr;
}

void set_close_on_exec(const Holder& h, int state, bool on) {
  const int flag = on ? FD_CLOEXEC : 0;
  const int own[] = {h.dir, h.lock, h.listener, state};
  for (const int fd : own) fcntl(fd, F_SETFD, flag);
  for (uint32_t slot = 0; slot < h.high; ++slot) {
    if (!h.sessions[slot].used) continue;
    fcntl(h.sessions[slot].pty, F_SETFD, flag);
    if (h.sessions[slot].pidfd >= 0) fcntl(h.sessions[slot].pidfd, F_SETFD, flag);
  }
  for (const NamedFd& n : h.names) {
    if (n.name.name[0] != '\0') fcntl(n.fd, F_SETFD, flag);
  }
}

int start_check(const char* path, int state, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, state, STDIN_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  char program[] = "terminal-holder";
  char option[] = "--check-state";
  char* argv[] = {program, option, nullptr};
  const int e = posix_spawn(pid, path, &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return e;
}

/// Does the program say in time that it can take the state over? 0, or the errno, and in `text`
/// why.
int preflight(const char* path, int state, char* text, size_t size) {
  pid_t pid = 0;
  if (const int e = start_check(path, state, &pid); e != 0) {
    snprintf(text, size, "cannot run %s", path);
    return e;
  }
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{.fd = pidfd, .events = POLLIN, .revents = 0};
  const bool in_time = pidfd >= 0 && poll(&ended, 1, kPreflightMs) == 1;
  if (pidfd >= 0) close(pidfd);
  if (!in_time) kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  snprintf(text, size, "%s --check-state %s", path,
           in_time ? "refused the state" : "gave no answer in 2 s");
  return in_time ? EPROTO : ETIMEDOUT;
}

/// The same arguments, with where the state is as the first.
int become(const Holder& h, const char* path, int state) {
  size_t argc = 0;
  while (h.argv[argc] != nullptr) ++argc;
  char** argv = static_cast<char**>(calloc(argc + 2, sizeof(char*)));
  if (argv == nullptr) return ENOMEM;
  char resume[32];
  snprintf(resume, sizeof resume, "--resume-fd=%d", state);
  size_t n = 0;
  argv[n++] = h.argv[0];
  argv[n++] = resume;
  const bool resumed = h.argv[1] != nullptr && strncmp(h.argv[1], "--resume-fd=", 12) == 0;
  for (size_t i = resumed ? 2 : 1; i < argc; ++i) argv[n++] = h.argv[i];
  set_close_on_exec(h, state, false);
  execve(path, argv, environ);
  const int e = errno;
  set_close_on_exec(h, state, true);
  free(argv);
  return e;
}

}  // namespace

int upgrade(Holder* h, const char* path, char* text, size_t size) {
  if (path == nullptr) path = h->own_path;
  snprintf(text, size, "the holder is ending");
  if (h->ending_ms != 0 || h->term_ms != 0) return ECANCELED;
  const int state = memfd_create("terminal-holder", MFD_CLOEXEC);
  if (state < 0) {
    snprintf(text, size, "memfd_create");
    return errno;
  }
  snprintf(text, size, "cannot write the state");
  int e = save(*h, state) ? 0 : EIO;
  if (e == 0) e = preflight(path, state, text, size);
  if (e == 0) {
    log_line("holder.upgrade path=%s sessions=%u", path, h->held);
    e = become(*h, path, state);
    snprintf(text, size, "cannot run %s", path);
  }
  close(state);
  log_line("holder.upgrade ERROR %s: %s", text, strerror(e));
  return e;
}

void resume(Holder* h, int fd) {
  View view{};
  if (const char* problem = view_state(fd, &view); problem != nullptr) die(1, "%s", problem);
  h->dir = view.head->dir;
  h->lock = view.head->lock;
  h->listener = view.head->listener;
  h->soft_files = view.head->soft_files;
  h->service_pid = view.head->service_pid;
  h->service_start_ms = view.head->service_start_ms;
  for (uint32_t i = 0; i < view.head->sessions; ++i) {
    const SavedSession& saved = view.sessions[i];
    Session s{.adopted = saved.adopted != 0,
              .pty = saved.pty,
              .pidfd = saved.pidfd,
              .pid = saved.pid,
              .pts = saved.pts,
              .exit = saved.exit};
    memcpy(s.tag, saved.tag, sizeof s.tag);
    put_session(h, saved.slot, s);
    if (s.pidfd >= 0) watch_adopted(h, saved.slot);
  }
  for (uint32_t i = 0; i < view.head->named; ++i) {
    h->names[i] = {view.names[i].name, view.names[i].fd};
  }
  h->named = view.head->named;
  set_close_on_exec(*h, fd, true);
  close(fd);
}

int check_state() {
  View view{};
  const char* problem = view_state(STDIN_FILENO, &view);
  if (problem == nullptr) return 0;
  fprintf(stderr, "terminal-holder: %s\n", problem);
  return 1;
}

}  // namespace term::holder
