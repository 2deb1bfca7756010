// Before the loop: options, the daemon, the state directory, limits.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holder/holder.h"

namespace term::holder {

namespace {

constexpr char kUsage[] =
    "Usage: terminal-holder --state-dir=DIR [--idle-exit=SECONDS] [--daemon]\n"
    "       terminal-holder --state-dir=DIR --init -- SERVICE [ARGUMENTS]\n"
    "\n"
    "Keeps the shells of terminal-service alive; listens on DIR/holder.sock.\n"
    "\n"
    "  --state-dir=DIR      made if missing, mode 0700\n"
    "  --idle-exit=SECONDS  ends without session and service for so long (60; 0 = never)\n"
    "  --daemon             goes to the background; the log is DIR/holder.log\n"
    "  --init               starts the service and restarts it when it fails, reaps orphans;\n"
    "                       for containers; never ends for being idle\n"
    "\n"
    "SIGTERM ends the service (--init), then the sessions, then the holder. SIGUSR2 becomes the\n"
    "binary that is on disk now. Exit status 1: could not start; 2: usage; 3: another one runs.\n";

constexpr int kUsageError = 2;
constexpr int kAnotherRuns = 3;

int to_number(const char* option, const char* text) {
  char* end = nullptr;
  errno = 0;
  const long value = strtol(text, &end, 10);
  if (errno == 0 && end != text && *end == '\0' && value >= 0 && value <= 1'000'000'000) {
    return static_cast<int>(value);
  }
  die(kUsageError, "%s=%s is not a number from 0 to 1000000000", option, text);
}

/// The value of `--name=value`, or null.
const char* value_of(const char* argument, const char* name) {
  const size_t size = strlen(name);
  return strncmp(argument, name, size) == 0 && argument[size] == '=' ? argument + size + 1
                                                                     : nullptr;
}

void parse_option(Options* o, const char* argument) {
  if (const char* v = value_of(argument, "--state-dir")) {
    o->state_dir = v;
  } else if (const char* seconds = value_of(argument, "--idle-exit")) {
    o->idle_ms = int64_t{to_number("--idle-exit", seconds)} * 1000;
  } else if (const char* fd = value_of(argument, "--resume-fd")) {
    o->resume_fd = to_number("--resume-fd", fd);
  } else if (strcmp(argument, "--daemon") == 0) {
    o->daemon = true;
  } else if (strcmp(argument, "--init") == 0) {
    o->init = true;
  } else if (strcmp(argument, "--check-state") == 0) {
    o->check_state = true;
  } else if (strcmp(argument, "--help") == 0) {
    fputs(kUsage, stdout);
    exit(0);
  } else {
    die(kUsageError, "unknown argument %s\n%s", argument, kUsage);
  }
}

/// Our end of the pipe by which the one who started the daemon waits; -1 = nobody does.
int starter = -1;

int open_in(int dir, const char* name, int flags) {
  const int fd = openat(dir, name, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) die(1, "%s in the state directory: %s", name, strerror(errno));
  return fd;
}

void open_state_dir(Holder* h) {
  const char* path = h->options.state_dir;
  if (mkdir(path, 0700) != 0 && errno != EEXIST) die(1, "mkdir %s: %s", path, strerror(errno));
  h->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat status{};
  if (h->dir < 0 || fstat(h->dir, &status) != 0) die(1, "%s: %s", path, strerror(errno));
  if (status.st_uid != geteuid()) die(1, "%s belongs to another user", path);
  if ((status.st_mode & 022) != 0) die(1, "%s: others may write there; chmod 0700 it", path);
}

void lock_state_dir(Holder* h) {
  h->lock = open_in(h->dir, "holder.lock", O_RDWR);
  if (flock(h->lock, LOCK_EX | LOCK_NB) != 0) {
    char pid[16] = "";
    (void)!read(h->lock, pid, sizeof pid - 1);
    die(h->options.daemon ? 1 : kAnotherRuns, "a holder runs in %s already: process %s",
        h->options.state_dir, pid);
  }
  if (ftruncate(h->lock, 0) == 0) dprintf(h->lock, "%d", getpid());
}

void open_socket(Holder* h) {
  sockaddr_un address{.sun_family = AF_UNIX};
  const int size =
      snprintf(address.sun_path, sizeof address.sun_path, "%s/holder.sock", h->options.state_dir);
  if (size < 0 || static_cast<size_t>(size) >= sizeof address.sun_path) {
    die(1, "%s/holder.sock is longer than the %zu bytes of a socket's path", h->options.state_dir,
        sizeof address.sun_path - 1);
  }
  h->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (h->listener < 0) die(1, "socket: %s", strerror(errno));
  unlinkat(h->dir, "holder.sock", 0);  // Of one that was killed: we hold the lock.
  const mode_t mask = umask(0177);
  const int bound = bind(h->listener, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(mask);
  if (bound != 0 || listen(h->listener, 64) != 0) {
    die(1, "listen on %s: %s", address.sun_path, strerror(errno));
  }
}

/// READY=1 to systemd, if it asked for that.
void notify_systemd() {
  const char* path = getenv("NOTIFY_SOCKET");
  sockaddr_un address{.sun_family = AF_UNIX};
  if (path == nullptr || strlen(path) >= sizeof address.sun_path) return;
  const size_t size = strlen(path);
  memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sendto(fd, "READY=1", 7, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
  close(fd);
}

}  // namespace

void parse_options(Holder* h, int argc, char** argv) {
  h->argv = argv;
  Options* o = &h->options;
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; ++i) parse_option(o, argv[i]);
  if (i < argc && argv[i + 1] != nullptr) o->service = argv + i + 1;
  if (o->check_state) return;
  if (o->state_dir == nullptr || o->state_dir[0] == '\0') {
    die(kUsageError, "--state-dir=DIR is missing\n%s", kUsage);
  }
  if (o->init != (o->service != nullptr) || (o->init && o->daemon)) {
    die(kUsageError, "--init needs '-- SERVICE', and only that; it is no daemon\n%s", kUsage);
  }
}

void make_daemon(Holder*) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) die(1, "pipe: %s", strerror(errno));
  const pid_t child = fork();
  if (child < 0) die(1, "fork: %s", strerror(errno));
  if (child > 0) {
    close(ends[1]);
    waitpid(child, nullptr, 0);
    // The daemon says why on the stderr that it still has.
    char ready = 0;
    _exit(::read(ends[0], &ready, 1) == 1 ? 0 : 1);
  }
  close(ends[0]);
  setsid();
  if (fork() != 0) _exit(0);  // Not being a leader, it never gets a controlling terminal.
  starter = ends[1];
}

void listen_in_state_dir(Holder* h) {
  open_state_dir(h);
  lock_state_dir(h);
  if (h->options.daemon) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int log = open_in(h->dir, "holder.log", O_WRONLY | O_APPEND);
    open_socket(h);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(null);
    close(log);
  } else {
    open_socket(h);
  }
  // The service's own directory matters to it; ours only keeps something mounted.
  if (!h->options.init) (void)!chdir("/");
}

void tell_ready(Holder* h) {
  log_line("holder.ready pid=%d dir=%s sessions=%u files=%llu", getpid(), h->options.state_dir,
           h->held, static_cast<unsigned long long>(h->max_files));
  if (starter >= 0) {
    (void)!write(starter, "k", 1);
    close(starter);
    starter = -1;
  }
  if (!h->options.init) notify_systemd();
}

void set_limits(Holder* h) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  // After an upgrade ours is raised already, and what we were given is in the state.
  if (h->soft_files == 0) h->soft_files = files.rlim_cur;
  h->max_files = files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) log_line("holder.limit cannot raise open files");

  h->oom_fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
  if (h->oom_fd < 0) return;
  char text[16] = "";
  (void)!pread(h->oom_fd, text, sizeof text - 1, 0);
  h->oom_score = atoi(text);
  if (geteuid() == 0 && h->oom_score > -900 && dprintf(h->oom_fd, "-900") > 0) h->oom_score = -900;
  if (h->oom_score < 0) return;
  close(h->oom_fd);
  h->oom_fd = -1;
}

}  // namespace term::holder
