// terminal-ctl restart: everything to a new process, by POST /api/admin/restart (docs/handover.md).

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "admin_client.h"
#include "server/config_values.h"
#include "server/json_read.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr Millis kMaxProbation{60'000};
/// Of the hand-over itself at most ten seconds and one for each thousand sessions.
constexpr Millis kAnswerTime{60'000};
constexpr Millis kServingTime{10'000};

struct Arguments {
  std::string binary;
  std::string probation;
};

/// The service that answers there within the time, or nothing. `pid` 0: whichever.
std::optional<ServiceInfo> serving(const std::filesystem::path& state_dir, pid_t pid) {
  const auto end = Clock::now() + kServingTime;
  while (Clock::now() < end) {
    const auto info = look_up(state_dir);
    if (info && (pid == 0 || info->pid == pid)) {
      const auto answer = AdminClient(*info).get("/api/health/live", Millis(2000));
      if (answer && answer->status == 200) return info;
    }
    // Another process; there is nothing to wait on.
    std::this_thread::sleep_for(Millis(20));
  }
  return std::nullopt;
}

/// The connection ended before an answer came: what is there now?
Error broken_off(const ServiceInfo& before, const Error& why) {
  const auto now = serving(before.state_dir, 0);
  std::string then = "; nothing answers there now: see the log, and start the service";
  if (now)
    then = "; process " + std::to_string(now->pid) + " (version " + now->version +
           ") serves now, with the shells that the holder keeps. The log says what happened "
           "(grep handover)";
  return {why.code, "the hand-over broke off: " + why.detail + then};
}

Json request_of(const Arguments& arguments) {
  Json body = Json::object();
  if (!arguments.binary.empty())
    body["binary"] = std::filesystem::absolute(arguments.binary).lexically_normal().string();
  if (!arguments.probation.empty()) {
    const auto probation = server::parse_duration(arguments.probation);
    body["probation_ms"] = probation ? probation->count() : 0;
  }
  return body;
}

Result<int> restart(const Context& context, const Arguments& arguments) {
  const auto before = find_service(context);
  if (!before) return before.error();
  progress(context, "handing over from process " + std::to_string(before->pid) + " (version " +
                        before->version + ") ...");
  const auto answer =
      AdminClient(*before).post("/api/admin/restart", request_of(arguments), kAnswerTime);
  if (!answer && answer.error().code == Errc::os_error &&
      answer.error().detail.starts_with("no answer"))
    return broken_off(*before, answer.error());
  if (!answer) return answer.error();
  const Json report = answer->json();
  if (answer->status != 200)
    return Error{Errc::os_error, "no hand-over, process " + std::to_string(before->pid) +
                                     " goes on: " + answer->error()};
  const auto pid = server::read_integer(report, "pid", 1, 1 << 30).value_or(0);
  progress(context, "process " + std::to_string(pid) + " has everything; asking it ...");
  if (!serving(before->state_dir, static_cast<pid_t>(pid)))
    return Error{Errc::os_error,
                 "process " + std::to_string(pid) + " took over and does not answer; see the log"};
  if (context.json) {
    print(report);
    return kDone;
  }
  std::printf(
      "handed over: process %d (version %s) to %d (version %s); %s sessions, %s "
      "connections, paused %s ms\n",
      before->pid, before->version.c_str(), static_cast<int>(pid),
      text_of(report.value("to", Json::object()), "version").c_str(),
      text_of(report, "sessions").c_str(), text_of(report, "connections").c_str(),
      text_of(report, "pause_ms").c_str());
  return kDone;
}

}  // namespace

void add_restart(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("restart", "Hand over to a new process: shells and WebSockets stay");
  command->description(
      "Starts a new service process and hands everything over to it: shells, connections, "
      "listening\n"
      "sockets. If the new one does not make it, the old one goes on and the reason is told.");
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("--binary", arguments->binary,
                   "The program to become; default: the one that runs, as it is on disk now")
      ->type_name("PATH");
  command
      ->add_option("--probation", arguments->probation,
                   "How long the old process stays to step in, up to 60s; default 1500ms")
      ->type_name("DURATION")
      ->check([](const std::string& text) {
        const auto time = server::parse_duration(text);
        return time && *time <= kMaxProbation ? std::string{}
                                              : "not a duration up to 60s, such as 500ms or 5s";
      });
  command->callback([&context, arguments] {
    context.run = [&context, arguments] { return restart(context, *arguments); };
  });
}

}  // namespace term::ctl
