#include "session/shell.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

namespace term {

namespace {

using Environment = std::map<std::string, std::string>;

/// Make a shell or its programs run other people's code, or talk to the service's supervisor.
/// Source: ld.so(8), bash(1) INVOCATION, sd_notify(3), reference/reliability.md 1.
constexpr std::array<std::string_view, 12> kHooks{
    "GCONV_PATH",    "BASH_ENV",       "ENV",
    "PS4",           "PROMPT_COMMAND", "SHELLOPTS",
    "BASHOPTS",      "MALLOC_TRACE",   "GLIBC_TUNABLES",
    "NOTIFY_SOCKET", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY"};
constexpr std::array<std::string_view, 3> kHookPrefixes{"LD_", "LISTEN_", "WATCHDOG_"};

/// The service's own configuration (DESIGN.md 10).
constexpr std::array<std::string_view, 9> kOwn{"HOST",
                                               "PORT",
                                               "DATABASE_URL",
                                               "REDIS_URL",
                                               "SLACK_WEBHOOK",
                                               "MAX_TERMINAL_SESSIONS",
                                               "MAX_SESSIONS_PER_PROJECT",
                                               "MAX_FOCUSED_PER_PROJECT",
                                               "MAX_TERMINAL_CREATIONS_PER_MIN"};
constexpr std::string_view kOwnPrefix = "TERMINAL_";

/// What the service inherited from the build or the terminal that started it: wrong in any other.
constexpr std::array<std::string_view, 14> kStale{"MAKEFLAGS",
                                                  "MFLAGS",
                                                  "MAKELEVEL",
                                                  "NINJA_STATUS",
                                                  "LINES",
                                                  "COLUMNS",
                                                  "TERMCAP",
                                                  "TERM_PROGRAM",
                                                  "TMUX",
                                                  "TMUX_PANE",
                                                  "STY",
                                                  "OLDPWD",
                                                  "TERM_PROGRAM_VERSION",
                                                  "_"};

constexpr std::array<std::string_view, 7> kSecretWords{
    "TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool valid_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::ranges::all_of(name, name_char);
}

bool is_hook(std::string_view name) {
  return std::ranges::find(kHooks, name) != kHooks.end() ||
         std::ranges::any_of(kHookPrefixes,
                             [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_secret(std::string_view name) {
  const std::string word = upper(name);
  return std::ranges::any_of(kSecretWords, [&](std::string_view secret) {
    return word.find(secret) != std::string::npos;
  });
}

bool is_own(std::string_view name) {
  return name.starts_with(kOwnPrefix) || std::ranges::find(kOwn, name) != kOwn.end();
}

bool is_stale(std::string_view name) { return std::ranges::find(kStale, name) != kStale.end(); }

/// A value that execve would cut short is not the value that was meant.
bool usable(std::string_view name, std::string_view value) {
  return valid_name(name) && !is_hook(name) && value.find('\0') == std::string_view::npos;
}

std::string_view value_of(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string_view() : std::string_view(found->second);
}

bool is_directory(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

bool executable(const std::string& path) {
  std::error_code ignored;
  return path.starts_with('/') && std::filesystem::is_regular_file(path, ignored) &&
         ::access(path.c_str(), X_OK) == 0;
}

/// Login shells of system users: they run, say no and end.
bool refuses_logins(const std::string& path) {
  const auto name = std::filesystem::path(path).filename();
  return name == "nologin" || name == "false" || name == "true";
}

}  // namespace

Result<Shell> first_shell(const std::vector<std::string>& candidates) {
  std::string tried;
  for (const std::string& path : candidates) {
    if (executable(path) && !refuses_logins(path)) {
      const auto name = std::filesystem::path(path).filename();
      const bool takes_login = name == "bash" || name == "zsh";
      return Shell{path, takes_login ? std::vector<std::string>{"-l"} : std::vector<std::string>{}};
    }
    tried += (tried.empty() ? "" : ", ") + path;
  }
  return Error{Errc::no_shell, "no shell to start: none of " + tried +
                                   " is an executable file that accepts logins; install one or "
                                   "set SHELL to the absolute path of another"};
}

Result<Shell> choose_shell(const Environment& environment) {
  std::vector<std::string> candidates{"/bin/bash",   "/usr/bin/bash", "/bin/sh",
                                      "/usr/bin/sh", "/bin/dash",     "/bin/ash"};
  const std::string_view wanted = value_of(environment, "SHELL");
  if (!wanted.empty()) candidates.insert(candidates.begin(), std::string(wanted));
  return first_shell(candidates);
}

std::string choose_directory(const std::string& requested, const Environment& environment) {
  if (requested.starts_with('/')) {
    if (is_directory(requested)) return requested;
    std::error_code ignored;
    const std::string parent = std::filesystem::path(requested).parent_path();
    if (std::filesystem::exists(requested, ignored) && is_directory(parent)) return parent;
  }
  const std::string home(value_of(environment, "HOME"));
  return is_directory(home) ? home : "/";
}

std::vector<std::string> shell_environment(const Environment& service, const Environment& additions,
                                           const Shell& shell, const std::string& directory,
                                           const SessionId& id, const ProjectId& project) {
  Environment result;
  for (const auto& [name, value] : service) {
    if (usable(name, value) && !is_own(name) && !is_secret(name) && !is_stale(name)) {
      result[name] = value;
    }
  }
  for (const auto& [name, value] : additions) {
    if (usable(name, value)) result[name] = value;
  }
  if (value_of(result, "LANG").empty()) result["LANG"] = "C.UTF-8";
  result["TERM"] = "xterm-256color";
  result["COLORTERM"] = "truecolor";
  result["SHELL"] = shell.path;
  result["PWD"] = directory;
  result["TERMINAL_SESSION_ID"] = id;
  result["TERMINAL_PROJECT_ID"] = project;

  std::vector<std::string> lines;
  lines.reserve(result.size());
  for (const auto& [name, value] : result) lines.push_back(name + "=" + value);
  return lines;
}

Environment process_environment() {
  Environment result;
  for (char** line = ::environ; line != nullptr && *line != nullptr; ++line) {
    const std::string_view text = *line;
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

}  // namespace term
