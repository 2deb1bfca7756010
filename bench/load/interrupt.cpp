// Ctrl-C while `yes` prints: how long until the client hears nothing more.

#include <nlohmann/json.hpp>

#include "load/figures.h"
#include "load/operator_api.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

constexpr std::uint64_t kUnderWay = 512 * 1024;
constexpr Millis kSilence{250};
constexpr std::string_view kTwoLines = "y\r\ny\r\n";

class Interrupts {
 public:
  explicit Interrupts(const Options& options) : options_(options), pattern_(std::string("y\r\n")) {
    // Quiet until it is asked for something: the prompt is part of what is waited for.
    terminals_.push_back(
        std::make_unique<Terminal>(loop_, options, session_name(options, 0), "echo rea''dy\n"));
    terminals_[0]->on_output([this](std::string_view bytes) { output(bytes); });
    terminals_[0]->connect();
    wait_for(loop_, terminals_, "a shell", patience(),
             [this] { return head_.find("ready") != std::string::npos; });
    wait_for_silence();
  }
  ~Interrupts() { end_all(loop_, terminals_); }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Microseconds from the key to the last byte.
  double interrupt() {
    head_.clear();
    received_ = 0;
    checking_ = true;
    terminals_[0]->type("yes\n");
    wait_for(loop_, terminals_, "yes", patience(), [this] { return received_ > kUnderWay; });
    checking_ = false;
    const auto began = Clock::now();
    last_output_ = began;
    terminals_[0]->type("\x03");
    wait_for_silence();
    return us_between(began, last_output_);
  }
  const std::optional<std::string>& wrong() const { return wrong_; }

 private:
  Millis patience() const { return Millis(1000 * options_.patience_s); }
  void wait_for_silence() {
    wait_for(loop_, terminals_, "silence", patience(),
             [this] { return Clock::now() - last_output_ > kSilence; });
  }
  void output(std::string_view bytes) {
    last_output_ = Clock::now();
    if (!checking_ || received_ == 0) {
      // The command's echo comes first; what comes after the key is of many kinds.
      if (head_.size() < kUnderWay) head_ += bytes;
      const auto at = checking_ ? head_.find(kTwoLines) : std::string::npos;
      if (at == std::string::npos) return;
      const std::string first = head_.substr(at);
      return compare(first);
    }
    compare(bytes);
  }
  void compare(std::string_view bytes) {
    while (!bytes.empty() && !wrong_) {
      const std::string_view expected = pattern_.at(received_, bytes.size());
      if (!bytes.starts_with(expected))
        wrong_ = "after " + std::to_string(received_) + " bytes of yes: something else";
      received_ += expected.size();
      bytes.remove_prefix(expected.size());
    }
  }

  const Options& options_;
  const Pattern pattern_;
  EventLoop loop_;
  Terminals terminals_;
  std::string head_;
  bool checking_ = false;
  std::uint64_t received_ = 0;
  Clock::time_point last_output_ = Clock::now();
  std::optional<std::string> wrong_;
};

}  // namespace

Json interrupt(const Options& options) {
  if (without_tty(options.dialect)) throw Unable("interrupt: no tty, so no signal by Ctrl-C");
  choose_engine(options);
  Interrupts interrupts(options);
  std::vector<double> us;
  for (unsigned i = 0; i < options.count_or(20) && !interrupts.wrong(); ++i)
    us.push_back(interrupts.interrupt());
  Json out{{"value", rounded(percentile(us, 0.99) / 1000)},
           {"unit", "ms"},
           {"exact", !interrupts.wrong()}};
  if (interrupts.wrong()) out["wrong"] = *interrupts.wrong();
  out.update(spread_us(us));
  return out;
}

}  // namespace term::bench
