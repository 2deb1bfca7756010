// The bare operations, in as few threads as can do them: what no server can be faster than.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "load/figures.h"
#include "load/pty_child.h"
#include "load/works.h"

namespace term::bench {

namespace {

constexpr std::size_t kRead = 64 * 1024;
constexpr unsigned kWarmUp = 100;

PtyChild printing(const Options& options) {
  return PtyChild({source_path(), "bytes", "--mib=" + std::to_string(options.mib_or(64)),
                   "--content=" + options.content_name, "--seed=" + std::to_string(options.seed),
                   std::string("--pty=") + (options.cooked ? "cooked" : "raw")});
}

/// Judges what `read` brings until all of it is there.
Json receive(const Options& options, int fd, const std::function<void()>& go) {
  const Pattern pattern(options.content, options.seed, options.cooked);
  const std::uint64_t total = pattern.periods(options.mib_or(64)) * pattern.period();
  StreamCheck check(pattern, total);
  std::vector<char> piece(kRead);
  std::optional<Stretch> stretch;
  while (!check.done() && !check.wrong()) {
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n <= 0) throw Unable("bench-source ended too early");
    check.feed({piece.data(), static_cast<std::size_t>(n)});
    if (!stretch && check.started()) {
      stretch.emplace(std::vector<int>{});
      go();
    }
  }
  stretch->stop();
  Json out{{"value", 0.0}, {"unit", "MB/s"}, {"exact", !check.wrong()}};
  if (check.wrong()) out["wrong"] = *check.wrong();
  out.update(stretch->rates(total));
  out["value"] = out["mb_per_s"];
  out["content"] = options.content_name;
  out["pty"] = options.cooked ? "cooked" : "raw";
  return out;
}

/// One byte there and back again, `count` times.
Json ping_pong(const Options& options, int fd) {
  std::vector<double> us;
  const unsigned count = options.count_or(2000);
  bool exact = true;
  for (unsigned i = 0; i < count + kWarmUp && exact; ++i) {
    const char key = static_cast<char>('a' + i % 26);
    char echoed = 0;
    const auto began = Clock::now();
    exact = write_all(fd, {&key, 1}) && ::read(fd, &echoed, 1) == 1 && echoed == key;
    if (i >= kWarmUp) us.push_back(us_between(began, Clock::now()));
  }
  Json out{{"value", rounded(percentile(us, 0.5), 1)}, {"unit", "us"}, {"exact", exact}};
  out.update(spread_us(us));
  return out;
}

/// As much as a pty has goes out at once, until the other end is gone: a pty gives 4 KiB at a time,
/// and a send for each would be slower than a server has to be.
void carry(int pty, int tcp) {
  ::fcntl(pty, F_SETFL, O_NONBLOCK);
  std::array<pollfd, 2> ends{pollfd{.fd = pty, .events = POLLIN, .revents = 0},
                             pollfd{.fd = tcp, .events = POLLIN, .revents = 0}};
  std::vector<char> piece(kRead);
  while (::poll(ends.data(), ends.size(), -1) > 0 && ends[1].revents == 0) {
    std::size_t held = 0;
    ssize_t n = 0;
    while (held < piece.size() && (n = ::read(pty, piece.data() + held, piece.size() - held)) > 0)
      held += static_cast<std::size_t>(n);
    const bool over = n <= 0 && errno != EAGAIN;
    if (!write_all(tcp, {piece.data(), held}) || over) return;
  }
}

/// What comes from either goes to the other, in one thread, until one ends.
void relay(int one, int other) {
  std::array<pollfd, 2> ends{pollfd{.fd = one, .events = POLLIN, .revents = 0},
                             pollfd{.fd = other, .events = POLLIN, .revents = 0}};
  std::vector<char> piece(kRead);
  while (::poll(ends.data(), ends.size(), -1) > 0) {
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].revents == 0) continue;
      const ssize_t n = ::read(ends[i].fd, piece.data(), piece.size());
      if (n <= 0 || !write_all(ends[1 - i].fd, {piece.data(), static_cast<std::size_t>(n)})) return;
    }
  }
}

}  // namespace

Json limit_pty_read(const Options& options) {
  const PtyChild child = printing(options);
  return receive(options, child.fd(), [&] { write_all(child.fd(), "go\n"); });
}

Json limit_pty_tcp(const Options& options) {
  const PtyChild child = printing(options);
  const TcpPair tcp;
  std::thread server([&] { carry(child.fd(), tcp.server); });
  Json out;
  try {
    out = receive(options, tcp.client, [&] { write_all(child.fd(), "go\n"); });
  } catch (...) {
    ::shutdown(tcp.client, SHUT_RDWR);
    server.join();
    throw;
  }
  ::shutdown(tcp.client, SHUT_RDWR);
  server.join();
  return out;
}

Json limit_tcp_echo(const Options& options) {
  const TcpPair tcp;
  std::thread server([&] {
    std::array<char, 4096> piece{};
    for (ssize_t n = 0; (n = ::read(tcp.server, piece.data(), piece.size())) > 0;)
      write_all(tcp.server, {piece.data(), static_cast<std::size_t>(n)});
  });
  Json out = ping_pong(options, tcp.client);
  ::shutdown(tcp.client, SHUT_RDWR);
  server.join();
  return out;
}

Json limit_pty_echo(const Options& options) {
  PtyChild child({source_path(), "echo"});
  child.read_until(kStart);
  return ping_pong(options, child.fd());
}

Json limit_both_echo(const Options& options) {
  PtyChild child({source_path(), "echo"});
  child.read_until(kStart);
  const TcpPair tcp;
  std::thread server([&] { relay(child.fd(), tcp.server); });
  Json out = ping_pong(options, tcp.client);
  ::shutdown(tcp.client, SHUT_RDWR);
  server.join();
  return out;
}

/// From the opening of the pty to the first byte of a shell's prompt.
Json limit_spawn(const Options& options) {
  std::vector<double> us;
  const auto began = Clock::now();
  for (unsigned i = 0; i < options.count_or(100); ++i) {
    const auto start = Clock::now();
    const PtyChild child({options.shell});
    char first = 0;
    if (::read(child.fd(), &first, 1) != 1) throw Unable(options.shell + " printed nothing");
    us.push_back(us_between(start, Clock::now()));
  }
  const double seconds = seconds_between(began, Clock::now());
  Json out{{"value", rounded(static_cast<double>(us.size()) / seconds)},
           {"unit", "per second"},
           {"exact", true}};
  out.update(spread_us(us));
  out["seconds"] = rounded(seconds, 6);
  out["shell"] = options.shell;
  return out;
}

}  // namespace term::bench
