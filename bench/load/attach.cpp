// Attaching to a session that has printed: how long until all its scrollback is there, against the
// same bytes over bare TCP.

#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "load/figures.h"
#include "load/operator_api.h"
#include "load/probe.h"
#include "load/pty_child.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

/// Modes and a cleared screen may come before the scrollback.
constexpr std::size_t kPreface = 8 * 1024;

/// How many bytes at the end of `seen` are the end of the stream.
std::size_t matching_tail(const Pattern& pattern, std::uint64_t total, std::string_view seen) {
  if (!seen.ends_with(kEnd)) return 0;
  seen.remove_suffix(kEnd.size());
  std::size_t matched = 0;
  while (matched < seen.size() && matched < total &&
         seen[seen.size() - matched - 1] == pattern.at(total - matched - 1, 1).front())
    ++matched;
  return matched;
}

class Attaches {
 public:
  explicit Attaches(const Options& options)
      : options_(options),
        pattern_(options.content, options.seed, options.cooked),
        total_(pattern_.periods(options.mib_or(1)) * pattern_.period()),
        session_(session_name(options, 0)) {
    // Here, so that no page is first touched in the time measured; by_tcp() touches none either.
    seen_.resize(2 * total_, 'x');
  }

  /// Makes the session and has it print.
  void fill() {
    Terminals terminals;
    terminals.push_back(std::make_unique<Terminal>(
        loop_, options_, session_,
        source_command("bytes --mib=" + std::to_string(options_.mib_or(1)) + " --content=" +
                       options_.content_name + " --seed=" + std::to_string(options_.seed) +
                       " --pty=" + (options_.cooked ? "cooked" : "raw"))));
    StreamCheck check(pattern_, total_);
    Terminal& one = *terminals[0];
    one.on_output([&](std::string_view bytes) { check.feed(bytes); });
    one.connect();
    wait_for(loop_, terminals, "starting bench-source", patience(),
             [&] { return check.started(); });
    one.type("go\n");
    wait_for(loop_, terminals, "printing scrollback", patience(),
             [&] { return check.done() || check.wrong(); });
    if (check.wrong()) throw Unable("printing scrollback: " + *check.wrong());
    one.cut();
  }

  /// Attaches, receives all, goes away; microseconds.
  double attach() {
    Terminals terminals;
    seen_.clear();
    terminals.push_back(std::make_unique<Terminal>(loop_, options_, session_, ""));
    terminals[0]->on_output([&](std::string_view bytes) { seen_ += bytes; });
    const auto began = Clock::now();
    terminals[0]->connect();
    wait_for(loop_, terminals, "receiving the scrollback", patience(),
             [&] { return seen_.ends_with(kEnd); });
    const double us = us_between(began, Clock::now());
    terminals[0]->cut();
    const std::size_t matched = matching_tail(pattern_, total_, seen_);
    if (matched < total_ / 2 || seen_.size() - kEnd.size() - matched > kPreface)
      wrong_ = "of " + std::to_string(seen_.size()) + " bytes the last " + std::to_string(matched) +
               " were the scrollback";
    bytes_ = seen_.size();
    return us;
  }

  /// The same number of bytes over a connection that is there already.
  double by_tcp() const {
    const TcpPair tcp;
    const std::string all(bytes_, 'x');
    std::thread server([&] {
      char go = 0;
      if (::read(tcp.server, &go, 1) == 1) write_all(tcp.server, all);
    });
    std::vector<char> in(256 * 1024);
    const auto began = Clock::now();
    write_all(tcp.client, "g");
    for (std::size_t seen = 0; seen < bytes_;) {
      const ssize_t n = ::read(tcp.client, in.data(), in.size());
      if (n <= 0) break;
      seen += static_cast<std::size_t>(n);
    }
    const double us = us_between(began, Clock::now());
    server.join();
    return us;
  }

  void end() {
    Terminals terminals;
    terminals.push_back(std::make_unique<Terminal>(loop_, options_, session_, ""));
    terminals[0]->connect();
    wait_for(loop_, terminals, "attaching to end it", patience(),
             [&] { return terminals[0]->ready(); });
    end_all(loop_, terminals);
  }
  const std::string& wrong() const { return wrong_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Millis patience() const { return Millis(1000 * options_.patience_s); }

  const Options& options_;
  const Pattern pattern_;
  const std::uint64_t total_;
  const std::string session_;
  EventLoop loop_;
  std::size_t bytes_ = 0;
  std::string seen_;  ///< Of the last attach.
  std::string wrong_;
};

}  // namespace

Json attach(const Options& options) {
  if (!is_ours(options.dialect) && options.dialect != "terminado")
    throw Unable("attach: " + options.dialect + " keeps no scrollback");
  choose_engine(options);
  Attaches attaches(options);
  attaches.fill();
  std::vector<double> us;
  std::vector<double> tcp_us;
  for (unsigned i = 0; i < options.count_or(20) && attaches.wrong().empty(); ++i) {
    us.push_back(attaches.attach());
    tcp_us.push_back(attaches.by_tcp());
  }
  attaches.end();
  const double tcp = percentile(tcp_us, 0.5);
  Json out{{"value", rounded(percentile(us, 0.5), 1)},
           {"unit", "us"},
           {"exact", attaches.wrong().empty()}};
  if (!attaches.wrong().empty()) out["wrong"] = attaches.wrong();
  out.update(spread_us(us));
  out["bytes"] = attaches.bytes();
  out["tcp_p50_us"] = rounded(tcp, 1);
  out["ratio_to_tcp"] = rounded(percentile(us, 0.5) / tcp);
  return out;
}

}  // namespace term::bench
