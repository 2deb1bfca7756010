// The program in the sessions of the chaos harness, started as if it were the shell (SHELL): prints
// one numbered stream and checks another that is typed. What it does follows from the id of its
// session (TERMINAL_SESSION_ID, see numbered.h). It writes `ID.report` into its directory:
//
//   start PID
//   end input N lost N repeated N wrong N first_wrong N printed N

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "support/numbered.h"

namespace {

using namespace term::test;
using Clock = std::chrono::steady_clock;

/// A `free` session prints its share this often.
constexpr auto kFreeStep = std::chrono::milliseconds(8);
constexpr int kCannotReport = 97;

class Program {
 public:
  explicit Program(std::string session)
      : session_(std::move(session)),
        role_(role_of(session_)),
        output_(role_.flavour, role_.seed),
        input_(NumberedStream(Flavour::input, role_.seed)) {}

  void run() {
    report("start " + std::to_string(::getpid()));
    set_raw();
    allowed_ = kGreetingBytes;
    while (!ending_ || printed_ < allowed_) turn();
    report_end();
    const timespec delay{ending_->delay_ms / 1000, ending_->delay_ms % 1000 * 1'000'000L};
    ::nanosleep(&delay, nullptr);
    allowed_ += kLastWordsBytes;
    while (printed_ < allowed_) turn();
    end();
  }

 private:
  void set_raw() {
    termios tty{};
    ::tcgetattr(STDIN_FILENO, &tty);
    ::cfmakeraw(&tty);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &tty);
    ::fcntl(STDIN_FILENO, F_SETFL, ::fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  }

  void turn() {
    pollfd tty{STDIN_FILENO, POLLIN, 0};
    if (printed_ < allowed_) tty.events |= POLLOUT;
    ::poll(&tty, 1, role_.free_kib > 0 ? static_cast<int>(kFreeStep.count()) : -1);
    if ((tty.revents & POLLIN) != 0) read_input();
    // Hung up, and nothing left to read: nobody will ever end us.
    if ((tty.revents & POLLHUP) != 0 && (tty.revents & POLLIN) == 0) std::_Exit(kCannotReport);
    if ((tty.revents & POLLOUT) != 0) print();
    if (role_.free_kib > 0 && !ending_ && printed_ == allowed_ && Clock::now() >= next_free_) {
      next_free_ = Clock::now() + kFreeStep;
      allowed_ += role_.free_kib * 1024 * static_cast<std::uint64_t>(kFreeStep.count()) / 1000;
    }
  }

  void read_input() {
    std::array<char, 4096> part{};
    const ssize_t n = ::read(STDIN_FILENO, part.data(), part.size());
    if (n <= 0) return;
    typed_ += static_cast<std::uint64_t>(n);
    rest_.append(part.data(), static_cast<std::size_t>(n));
    while (!ending_ && take_input()) {
    }
    if (role_.free_kib == 0) {
      const auto due = kGreetingBytes + input_.at() / kRecordBytes * role_.block;
      if (due > allowed_) allowed_ = due;
    }
  }

  /// One step through what was typed: up to the next record, or the ending; false: not enough yet.
  bool take_input() {
    if (rest_.empty()) return false;
    const std::size_t within = input_.in_step() ? input_.at() % kRecordBytes : 1;
    if (within == 0 && rest_[0] == '\x01') {
      if (rest_.size() < kRecordBytes) return false;
      ending_ = read_ending(rest_.substr(0, kRecordBytes));
      if (ending_) return true;
    }
    std::size_t take = input_.in_step() ? kRecordBytes - within : 1;
    if (take > rest_.size()) take = rest_.size();
    input_.feed(std::string_view(rest_).substr(0, take));
    rest_.erase(0, take);
    return true;
  }

  void print() {
    while (printed_ < allowed_) {
      const std::size_t n = std::min<std::uint64_t>(allowed_ - printed_, 16 * 1024);
      const std::string part = output_.bytes(printed_, n);
      const ssize_t written = ::write(STDOUT_FILENO, part.data(), part.size());
      if (written <= 0) return;
      printed_ += static_cast<std::uint64_t>(written);
      if (static_cast<std::size_t>(written) < part.size()) return;
    }
  }

  void report_end() {
    input_.finish();
    report("end input " + std::to_string(input_.checked) + " lost " + std::to_string(input_.lost) +
           " repeated " + std::to_string(input_.repeated) + " wrong " +
           std::to_string(input_.wrong) + " first_wrong " +
           std::to_string(input_.first_wrong.value_or(0)) + " printed " +
           std::to_string(printed_ + kLastWordsBytes));
  }

  [[noreturn]] void end() const {
    if (ending_->signal == 0) std::_Exit(ending_->code);
    ::signal(ending_->signal, SIG_DFL);
    ::raise(ending_->signal);
    std::_Exit(kCannotReport);
  }

  void report(const std::string& line) const {
    const std::string path = session_ + ".report";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) std::_Exit(kCannotReport);
    const std::string text = line + "\n";
    if (::write(fd, text.data(), text.size()) < 0) std::_Exit(kCannotReport);
    ::close(fd);
  }

  const std::string session_;
  const Role role_;
  const NumberedStream output_;
  StreamCheck input_;
  std::string rest_;  ///< Typed, not looked at yet: less than a record.
  std::uint64_t typed_ = 0;
  std::uint64_t allowed_ = 0;
  std::uint64_t printed_ = 0;
  std::optional<Ending> ending_;
  Clock::time_point next_free_{};
};

}  // namespace

int main() {
  const char* session = std::getenv("TERMINAL_SESSION_ID");
  if (session == nullptr) return 2;
  Program(session).run();
}
