#include "session/staging.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace term {

void (*staging_step)(const char* step) = nullptr;

namespace {

enum OutputPhase : std::uint64_t { kIdle = 0, kSplicing = 1, kReading = 2 };
enum InputPhase : std::uint64_t { kQuiet = 0, kFilling = 1, kMoving = 2, kEmptying = 3 };

/// The most that Linux gives in one read of a pty; one page of the pipe.
constexpr std::size_t kMaxMove = 4096;
/// A pipe has this many pages unless its user has too many pipes; then it says EAGAIN earlier.
constexpr std::size_t kMaxFill = 16 * kMaxMove;
/// A pty that gave fewer has no more for now.
constexpr std::size_t kFullMove = kMaxMove / 2;

void step(const char* name) {
  if (staging_step != nullptr) staging_step(name);
}

Error os_error(const char* what) {
  return {Errc::os_error, std::string(what) + ": " + std::generic_category().message(errno)};
}

/// Bytes in a pipe.
std::size_t held(int pipe) {
  int bytes = 0;
  return ::ioctl(pipe, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

/// A page that is not there yet would be fetched in the middle of the read, which a kill cuts
/// short.
void make_resident(std::span<char> memory) {
  for (std::size_t at = 0; at < memory.size(); at += kMaxMove)
    *static_cast<volatile char*>(memory.data() + at) = 0;
  if (!memory.empty()) *static_cast<volatile char*>(&memory.back()) = 0;
}

/// Reads exactly what the pipe holds of [from, end) into the ring's memory.
bool fetch(int pipe, std::span<char> ring, Offset from, Offset end) {
  while (from < end) {
    const auto at = static_cast<std::size_t>(from % ring.size());
    const std::size_t n = std::min<std::size_t>(end - from, ring.size() - at);
    const ssize_t got = ::read(pipe, ring.data() + at, n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    from += static_cast<std::size_t>(got);
  }
  return true;
}

void empty(int pipe) {
  std::array<char, kMaxMove> scrap{};
  while (held(pipe) > 0 && ::read(pipe, scrap.data(), scrap.size()) > 0) {
  }
}

/// What is written at one end of a pty reaches the other by a work queue.
bool readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 5000) == 1;
}

Error impossible(std::size_t shard, const char* what) {
  return {Errc::bad_snapshot,
          "the staging record of shard " + std::to_string(shard) + " cannot be: " + what};
}

Result<void> recover_output(Arena& arena, std::size_t shard, int pipe) {
  StagingIntent& intent = arena.staging(shard);
  const std::uint64_t phase = intent.output_phase.load();
  if (phase == kIdle) {
    empty(pipe);  // Nothing can be there.
    return {};
  }
  const std::uint64_t slot = intent.output_slot.load();
  const Offset base = intent.output_base.load();
  if (slot >= arena.slots()) return impossible(shard, "no such slot");
  if (phase == kSplicing) {
    intent.output_fill.store(held(pipe));
    intent.output_phase.store(kReading);
  } else if (phase != kReading) {
    return impossible(shard, "no such phase");
  }
  step("recover.reading");
  const std::uint64_t fill = intent.output_fill.load();
  const std::size_t left = held(pipe);
  if (left > fill || fill > kMaxFill)
    return impossible(shard, "more in the pipe than was put there");
  SlotHeader& header = arena.slot(static_cast<std::uint32_t>(slot)).header();
  const auto ring = arena.slot(static_cast<std::uint32_t>(slot)).ring();
  // The killed one may not have made room yet.
  const Offset end = base + fill;
  if (end > ring.size() && header.first.load() < end - ring.size())
    header.first.store(end - ring.size());
  if (!fetch(pipe, ring, base + (fill - left), end)) return os_error("read of the staging pipe");
  step("recover.fetched");
  header.next.store(end);
  step("recover.published");
  intent.output_phase.store(kIdle);
  return {};
}

Result<void> recover_input(Arena& arena, std::size_t shard, int pipe) {
  StagingIntent& intent = arena.staging(shard);
  const std::uint64_t phase = intent.input_phase.load();
  if (phase > kEmptying) return impossible(shard, "no such phase");
  if (phase == kMoving) {
    const std::uint64_t slot = intent.input_slot.load();
    const std::uint64_t client = intent.input_client.load();
    const std::uint64_t count = intent.input_count.load();
    const std::size_t left = held(pipe);
    if (slot >= arena.slots() || client > SlotHeader::kClients || left > count)
      return impossible(shard, "no such client, or more in the pipe than was put there");
    if (client < SlotHeader::kClients) {
      auto& entry = arena.slot(static_cast<std::uint32_t>(slot)).header().clients[client];
      entry.written.store(intent.input_base.load() + (count - left));
    }
    intent.input_phase.store(kEmptying);
  }
  step("recover.emptying");
  empty(pipe);
  intent.input_phase.store(kQuiet);
  return {};
}

}  // namespace

Staging::Staging(StagingIntent& intent, UniqueFd output_pipe, UniqueFd input_pipe)
    : intent_(intent), output_pipe_(std::move(output_pipe)), input_pipe_(std::move(input_pipe)) {}

Result<UniqueFd> Staging::make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return os_error("pipe2");
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  const std::string path = "/proc/self/fd/" + std::to_string(ends[0]);
  UniqueFd both(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));  // NOLINT: variadic
  if (!both) return os_error("open of a pipe for both ends");
  return both;
}

Result<void> Staging::recover(Arena& arena, std::size_t shard, int output_pipe, int input_pipe) {
  if (auto done = recover_output(arena, shard, output_pipe); !done) return done;
  return recover_input(arena, shard, input_pipe);
}

void Staging::reset(Arena& arena, std::size_t shard, int output_pipe, int input_pipe) {
  empty(output_pipe);
  empty(input_pipe);
  arena.staging(shard).output_phase.store(kIdle);
  arena.staging(shard).input_phase.store(kQuiet);
}

Result<void> Staging::self_test() {
  UniqueFd pty(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  std::array<char, 128> path{};
  if (!pty || ::grantpt(pty.get()) != 0 || ::unlockpt(pty.get()) != 0 ||
      ::ptsname_r(pty.get(), path.data(), path.size()) != 0)
    return os_error("a pty for the self-test");
  UniqueFd tty(::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));  // NOLINT
  termios mode{};
  if (!tty || ::tcgetattr(tty.get(), &mode) != 0) return os_error("the tty of the self-test");
  ::cfmakeraw(&mode);
  if (::tcsetattr(tty.get(), TCSANOW, &mode) != 0) return os_error("tcsetattr in the self-test");
  auto pipe = make_pipe();
  if (!pipe) return pipe.error();
  std::array<char, 4> got{};
  const auto wrong = [](const char* what) {
    return Error{Errc::os_error, std::string(what) + " does not work with a pty on this kernel"};
  };
  if (::write(tty.get(), "out", 3) != 3 || !readable(pty.get()) ||
      ::splice(pty.get(), nullptr, pipe->get(), nullptr, kMaxMove, SPLICE_F_NONBLOCK) != 3 ||
      held(pipe->get()) != 3 || ::read(pipe->get(), got.data(), got.size()) != 3)
    return wrong("splice from the pty");
  if (::write(pipe->get(), "in\n", 3) != 3 ||
      ::splice(pipe->get(), nullptr, pty.get(), nullptr, 3, SPLICE_F_NONBLOCK) != 3 ||
      !readable(tty.get()) || ::read(tty.get(), got.data(), got.size()) != 3)
    return wrong("splice to the pty");
  return {};
}

ssize_t Staging::read_output(int pty, OutputRing& ring, std::uint32_t slot, std::size_t max) {
  const Offset base = ring.next();
  const std::size_t until_wrap = ring.capacity() - static_cast<std::size_t>(base % ring.capacity());
  step("output.begin");
  intent_.output_slot.store(slot);
  intent_.output_base.store(base);
  intent_.output_phase.store(kSplicing);
  step("output.splicing");
  const std::size_t most = std::min({max, kMaxFill, until_wrap});
  std::size_t size = 0;
  ssize_t n = 0;
  do {
    n = ::splice(pty, nullptr, output_pipe_.get(), nullptr, std::min(most - size, kMaxMove),
                 SPLICE_F_NONBLOCK);
    if (n > 0) size += static_cast<std::size_t>(n);
    step("output.spliced");
  } while (n >= static_cast<ssize_t>(kFullMove) && most - size >= kFullMove);
  if (size == 0) {
    const int error = errno;
    intent_.output_phase.store(kIdle);
    errno = error;
    return n;
  }
  intent_.output_fill.store(size);
  intent_.output_phase.store(kReading);
  step("output.reading");
  const auto space = ring.writable(size);  // Not before: it costs the ring its oldest bytes.
  make_resident(space);
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = ::read(output_pipe_.get(), space.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) std::abort();  // The pipe holds them: to go on would lose them.
    done += static_cast<std::size_t>(got);
  }
  step("output.fetched");
  ring.commit(size);
  step("output.published");
  intent_.output_phase.store(kIdle);
  return static_cast<ssize_t>(size);
}

ssize_t Staging::write_input(int pty, ArenaSlot slot, ArenaClient* client, Offset base,
                             std::span<const char> bytes) {
  const std::size_t n = std::min<std::size_t>(bytes.size(), PIPE_BUF);
  const auto number = client == nullptr ? SlotHeader::kClients
                                        : static_cast<std::size_t>(client - slot.header().clients);
  step("input.begin");
  intent_.input_slot.store(slot.index());
  intent_.input_client.store(number);
  intent_.input_base.store(base);
  intent_.input_count.store(n);
  intent_.input_phase.store(kFilling);
  step("input.filling");
  if (::write(input_pipe_.get(), bytes.data(), n) != static_cast<ssize_t>(n)) {
    empty(input_pipe_.get());  // No memory for the pipe's page: another time.
    intent_.input_phase.store(kQuiet);
    errno = EAGAIN;
    return -1;
  }
  step("input.filled");
  intent_.input_phase.store(kMoving);
  step("input.moving");
  ssize_t moved = 0;
  do {
    moved = ::splice(input_pipe_.get(), nullptr, pty, nullptr, n, SPLICE_F_NONBLOCK);
  } while (moved < 0 && errno == EINTR);
  const int error = errno;
  step("input.moved");
  // The pipe knows best how much went.
  const std::size_t left = moved == static_cast<ssize_t>(n) ? 0 : held(input_pipe_.get());
  const std::size_t done = n - left;
  if (client != nullptr) client->written.store(base + done);
  step("input.published");
  intent_.input_phase.store(kEmptying);
  step("input.emptying");
  if (left > 0) empty(input_pipe_.get());
  step("input.emptied");
  intent_.input_phase.store(kQuiet);
  errno = error;
  return done == 0 && moved < 0 ? -1 : static_cast<ssize_t>(done);
}

}  // namespace term
