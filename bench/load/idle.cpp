// What sessions cost that do nothing: memory before and after they printed, and CPU time.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "load/figures.h"
#include "load/operator_api.h"
#include "load/probe.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

constexpr std::size_t kAtOnce = 32;
constexpr Millis kSettle{1500};  // Memory is given back a little later.

class IdleSessions {
 public:
  explicit IdleSessions(const Options& options)
      : options_(options),
        pattern_(options.content, options.seed, options.cooked),
        total_(pattern_.periods(options.mib_or(0)) * pattern_.period()) {}

  /// The first `attached` keep their viewers. The others lose theirs as soon as they run: so many
  /// sockets at once as sessions would be more than the server's limit of open files allows.
  /// `first`: their names' numbers begin with it.
  void start(unsigned number, unsigned attached, unsigned first = 0) {
    attached_ = std::min(number, attached);
    const std::string command = options_.mib ? "bytes --mib=" + std::to_string(*options_.mib) +
                                                   " --content=" + options_.content_name +
                                                   " --seed=" + std::to_string(options_.seed) +
                                                   " --pty=" + (options_.cooked ? "cooked" : "raw")
                                             : "idle";
    for (unsigned i = 0; i < number; ++i) {
      terminals_.push_back(std::make_unique<Terminal>(
          loop_, options_, session_name(options_, first + i), source_command(command)));
      checks_.push_back(std::make_unique<StreamCheck>(pattern_, total_));
      StreamCheck& check = *checks_.back();
      terminals_.back()->on_output([&check](std::string_view bytes) { check.feed(bytes); });
      terminals_.back()->connect();
      if ((i + 1) % kAtOnce == 0) wait_started();
    }
    wait_started();
  }
  void rest(Millis time) { loop_.run_for(time); }
  /// Those that are attached, some at a time.
  void print() {
    for (std::size_t from = 0; from < attached_; from += kAtOnce) {
      const std::size_t to = std::min(from + kAtOnce, attached_);
      for (std::size_t i = from; i < to; ++i) terminals_[i]->type("go\n");
      const auto over = [&](const auto& check) { return check->done() || check->wrong(); };
      const auto all_over = [&] {
        return std::all_of(checks_.begin() + static_cast<std::ptrdiff_t>(from),
                           checks_.begin() + static_cast<std::ptrdiff_t>(to), over);
      };
      if (!loop_.run_until(all_over, Millis(10'000 * options_.patience_s)))
        throw Unable("printing: session " + std::to_string(from) + " and next were not done");
    }
  }
  std::optional<std::string> wrong() const {
    for (std::size_t i = 0; i < attached_; ++i) {
      if (checks_[i]->wrong()) return checks_[i]->wrong();
      if (terminals_[i]->failure()) return terminals_[i]->failure();
    }
    return std::nullopt;
  }
  void end() {
    // Whoever has no viewer gets one again, to be ended by it.
    while (!detached_.empty()) {
      Terminals some;
      for (; some.size() < kAtOnce && !detached_.empty(); detached_.pop_back())
        some.push_back(std::move(detached_.back()));
      for (const auto& one : some) one->connect();
      const auto back = [](const auto& one) { return one->ready() || one->failure(); };
      loop_.run_until([&] { return std::all_of(some.begin(), some.end(), back); },
                      Millis(1000 * options_.patience_s));
      end_all(loop_, some);
    }
    end_all(loop_, terminals_);
  }

 private:
  void wait_started() {
    wait_for(loop_, terminals_, "starting session " + std::to_string(checks_.size()),
             Millis(1000 * options_.patience_s), [&] {
               while (started_ < checks_.size() && checks_[started_]->started()) ++started_;
               return started_ == checks_.size();
             });
    while (terminals_.size() > attached_) {
      terminals_.back()->cut();
      detached_.push_back(std::move(terminals_.back()));
      terminals_.pop_back();
    }
  }

  const Options& options_;
  const Pattern pattern_;
  const std::uint64_t total_;
  EventLoop loop_;
  Terminals terminals_;
  Terminals detached_;
  std::vector<std::unique_ptr<StreamCheck>> checks_;
  std::size_t started_ = 0;
  std::size_t attached_ = 0;
};

double per_session(const Json& pss, const char* before, const char* after, unsigned sessions) {
  return rounded((pss[after]["total"].get<double>() - pss[before]["total"].get<double>()) /
                 sessions);
}

}  // namespace

Json idle(const Options& options) {
  if (options.pids.empty()) throw Misused("idle needs --pid: it measures processes");
  choose_engine(options);
  const unsigned sessions = options.sessions_or(100);
  // What the first session costs is not what each costs.
  IdleSessions warm_up(options);
  warm_up.start(1, 1, sessions);
  warm_up.end();
  warm_up.rest(kSettle);
  Json pss{{"before", pss_by_process(options.pids)}};
  IdleSessions idle_ones(options);
  idle_ones.start(sessions, options.attached.value_or(sessions));
  idle_ones.rest(kSettle);
  pss["idle"] = pss_by_process(options.pids);
  Stretch stretch(options.pids);
  idle_ones.rest(Millis(1000 * options.seconds));
  stretch.stop();
  const double cpu = stretch.rates(1)["cpu_seconds"].get<double>();
  pss["per_session"] = per_session(pss, "before", "idle", sessions);
  if (options.mib) {
    idle_ones.print();
    idle_ones.rest(kSettle);
    pss["printed"] = pss_by_process(options.pids);
    pss["per_session_printed"] = per_session(pss, "before", "printed", sessions);
  }
  const auto wrong = idle_ones.wrong();
  Json out{{"value", pss["per_session"]}, {"unit", "KiB per session"}, {"exact", !wrong}};
  if (wrong) out["wrong"] = *wrong;
  out["sessions"] = sessions;
  out["attached"] = options.attached.value_or(sessions);
  out["pss_kib"] = pss;
  out["cpu_seconds"] = cpu;
  out["cpu_percent"] = rounded(100 * cpu / stretch.seconds());
  out["seconds"] = rounded(stretch.seconds());
  idle_ones.end();
  return out;
}

}  // namespace term::bench
