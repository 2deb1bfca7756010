#include "session/shell_usage.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "session/unique_fd.h"

namespace term {

namespace {

struct ProcessStat {
  std::uint64_t ticks = 0;
  std::int64_t started_ms = 0;  ///< Since boot.
  std::uint64_t memory_bytes = 0;
};

std::int64_t milliseconds_since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

/// The fields of proc(5) that follow the name in parentheses; the first is number 3.
std::uint64_t field(std::string_view line, int number) {
  for (int at = 3; at < number && !line.empty(); ++at)
    line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
  std::uint64_t value = 0;
  std::from_chars(line.data(), line.data() + line.size(), value);
  return value;
}

ProcessStat read_stat(pid_t pid) {
  static const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));  // NOLINT: variadic by POSIX
  std::array<char, 1024> text{};
  const ssize_t n = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (n <= 0) return {};
  std::string_view line(text.data(), static_cast<std::size_t>(n));
  const auto name_end = line.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= line.size()) return {};
  line.remove_prefix(name_end + 2);
  ProcessStat stat;
  stat.ticks = field(line, 14) + field(line, 15);
  stat.started_ms = static_cast<std::int64_t>(field(line, 22) * 1000 / ticks_per_second);
  stat.memory_bytes = field(line, 24) * page_bytes;
  return stat;
}

std::uint64_t since(std::uint64_t now, std::uint64_t before) {
  return now > before ? now - before : 0;
}

}  // namespace

ShellSample sample_shell(pid_t shell, int pty, const ShellSample& before) {
  ShellSample now;
  now.at_ms = milliseconds_since_boot();
  const ProcessStat own = read_stat(shell);
  now.shell_ticks = own.ticks;
  now.memory_bytes = own.memory_bytes;
  const bool seen = before.at_ms > 0;
  std::uint64_t used = seen ? since(own.ticks, before.shell_ticks) : 0;

  const pid_t front = pty >= 0 ? ::tcgetpgrp(pty) : 0;
  if (front > 1 && front != shell) {
    const ProcessStat program = read_stat(front);
    now.foreground = front;
    now.foreground_ticks = program.ticks;
    now.memory_bytes += program.memory_bytes;
    if (seen && front == before.foreground)
      used += since(program.ticks, before.foreground_ticks);
    else if (seen && program.started_ms >= before.at_ms)
      used += program.ticks;
  }
  if (!seen || now.at_ms <= before.at_ms) return now;
  static const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double seconds = static_cast<double>(now.at_ms - before.at_ms) / 1000;
  now.cpu_percent = 100 * static_cast<double>(used) / ticks_per_second / seconds;
  return now;
}

}  // namespace term
