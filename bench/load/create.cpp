// Sessions made one after another, or some at once: how long until the shell says something.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "load/figures.h"
#include "load/operator_api.h"
#include "load/probe.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

/// Keeps `parallel` creations under way until `count` shells have said something.
class Creations {
 public:
  explicit Creations(const Options& options) : options_(options) {}

  void run(unsigned count) {
    const Millis patience(1000 * options_.patience_s);
    while (began_.size() < std::min(count, options_.parallel)) begin();
    while (us_.size() < count) {
      const std::size_t before = us_.size();
      loop_.run_until([&] { return us_.size() > before || failed(); }, patience);
      if (us_.size() == before)
        throw Unable("creating session " + std::to_string(before) + ": " +
                     (failed() ? *failed() : "no byte in time"));
      while (began_.size() < count && began_.size() - us_.size() < options_.parallel) begin();
    }
  }
  const std::vector<double>& us() const { return us_; }
  void end() { end_all(loop_, terminals_); }

 private:
  /// Of those under way: looking at all would make the last ones seem slow.
  const std::string* failed() const {
    const std::size_t recent = std::min<std::size_t>(terminals_.size(), 2 * options_.parallel);
    for (auto one = terminals_.end() - static_cast<std::ptrdiff_t>(recent); one != terminals_.end();
         ++one)
      if ((*one)->failure()) return &*(*one)->failure();
    return nullptr;
  }
  void begin() {
    const std::size_t number = began_.size();
    // Without a tty a shell prints no prompt.
    const std::string command = without_tty(options_.dialect) ? "echo ready\n" : "";
    terminals_.push_back(std::make_unique<Terminal>(
        loop_, options_, session_name(options_, static_cast<unsigned>(number)), command));
    began_.push_back(Clock::now());
    Terminal& one = *terminals_.back();
    spoke_.push_back(false);
    one.on_output([this, number](std::string_view) {
      if (spoke_[number]) return;
      spoke_[number] = true;
      us_.push_back(us_between(began_[number], Clock::now()));
    });
    one.connect();
  }

  const Options& options_;
  EventLoop loop_;
  Terminals terminals_;
  std::vector<Clock::time_point> began_;
  std::vector<double> us_;
  std::vector<bool> spoke_;
};

}  // namespace

Json create(const Options& options) {
  choose_engine(options);
  Creations creations(options);
  Stretch stretch(options.pids);
  creations.run(options.count_or(100));
  stretch.stop();
  const auto& us = creations.us();
  const auto tenth = static_cast<std::ptrdiff_t>(std::max<std::size_t>(1, us.size() / 10));
  Json out{{"value", rounded(static_cast<double>(us.size()) / stretch.seconds())},
           {"unit", "per second"},
           {"exact", true}};
  out.update(spread_us(us));
  // Flat in the number of sessions, or not.
  out["first_tenth_p50_us"] = rounded(percentile({us.begin(), us.begin() + tenth}, 0.5), 1);
  out["last_tenth_p50_us"] = rounded(percentile({us.end() - tenth, us.end()}, 0.5), 1);
  out["seconds"] = rounded(stretch.seconds(), 6);
  out["parallel"] = options.parallel;
  if (!options.pids.empty()) out["pss_kib"] = pss_by_process(options.pids);
  creations.end();
  return out;
}

}  // namespace term::bench
