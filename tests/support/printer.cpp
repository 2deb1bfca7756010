// A program for tests to run in a session: prints a stream that can be checked byte by byte.
//
//   printer NAME PAUSE_US   prints START, then NAME:1, NAME:2, … one line per pause (0 = flood),
//                           and at Ctrl-C END:n and ends. Its tty neither echoes nor translates.

#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace {
volatile std::sig_atomic_t stop = 0;
void on_interrupt(int) { stop = 1; }

void put(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  termios tty{};
  ::tcgetattr(STDIN_FILENO, &tty);
  tty.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOCTL);
  tty.c_lflag |= NOFLSH;  // Ctrl-C would make the kernel drop what is not read yet.
  tty.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &tty);
  const std::string name = argv[1];
  const timespec pause{0, std::atol(argv[2]) * 1000};
  put("START\n");
  unsigned long n = 0;
  while (stop == 0) {
    put(name + ":" + std::to_string(++n) + "\n");
    if (pause.tv_nsec > 0) ::nanosleep(&pause, nullptr);
  }
  put("END:" + std::to_string(n) + "\n");
  tty.c_oflag |= static_cast<tcflag_t>(OPOST);
  tty.c_lflag |= static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &tty);
}
