// terminal-ctl monitor: watches a service for a while; a live table on a terminal (OPERATIONS.md
// 3).

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "admin_client.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;
using Steady = std::chrono::steady_clock;

constexpr double kMiB = 1024.0 * 1024.0;

/// A signal as the service judges it (docs/operations.md, alerts), and how it is shown.
struct Signal {
  const char* name;  ///< In the health's `alerts`.
  const char* shown;
  const char* unit;
  double scale;  ///< The service's unit in ours.
};
constexpr std::array kSignals{Signal{"cpu", "cpu", "%", 1}, Signal{"memory", "memory", "MiB", kMiB},
                              Signal{"error_rate", "error rate", "%", 1},
                              Signal{"response_time", "response time", "ms", 1},
                              Signal{"session_loss", "sessions lost", "", 1}};

struct Arguments {
  std::uint64_t seconds = 900;
  std::uint64_t interval_ms = 1000;
  /// By kSignals' order: instead of the service's own threshold.
  std::array<std::optional<double>, kSignals.size()> above;
};

struct Row {
  double value = 0;
  double threshold = 0;
  bool raised = false;
  std::uint64_t times_raised = 0;  ///< Since its process started.
  bool over = false;
};

struct Sample {
  pid_t pid = 0;
  std::uint64_t sessions = 0;
  std::uint64_t viewers = 0;
  std::array<Row, kSignals.size()> rows;
};

/// Whichever process serves now: a hand-over while we watch is no end of it.
Result<Sample> sample(const Context& context) {
  const auto service = find_service(context);
  if (!service) return service.error();
  AdminClient client(*service);
  const auto health = client.get("/api/health/terminal", Millis(5000));
  if (!health) return health.error();
  const Json alerts = health->json().value("alerts", Json());
  if (!alerts.is_object()) return Error{Errc::os_error, "no alerts: " + health->error()};
  const auto metrics = client.get("/api/metrics/terminals", Millis(5000));
  if (!metrics) return metrics.error();
  if (metrics->status != 200) return Error{Errc::os_error, "no metrics: " + metrics->error()};
  const Json counted = metrics->json().value("sessions", Json::object());
  Sample now{.pid = service->pid,
             .sessions = counted.value("total", std::uint64_t{0}),
             .viewers = counted.value("viewers", std::uint64_t{0}),
             .rows = {}};
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    const Json alert = alerts.value(kSignals.at(i).name, Json::object());
    now.rows.at(i) = {.value = alert.value("value", 0.0) / kSignals.at(i).scale,
                      .threshold = alert.value("threshold", 0.0) / kSignals.at(i).scale,
                      .raised = alert.value("raised", false),
                      .times_raised = alert.value("times_raised", std::uint64_t{0})};
  }
  return now;
}

/// Raised now or between two looks; by the threshold of who watches, where there is one.
void judge(Sample& now, const std::optional<Sample>& before, const Arguments& arguments) {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    Row& row = now.rows.at(i);
    if (const auto& own = arguments.above.at(i)) {
      row.threshold = *own;
      row.over = row.value > *own;
      continue;
    }
    // Another process counts anew, and what it raised was raised while we watched.
    const bool same = before && before->pid == now.pid;
    const std::uint64_t known = same ? before->rows.at(i).times_raised : 0;
    row.over = row.raised || (before && row.times_raised > known);
  }
}

/// In place on a terminal; a line for each look where it goes to a file.
void show(const Sample& now, std::uint64_t left, bool first) {
  const bool live = ::isatty(STDOUT_FILENO) == 1;
  if (live && !first) std::printf("\x1b[%zuA", kSignals.size() + 1);
  const char* const end = live ? "\x1b[K\n" : " ";
  std::printf("process %d: %llu sessions, %llu viewers, %llu s left%s", now.pid,
              static_cast<unsigned long long>(now.sessions),
              static_cast<unsigned long long>(now.viewers), static_cast<unsigned long long>(left),
              end);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    const Row& row = now.rows.at(i);
    std::printf(live ? "  %-14s %10.2f %-4s above %.0f: %s%s" : "| %s %.2f%s (%.0f) %s%s",
                kSignals.at(i).shown, row.value, kSignals.at(i).unit, row.threshold,
                row.over ? "CROSSED" : "ok", end);
  }
  if (!live) std::printf("\n");
  std::fflush(stdout);
}

Result<int> monitor(const Context& context, const Arguments& arguments) {
  const auto begun = Steady::now();
  const auto end = begun + std::chrono::seconds(arguments.seconds);
  std::set<std::string> crossed;
  std::uint64_t looks = 0;
  std::uint64_t unanswered = 0;
  std::optional<Sample> before;
  while (true) {
    auto now = sample(context);
    if (!now && looks == 0) return now.error();
    if (now) {
      judge(*now, before, arguments);
      for (std::size_t i = 0; i < kSignals.size(); ++i)
        if (now->rows.at(i).over) crossed.insert(kSignals.at(i).shown);
      const auto left = std::chrono::ceil<std::chrono::seconds>(end - Steady::now()).count();
      if (!context.json)
        show(*now, static_cast<std::uint64_t>(std::max<std::int64_t>(left, 0)), looks == 0);
      before = *now;
      ++looks;
    } else {
      ++unanswered;  // A crash and its restart; who watches wants to know.
      crossed.insert("no answer");
      progress(context, now.error().detail);
    }
    if (Steady::now() >= end) break;
    std::this_thread::sleep_until(
        std::min(end, Steady::now() + Millis(static_cast<Millis::rep>(arguments.interval_ms))));
  }
  if (context.json)
    print({{"looks", looks},
           {"unanswered", unanswered},
           {"crossed", crossed},
           {"sessions", before ? before->sessions : 0},
           {"seconds", std::chrono::duration<double>(Steady::now() - begun).count()}});
  else
    for (const auto& name : crossed) std::printf("CROSSED: %s\n", name.c_str());
  return crossed.empty() ? kDone : kFailed;
}

}  // namespace

void add_monitor(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "monitor", "Watches a service's alerts; ends with 1 if one was raised meanwhile");
  auto arguments = std::make_shared<Arguments>();
  // As `npm run monitor --duration=900` passes it.
  if (const char* npm = std::getenv("npm_config_duration"))  // NOLINT: one thread
    arguments->seconds = std::strtoull(npm, nullptr, 10);
  command->add_option("--duration", arguments->seconds, "Seconds")->capture_default_str();
  command->add_option("--interval", arguments->interval_ms, "Milliseconds between two looks")
      ->check(CLI::Range(50, 60'000))
      ->capture_default_str();
  constexpr std::array kOptions{"--max-cpu", "--max-memory", "--max-error-rate",
                                "--max-response-time", "--max-lost"};
  for (std::size_t i = 0; i < kSignals.size(); ++i)
    command->add_option(kOptions.at(i), arguments->above.at(i),
                        std::string(kSignals.at(i).unit) + " (default: the service's own alert)");
  command->callback([&context, arguments] {
    context.run = [&context, arguments] { return monitor(context, *arguments); };
  });
}

}  // namespace term::ctl
