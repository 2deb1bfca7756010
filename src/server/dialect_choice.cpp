#include <algorithm>
#include <charconv>

#include "server/dialect.h"
#include "server/http.h"
#include "session/ids.h"

namespace term::server {

namespace {

constexpr std::string_view kTokenItem = "terminal.token.";

std::optional<std::uint16_t> cells(const Query& query, std::string_view name) {
  const auto it = query.find(name);
  if (it == query.end()) return std::nullopt;
  std::uint16_t value = 0;
  const auto& text = it->second;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) return 0;
  return value;
}

/// `?cols=&rows=`; what is missing takes `fallback`'s.
Result<std::optional<WindowSize>> size_of(const Query& query, WindowSize fallback) {
  const auto cols = cells(query, "cols");
  const auto rows = cells(query, "rows");
  if (!cols && !rows) return std::optional<WindowSize>{};
  const WindowSize size{.rows = rows.value_or(fallback.rows), .cols = cols.value_or(fallback.cols)};
  if (!valid(size)) return Error{Errc::bad_argument, "cols and rows must be 1 to 1000"};
  return std::optional<WindowSize>{size};
}

/// An id of the form `<id>_<projectId>` is `<id>` (reference/origin.md 1.2).
SessionId without_project(SessionId id, const ProjectId& project) {
  if (project.empty() || id.size() <= project.size() + 1) return id;
  const auto at = id.size() - project.size();
  if (id.compare(at, std::string::npos, project) == 0 && id[at - 1] == '_') id.resize(at - 1);
  return id;
}

/// `/terminal/{id}` → id; `/project/{pid}/session/{sid}` → both; `/` → neither.
bool read_path(std::string_view path, Choice& choice) {
  constexpr std::string_view kTerminal = "/terminal/";
  constexpr std::string_view kProject = "/project/";
  constexpr std::string_view kSession = "/session/";
  if (path.starts_with(kTerminal)) {
    choice.session = path.substr(kTerminal.size());
    return !choice.session.empty();
  }
  if (path.starts_with(kProject)) {
    const auto rest = path.substr(kProject.size());
    const auto middle = rest.find(kSession);
    if (middle == std::string_view::npos) return false;
    choice.project = rest.substr(0, middle);
    choice.session = rest.substr(middle + kSession.size());
    return !choice.session.empty();
  }
  return path == "/";
}

Error unknown_protocol(const std::vector<std::string>& offered) {
  std::string list;
  for (const auto& name : offered)
    if (!name.starts_with(kTokenItem)) list += (list.empty() ? "" : ", ") + name.substr(0, 64);
  return {Errc::bad_argument, "no known subprotocol in \"" + list +
                                  "\"; known: terminal.v1 on /terminal/{id}, or none"};
}

}  // namespace

std::unique_ptr<Dialect> make_dialect(std::string_view name) {
  for (const auto make : {make_native_dialect, make_raw_dialect, make_legacy_dialect})
    if (auto dialect = make(); dialect->name() == name) return dialect;
  return nullptr;
}

Result<Choice> choose_dialect(const Upgrade& upgrade) {
  Choice choice;
  const auto& query = upgrade.target.query;
  const std::string_view path = upgrade.target.path;
  const auto text = [&](std::string_view name) {
    const auto it = query.find(name);
    return it == query.end() ? std::string{} : it->second;
  };
  choice.project = text("projectId");
  if (!read_path(path, choice))
    return Error{Errc::bad_argument, "no WebSocket at " + std::string(path.substr(0, 200)) +
                                         "; use /terminal/{id} or /?sessionId="};
  const bool by_terminal_path = path.starts_with("/terminal/");

  bool named = false;
  for (const auto& offered : upgrade.protocols) {
    if (offered.starts_with(kTokenItem)) {
      choice.token = offered.substr(kTokenItem.size());
    } else if (offered == "terminal.v1" && by_terminal_path && !choice.dialect) {
      choice.dialect = make_native_dialect();
    } else {
      named = true;
    }
  }
  if (!choice.dialect && named) return unknown_protocol(upgrade.protocols);
  if (!choice.dialect)
    choice.dialect = by_terminal_path ? make_raw_dialect() : make_legacy_dialect();
  if (choice.token.empty()) choice.token = upgrade.bearer;

  if (!by_terminal_path && choice.session.empty()) choice.session = text("sessionId");
  choice.session = without_project(std::move(choice.session), choice.project);
  if (!choice.session.empty() && !valid_session_id(choice.session))
    return Error{Errc::bad_id,
                 "session id must be 1 to 128 of A-Z a-z 0-9 _ . - and not dots only"};
  if (!valid_project_id(choice.project))
    return Error{Errc::bad_id, "projectId must be at most 128 of A-Z a-z 0-9 _ . -"};
  choice.path = text("path");
  choice.create = text("create") != "false";
  auto size = size_of(query, choice.dialect->default_size());
  if (!size) return size.error();
  choice.size = *size;
  return choice;
}

}  // namespace term::server
