// What no peer can do: flip, hand-over and recovery under live, printing sessions.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "load/operator_api.h"
#include "load/ticking.h"
#include "load/works.h"

namespace term::bench {

namespace {

constexpr std::uint64_t kBaselineLines = 10;

/// The pauses of a window as milliseconds, with `prefix`.
void put_pauses(Json& out, const std::string& prefix, const std::vector<double>& us) {
  out[prefix + "_p50_ms"] = rounded(percentile(us, 0.5) / 1000);
  out[prefix + "_p99_ms"] = rounded(percentile(us, 0.99) / 1000);
  out[prefix + "_max_ms"] = rounded(percentile(us, 1) / 1000);
}

struct Called {
  Json answer;
  double ms = 0;
};

/// The call runs on a thread of its own while the sessions are listened to; it is the window.
Called call_meanwhile(TickingFleet& fleet, const Options& options, const std::string& target,
                      const Json& body) {
  Called called;
  std::string error;
  std::atomic<bool> over{false};
  const auto began = Clock::now();
  std::thread caller([&] {
    try {
      called.answer = call(options, target, body);
    } catch (const std::exception& exception) {
      error = exception.what();
    }
    called.ms = us_between(began, Clock::now()) / 1000;
    over = true;
    fleet.loop().wake();
  });
  fleet.loop().run_until([&] { return over.load(); }, Millis(600'000));
  caller.join();
  fleet.close_window();
  if (!error.empty()) throw Unable(error);
  return called;
}

void need_http(const Options& options) {
  if (!options.http) throw Misused(options.work + " needs --http=http://127.0.0.1:PORT");
  if (options.dialect != "native" && options.dialect != "raw")
    throw Misused(options.work + " needs --dialect=native or raw");
}

/// Latencies of lines while nothing happens, to hold the pauses against.
std::vector<double> baseline(TickingFleet& fleet) {
  fleet.open_window();
  fleet.wait_lines(kBaselineLines);
  return fleet.worst_us();
}

/// A service that was killed, on its way back.
class Comeback {
 public:
  Comeback(TickingFleet& fleet, const Options& options) : fleet_(fleet), options_(options) {
    back_us_.assign(fleet.size(), 0);
  }
  /// Kills, starts again, and returns when every session is attached.
  void run() {
    for (const pid_t pid : options_.pids) {
      if (::kill(pid, SIGKILL) != 0) throw Unable("kill " + std::to_string(pid) + " failed");
    }
    for (std::size_t i = 0; i < fleet_.size(); ++i) {
      const auto gone = [&] { return !fleet_.terminals()[i]->connected(); };
      if (!fleet_.loop().run_until(gone, Millis(10'000)))
        throw Unable("connections outlive the processes killed: is --pid the service?");
    }
    began_ = Clock::now();
    start_again();
    // One knocks until it is let in: a thousand would slow the start down.
    wait_back(0, 1);
    first_ms_ = us_between(began_, Clock::now()) / 1000;
    for (std::size_t from = 1; from < fleet_.size(); from += kAtOnce)
      wait_back(from, std::min(from + kAtOnce, fleet_.size()));
  }
  double first_ms() const { return first_ms_; }
  const std::vector<double>& back_us() const { return back_us_; }

 private:
  static constexpr std::size_t kAtOnce = 64;

  void start_again() const {
    const std::string& command = options_.restart_command;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::setsid();
      // Whoever waits for the end of our output shall not wait for the service's.
      ::dup2(::open("/dev/null", O_RDWR), STDOUT_FILENO);
      // Once more, so that nobody has to reap it.
      if (::fork() == 0) ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
  }
  /// Sessions [from, to) attach again where they were; refused ones try once more.
  void wait_back(std::size_t from, std::size_t to) {
    const auto& terminals = fleet_.terminals();
    const auto all_back = [&] {
      bool all = true;
      for (std::size_t i = from; i < to; ++i) {
        Terminal& one = *terminals[i];
        if (one.ready() && back_us_[i] == 0) back_us_[i] = us_between(began_, Clock::now());
        all = all && one.ready();
      }
      return all;
    };
    const auto until = Clock::now() + std::chrono::seconds(options_.patience_s);
    while (!all_back()) {
      if (Clock::now() > until) {
        for (std::size_t i = from; i < to; ++i)
          if (!terminals[i]->ready())
            throw Unable("after the restart session " + terminals[i]->session() + " " +
                         terminals[i]->failure().value_or("did not answer"));
      }
      for (std::size_t i = from; i < to; ++i)
        if (!terminals[i]->connected()) terminals[i]->connect(fleet_.offset(i));
      fleet_.loop().run_until(all_back, Millis(2));
    }
  }

  TickingFleet& fleet_;
  const Options& options_;
  Clock::time_point began_;
  double first_ms_ = 0;
  std::vector<double> back_us_;
};

}  // namespace

Json flip(const Options& options) {
  need_http(options);
  TickingFleet fleet(options);
  const std::vector<double> before = baseline(fleet);
  std::vector<double> total_us;
  std::vector<double> service_us;
  std::vector<double> pauses;
  std::string wrong;
  const Json flags = call(options, "/api/admin/feature-flags", nullptr);
  bool refactored = flags.at("newSessions").at("sessions") == "refactored";
  for (unsigned i = 0; i < options.count_or(4) && wrong.empty(); ++i) {
    refactored = !refactored;
    fleet.open_window();
    const Called called =
        call_meanwhile(fleet, options, "/api/admin/feature-flags",
                       {{"terminal_refactor", refactored}, {"force", true}, {"reason", "bench"}});
    fleet.wait_lines(1);
    const std::vector<double> worst = fleet.worst_us();
    pauses.insert(pauses.end(), worst.begin(), worst.end());
    total_us.push_back(called.ms * 1000);
    const Json& result = called.answer.at("flip");
    service_us.push_back(result.value("duration_ms", 0.0) * 1000);
    if (!result.value("good", false) || result.value("moved", 0U) < fleet.size())
      wrong = "flip: " + result.dump().substr(0, 500);
  }
  fleet.wait_lines(2);
  if (fleet.wrong()) wrong = *fleet.wrong();
  Json out{
      {"value", rounded(percentile(total_us, 1) / 1000)}, {"unit", "ms"}, {"exact", wrong.empty()}};
  if (!wrong.empty()) out["wrong"] = wrong;
  out["sessions"] = fleet.size();
  out["count"] = total_us.size();
  put_pauses(out, "total", total_us);
  put_pauses(out, "service_says", service_us);
  // A flip may be over before anybody has something to print.
  if (!pauses.empty()) put_pauses(out, "pause", pauses);
  out["pauses"] = pauses.size();
  put_pauses(out, "baseline", before);
  fleet.end();
  return out;
}

Json handover(const Options& options) {
  need_http(options);
  TickingFleet fleet(options);
  const std::vector<double> before = baseline(fleet);
  std::vector<double> pauses;
  std::vector<double> service_us;
  Json last;
  for (unsigned i = 0; i < options.count_or(1); ++i) {
    fleet.open_window();
    const Called called = call_meanwhile(fleet, options, "/api/admin/restart", Json::object());
    fleet.wait_lines(2);
    const std::vector<double> worst = fleet.worst_us();
    pauses.insert(pauses.end(), worst.begin(), worst.end());
    last = called.answer;
    service_us.push_back(last.value("pause_ms", 0.0) * 1000);
  }
  std::string wrong = fleet.wrong().value_or("");
  if (last.value("sessions", 0U) < fleet.size()) wrong = "handed over: " + last.dump();
  Json out{{"value", rounded(percentile(pauses, 0.99) / 1000)},
           {"unit", "ms"},
           {"exact", wrong.empty()}};
  if (!wrong.empty()) out["wrong"] = wrong;
  out["sessions"] = fleet.size();
  out["count"] = service_us.size();
  put_pauses(out, "pause", pauses);
  put_pauses(out, "service_says", service_us);
  put_pauses(out, "baseline", before);
  out["pid"] = last["to"]["pid"];
  fleet.end();
  return out;
}

Json recovery(const Options& options) {
  if (options.dialect != "native") throw Misused("recovery needs --dialect=native");
  if (options.pids.empty() || options.restart_command.empty())
    throw Misused("recovery needs --pid (the service's, to kill) and --restart-command");
  TickingFleet fleet(options);
  const std::vector<double> before = baseline(fleet);
  Comeback comeback(fleet, options);
  comeback.run();
  fleet.wait_lines(2);
  const auto wrong = fleet.wrong();
  Json out{{"value", rounded(comeback.first_ms())}, {"unit", "ms"}, {"exact", !wrong}};
  if (wrong) out["wrong"] = *wrong;
  out["sessions"] = fleet.size();
  out["first_ms"] = rounded(comeback.first_ms());
  put_pauses(out, "attached", comeback.back_us());
  put_pauses(out, "baseline", before);
  fleet.end();
  return out;
}

}  // namespace term::bench
