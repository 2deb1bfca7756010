// Time, and one line of log.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "holder/holder.h"

namespace term::holder {

namespace {

int64_t milliseconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

}  // namespace

int64_t now_ms() { return milliseconds(CLOCK_MONOTONIC); }
int64_t wall_ms() { return milliseconds(CLOCK_REALTIME); }

void log_line(const char* format, ...) {
  char line[512];
  const time_t now = time(nullptr);
  tm utc{};
  gmtime_r(&now, &utc);
  size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%SZ ", &utc);
  va_list arguments;
  va_start(arguments, format);
  const int n = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
  va_end(arguments);
  if (n > 0) used += static_cast<size_t>(n);
  if (used > sizeof line - 2) used = sizeof line - 2;
  line[used++] = '\n';
  // One write, so that lines of two processes do not mix; nobody is there to be told of a failure.
  (void)!write(STDERR_FILENO, line, used);
}

void die(int status, const char* format, ...) {
  fputs("terminal-holder: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(status);
}

}  // namespace term::holder
