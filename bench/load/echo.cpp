// Keystrokes one at a time, alone or beside sessions that flood.

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "load/figures.h"
#include "load/operator_api.h"
#include "load/probe.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

constexpr unsigned kWarmUp = 100;
constexpr std::uint64_t kFloodUnderWay = 1'000'000;

/// Flooding sessions on a thread of their own, so that reading them does not delay the echo.
class Floods {
 public:
  Floods(const Options& options, unsigned number)
      : options_(options), pattern_(options.content, options.seed, options.cooked) {
    for (unsigned i = 0; i < number; ++i) add(i + 1);
    if (number == 0) return;
    thread_ = std::thread([this] { run(); });
    while (!under_way_ && !failed_) std::this_thread::yield();
  }
  ~Floods() { stop(); }
  Floods(const Floods&) = delete;
  Floods& operator=(const Floods&) = delete;

  void stop() {
    stopping_ = true;
    loop_.wake();
    if (thread_.joinable()) thread_.join();
  }
  /// After stop(): what went wrong.
  const std::optional<std::string>& wrong() const { return wrong_; }
  std::uint64_t received() const {
    std::uint64_t sum = 0;
    for (const auto& check : checks_) sum += check->received();
    return sum;
  }
  double seconds() const { return seconds_; }

 private:
  void add(unsigned number) {
    terminals_.push_back(std::make_unique<Terminal>(
        loop_, options_, session_name(options_, number),
        source_command("flood --content=" + options_.content_name +
                       " --seed=" + std::to_string(options_.seed) +
                       " --pty=" + (options_.cooked ? "cooked" : "raw"))));
    checks_.push_back(std::make_unique<StreamCheck>(pattern_, std::nullopt));
    StreamCheck& check = *checks_.back();
    terminals_.back()->on_output([&check](std::string_view bytes) { check.feed(bytes); });
  }
  template <typename Condition>
  bool all(Condition condition) const {
    return std::all_of(checks_.begin(), checks_.end(),
                       [&](const auto& check) { return condition(*check); });
  }
  void run() {
    try {
      flood();
    } catch (const std::exception& error) {
      wrong_ = error.what();
      failed_ = true;
    }
    end_all(loop_, terminals_);
  }
  void flood() {
    const Millis patience(1000 * options_.patience_s);
    for (const auto& one : terminals_) one->connect();
    wait_for(loop_, terminals_, "starting floods", patience,
             [&] { return all([](const auto& check) { return check.started(); }); });
    for (const auto& one : terminals_) one->type("go\n");
    const auto began = Clock::now();
    wait_for(loop_, terminals_, "floods under way", patience,
             [&] { return all([](const auto& c) { return c.received() > kFloodUnderWay; }); });
    under_way_ = true;
    wait_for(loop_, terminals_, "flooding", Millis(3'600'000), [&] { return stopping_.load(); });
    seconds_ = seconds_between(began, Clock::now());
    for (const auto& check : checks_) {
      if (check->wrong()) wrong_ = "flood: " + *check->wrong();
    }
  }

  const Options& options_;
  const Pattern pattern_;
  EventLoop loop_;
  Terminals terminals_;
  std::vector<std::unique_ptr<StreamCheck>> checks_;
  std::atomic<bool> under_way_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> stopping_{false};
  std::optional<std::string> wrong_;
  double seconds_ = 0;
  std::thread thread_;
};

/// The typing session. Every echoed byte must be the one typed.
class Typist {
 public:
  Typist(EventLoop& loop, const Options& options) : loop_(loop), options_(options) {
    const std::string command = source_command(options.tty_echo ? "tty-echo" : "echo");
    terminals_.push_back(
        std::make_unique<Terminal>(loop, options, session_name(options, 0), command));
    terminals_[0]->on_output([this](std::string_view bytes) { output(bytes); });
    terminals_[0]->connect();
    wait_for(loop, terminals_, "starting bench-source", patience(), [this] { return started_; });
  }
  ~Typist() { end_all(loop_, terminals_); }
  Typist(const Typist&) = delete;
  Typist& operator=(const Typist&) = delete;

  /// Types one key and waits for it; microseconds.
  double type(char key) {
    seen_.clear();
    const auto began = Clock::now();
    terminals_[0]->type({&key, 1});
    wait_for(loop_, terminals_, "an echo", patience(), [this] { return !seen_.empty(); });
    const double us = us_between(began, echoed_);
    if (seen_ != std::string_view(&key, 1))
      wrong_ = "typed \"" + std::string(1, key) + "\", echoed \"" + seen_ + "\"";
    return us;
  }
  const std::optional<std::string>& wrong() const { return wrong_; }

 private:
  Millis patience() const { return Millis(1000 * options_.patience_s); }
  void output(std::string_view bytes) {
    if (started_) {
      echoed_ = Clock::now();
      seen_ += bytes;
      return;
    }
    head_ += bytes;
    started_ = head_.find(kStart) != std::string::npos;
  }

  EventLoop& loop_;
  const Options& options_;
  Terminals terminals_;
  bool started_ = false;
  std::string head_;
  std::string seen_;
  Clock::time_point echoed_;
  std::optional<std::string> wrong_;
};

}  // namespace

Json echo(const Options& options) {
  choose_engine(options);
  EventLoop loop;
  Typist typist(loop, options);
  Floods floods(options, options.floods);
  std::vector<double> us;
  const unsigned count = options.count_or(2000);
  for (unsigned i = 0; i < kWarmUp; ++i) typist.type(static_cast<char>('a' + i % 26));
  Stretch stretch(options.pids);
  for (unsigned i = 0; i < count && !typist.wrong(); ++i)
    us.push_back(typist.type(static_cast<char>('a' + i % 26)));
  stretch.stop();
  const Json rates = stretch.rates(count);
  floods.stop();
  const auto wrong = typist.wrong() ? typist.wrong() : floods.wrong();

  Json out{{"value", rounded(percentile(us, 0.5), 1)}, {"unit", "us"}, {"exact", !wrong}};
  if (wrong) out["wrong"] = *wrong;
  out.update(spread_us(us));
  out["seconds"] = rates["seconds"];
  if (rates.contains("cpu_seconds")) out["cpu_seconds"] = rates["cpu_seconds"];
  out["echo"] = options.tty_echo ? "tty" : "program";
  out["floods"] = options.floods;
  if (options.floods > 0)
    out["flood_mb_per_s"] =
        rounded(static_cast<double>(floods.received()) / floods.seconds() / 1e6);
  return out;
}

}  // namespace term::bench
