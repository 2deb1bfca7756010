// terminal-ctl sessions: what runs.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "admin_client.h"

namespace term::ctl {

namespace {

using Json = nlohmann::json;
using Row = std::array<std::string, 6>;

void print_table(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

Result<int> sessions(const Context& context, const std::string& project) {
  const auto service = find_service(context);
  if (!service) return service.error();
  const auto answer = AdminClient(*service).get("/api/terminal/list" +
                                                (project.empty() ? "" : "?projectId=" + project));
  if (!answer) return answer.error();
  if (answer->status != 200)
    return Error{Errc::os_error, "no list of the sessions: " + answer->error()};
  const Json list = answer->json();
  if (context.json) {
    print(list);
    return kDone;
  }
  std::vector<Row> rows{{"ID", "PROJECT", "STATUS", "SIZE", "LAST ACTIVITY", "NAME"}};
  for (const auto& session : list.value("sessions", Json::array()))
    rows.push_back({text_of(session, "id"), text_of(session, "projectId"),
                    text_of(session, "status"),
                    text_of(session, "cols") + "x" + text_of(session, "rows"),
                    text_of(session, "lastActivity"), text_of(session, "tabName")});
  print_table(rows);
  return kDone;
}

}  // namespace

void add_sessions(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("sessions", "All sessions, or those of a project");
  auto project = std::make_shared<std::string>();
  command->add_option("--project", *project, "Only this one's")
      ->type_name("ID")
      ->check([](const std::string& text) {
        const bool fits = text.find_first_not_of(
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789_.-") == std::string::npos;
        return fits ? std::string{} : "not an id: A-Z a-z 0-9 _ . -";
      });
  command->callback([&context, project] {
    context.run = [&context, project] { return sessions(context, *project); };
  });
}

}  // namespace term::ctl
