// terminal-ctl rollback and verify: the emergency procedure in one process, since starting programs
// takes longer than the rollback itself, and its check for the procedures that are scripts
// (OPERATIONS.md 2).

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "session_tiers.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;
using Steady = std::chrono::steady_clock;

struct Arguments {
  std::string reason = "emergency-rollback";
  std::string keep;  ///< A directory for the lists of sessions; empty = none.
  bool dry_run = false;
  std::string before;
  std::string tiers = "live";
};

Result<void> save(const Json& list, const std::filesystem::path& file) {
  std::ofstream out(file, std::ios::trunc);
  out << list.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  out.close();
  if (!out) return Error{Errc::os_error, "cannot write " + file.string()};
  return {};
}

/// Runs steps until one fails; the report of each as the scripts' procedures write it.
class Rollback {
 public:
  Rollback(const Context& context, const Arguments& arguments)
      : context_(context), arguments_(arguments) {}

  int run() {
    step("remember every session", &Rollback::remember);
    step("flag off, forced", &Rollback::flag_off);
    step("health", &Rollback::health);
    step("every session is there with its pid and offsets", &Rollback::verify);
    if (arguments_.dry_run) return kDone;
    print({{"ok", failure_.empty()}, {"failure", failure_}, {"steps", steps_}});
    return failure_.empty() ? kDone : kFailed;
  }

 private:
  using Act = Result<void> (Rollback::*)(Json& said);

  void step(const char* name, Act act) {
    if (arguments_.dry_run) std::printf("would: %s\n", name);
    if (arguments_.dry_run || !failure_.empty()) return;
    const auto began = Steady::now();
    Json said = Json::object();
    const auto done = (this->*act)(said);
    const auto took = std::chrono::duration_cast<Millis>(Steady::now() - began).count();
    Json report{{"name", name}, {"ok", done.has_value()}, {"duration_ms", took}};
    report.update(said);
    if (!done) {
      report["error"] = done.error().detail;
      failure_ = std::string(name) + ": " + done.error().detail;
    }
    steps_.push_back(std::move(report));
    std::fprintf(stderr, "terminal-ctl rollback: %s %s (%lld ms)\n", done ? "ok" : "FAILED", name,
                 static_cast<long long>(took));
  }

  Result<Json> look(const char* file) {
    auto now = sessions_now(context_);
    if (!now || arguments_.keep.empty()) return now;
    if (auto saved = save(*now, std::filesystem::path(arguments_.keep) / file); !saved)
      return saved.error();
    return now;
  }

  Result<void> remember(Json& said) {
    auto now = look("before.json");
    if (!now) return now.error();
    before_ = std::move(*now);
    said["sessions"] = before_.value("count", 0);
    said["errors_lost"] = before_.value("lost", 0);
    return {};
  }

  Result<void> flag_off(Json& said) {
    const auto service = find_service(context_);
    if (!service) return service.error();
    const Json body{{"terminal_refactor", false}, {"force", true}, {"reason", arguments_.reason}};
    const auto answer =
        AdminClient(*service).post("/api/admin/feature-flags", body, Millis(300'000));
    if (!answer) return answer.error();
    if (answer->status != 200)
      return Error{Errc::os_error, "the flag was not set: " + answer->error()};
    const Json flip = answer->json().value("flip", Json::object());
    said["flip"] = flip;
    const Json offsets = flip.value("offsets_sha256", Json::object());
    if (flip.value("lost", 1) == 0 && flip.value("failed", Json::array({1})).empty() &&
        offsets.value("before", "-") == offsets.value("after", "+"))
      return {};
    return Error{Errc::bad_snapshot, "the flip is not good; see its lost, failed, offsets_sha256"};
  }

  Result<void> health(Json& said) {
    const auto service = find_service(context_);
    if (!service) return service.error();
    const auto answer = AdminClient(*service).get("/api/health/terminal");
    if (!answer) return answer.error();
    const Json health = answer->json();
    said["status"] = health.value("status", "");
    said["reasons"] = health.value("reasons", Json::array());
    said["engine"] = health.value("engine", Json());
    if (answer->status == 200) return {};
    return Error{Errc::os_error, "unhealthy: " + said["reasons"].dump()};
  }

  Result<void> verify(Json& said) {
    auto now = look("after.json");
    if (!now) return now.error();
    return compare_sessions(before_, *now, arguments_.tiers, said);
  }

  const Context& context_;
  const Arguments& arguments_;
  Json before_;
  Json steps_ = Json::array();
  std::string failure_;
};

Result<int> remember(const Context& context) {
  auto now = sessions_now(context);
  if (!now) return now.error();
  print(*now);
  return kDone;
}

/// Prints {sessions, tiers, lost, came_back, error}.
Result<int> verify(const Context& context, const Arguments& arguments) {
  std::ifstream file(arguments.before);
  const Json before = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!before.is_object())
    return Error{Errc::bad_argument, arguments.before + " is no list of `terminal-ctl remember`"};
  const auto now = sessions_now(context);
  if (!now) return now.error();
  if (!arguments.keep.empty())
    if (auto saved = save(*now, arguments.keep); !saved) return saved.error();
  Json said = Json::object();
  const auto same = compare_sessions(before, *now, arguments.tiers, said);
  if (!same) said["error"] = same.error().detail;
  print(said);
  return same ? kDone : kFailed;
}

}  // namespace

void add_rollback(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  auto* now = app.add_subcommand("rollback",
                                 "Every session to the legacy engine now, and the proof that "
                                 "nothing was lost; emergency-rollback.sh is this with a report");
  now->add_option("--reason", arguments->reason, "For the journal")->capture_default_str();
  now->add_option("--keep", arguments->keep, "Where before.json and after.json go")
      ->type_name("DIR");
  now->add_flag("--dry-run", arguments->dry_run, "Only say the steps");
  now->callback([&context, arguments] {
    context.run = [&context, arguments]() -> Result<int> {
      return Rollback(context, *arguments).run();
    };
  });

  app.add_subcommand("remember", "Every session with its pid and offsets, for `verify`")
      ->callback([&context] { context.run = [&context] { return remember(context); }; });

  auto* check = app.add_subcommand("verify", "Did every session come back, and how?");
  check->add_option("BEFORE", arguments->before, "What `remember` printed")
      ->required()
      ->type_name("FILE");
  check->add_option("--tiers", arguments->tiers, "Which ways back are right: live,cold")
      ->capture_default_str();
  check->add_option("--keep", arguments->keep, "Where the list of now goes")->type_name("FILE");
  check->callback([&context, arguments] {
    context.run = [&context, arguments] { return verify(context, *arguments); };
  });
}

}  // namespace term::ctl
