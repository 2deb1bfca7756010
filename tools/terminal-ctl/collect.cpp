// terminal-ctl collect: what the analysis after a bad day needs, best effort, into a directory.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <memory>

#include "admin_client.h"

namespace term::ctl {

namespace {

constexpr std::array kTargets{"health/terminal", "metrics/terminals", "admin/feature-flags",
                              "admin/flips",     "admin/audit",       "admin/sessions",
                              "admin/parity"};

/// `NAME.json`, or `NAME.error` with the words of who failed.
Result<int> collect(const Context& context, const std::filesystem::path& directory) {
  const auto service = find_service(context);
  bool all = true;
  for (const std::string target : kTargets) {
    std::string name = target;
    std::ranges::replace(name, '/', '-');
    const auto answer = service ? AdminClient(*service).get("/api/" + target)
                                : Result<AdminClient::Answer>(service.error());
    const bool got = answer && answer->status < 400;
    std::ofstream file(directory / (name + (answer ? ".json" : ".error")));
    file << (answer ? answer->text : answer.error().detail) << "\n";
    file.close();
    if (!file) return Error{Errc::os_error, "cannot write into " + directory.string()};
    all = all && got;
  }
  return all ? kDone : kPartlyDone;
}

}  // namespace

void add_collect(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "collect", "Health, metrics, flags, journal, audit, sessions and parity as files");
  auto directory = std::make_shared<std::string>();
  command->add_option("DIR", *directory, "Where they go")->required();
  command->callback([&context, directory] {
    context.run = [&context, directory] { return collect(context, *directory); };
  });
}

}  // namespace term::ctl
