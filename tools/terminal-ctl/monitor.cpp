// terminal-ctl monitor: watches a service for a while; a live table on a terminal (OPERATIONS.md
// 3).

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "admin_client.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;
using Steady = std::chrono::steady_clock;

struct Thresholds {
  double cpu_percent = 80;
  double memory_mib = 2048;
  double error_percent = 1;
  double response_ms = 500;
};

struct Arguments {
  std::uint64_t seconds = 900;
  std::uint64_t interval_ms = 1000;
  Thresholds above;
};

struct Sample {
  Steady::time_point at;
  pid_t pid = 0;
  double cpu_seconds = 0;
  double memory_mib = 0;
  double error_percent = 0;
  double response_ms = 0;
  std::uint64_t sessions = 0;
  std::uint64_t viewers = 0;
  std::uint64_t lost = 0;
};

struct Row {
  const char* name;
  double value;
  double threshold;
  const char* unit;
  bool over() const { return value > threshold; }
};

/// Whichever process serves now: a hand-over while we watch is no end of it.
Result<Sample> sample(const Context& context) {
  const auto service = find_service(context);
  if (!service) return service.error();
  const auto answer = AdminClient(*service).get("/api/metrics/terminals", Millis(5000));
  if (!answer) return answer.error();
  if (answer->status != 200) return Error{Errc::os_error, "no metrics: " + answer->error()};
  const Json json = answer->json();
  const auto part = [&json](const char* name) { return json.value(name, Json::object()); };
  constexpr double kMiB = 1024.0 * 1024.0;
  return Sample{.at = Steady::now(),
                .pid = service->pid,
                .cpu_seconds = json.value("cpu_seconds", 0.0),
                .memory_mib = part("memory").value("rss", 0.0) / kMiB,
                .error_percent = part("errors").value("rate", 0.0),
                .response_ms = json.value("response_time_ms", 0.0),
                .sessions = part("sessions").value("total", std::uint64_t{0}),
                .viewers = part("sessions").value("viewers", std::uint64_t{0}),
                .lost = part("sessions").value("lost", std::uint64_t{0})};
}

double cpu_percent(const Sample& before, const Sample& now) {
  const double seconds = std::chrono::duration<double>(now.at - before.at).count();
  if (before.pid != now.pid || seconds <= 0) return 0;  // Another process counts from 0.
  const double cores = std::max(1U, std::thread::hardware_concurrency());
  return 100 * (now.cpu_seconds - before.cpu_seconds) / seconds / cores;
}

std::array<Row, 5> rows_of(const Sample& before, const Sample& now, const Thresholds& above) {
  return {{{"cpu", cpu_percent(before, now), above.cpu_percent, "%"},
           {"memory", now.memory_mib, above.memory_mib, "MiB"},
           {"error rate", now.error_percent, above.error_percent, "%"},
           {"response time", now.response_ms, above.response_ms, "ms"},
           {"sessions lost", static_cast<double>(now.lost), 0, ""}}};
}

/// In place on a terminal; a line for each look where it goes to a file.
void show(const Sample& now, const std::array<Row, 5>& rows, std::uint64_t left, bool first) {
  const bool live = ::isatty(STDOUT_FILENO) == 1;
  if (live && !first) std::printf("\x1b[%zuA", rows.size() + 1);
  const char* const end = live ? "\x1b[K\n" : " ";
  std::printf("process %d: %llu sessions, %llu viewers, %llu s left%s", now.pid,
              static_cast<unsigned long long>(now.sessions),
              static_cast<unsigned long long>(now.viewers), static_cast<unsigned long long>(left),
              end);
  for (const Row& row : rows)
    std::printf(live ? "  %-14s %10.2f %-4s above %.0f: %s%s" : "| %s %.2f%s (%.0f) %s%s", row.name,
                row.value, row.unit, row.threshold, row.over() ? "CROSSED" : "ok", end);
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
      const auto rows = rows_of(before.value_or(*now), *now, arguments.above);
      for (const Row& row : rows)
        if (row.over()) crossed.insert(row.name);
      const auto left = std::chrono::ceil<std::chrono::seconds>(end - Steady::now()).count();
      if (!context.json)
        show(*now, rows, static_cast<std::uint64_t>(std::max<std::int64_t>(left, 0)), looks == 0);
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
      "monitor", "Watches a service; ends with 1 if a threshold was crossed meanwhile");
  auto arguments = std::make_shared<Arguments>();
  // As `npm run monitor --duration=900` passes it.
  if (const char* npm = std::getenv("npm_config_duration"))  // NOLINT: one thread
    arguments->seconds = std::strtoull(npm, nullptr, 10);
  command->add_option("--duration", arguments->seconds, "Seconds")->capture_default_str();
  command->add_option("--interval", arguments->interval_ms, "Milliseconds between two looks")
      ->check(CLI::Range(50, 60'000))
      ->capture_default_str();
  command->add_option("--max-cpu", arguments->above.cpu_percent, "Percent of the cores there are")
      ->capture_default_str();
  command->add_option("--max-memory", arguments->above.memory_mib, "MiB")->capture_default_str();
  command->add_option("--max-error-rate", arguments->above.error_percent, "Percent")
      ->capture_default_str();
  command->add_option("--max-response-time", arguments->above.response_ms, "Milliseconds")
      ->capture_default_str();
  command->callback([&context, arguments] {
    context.run = [&context, arguments] { return monitor(context, *arguments); };
  });
}

}  // namespace term::ctl
