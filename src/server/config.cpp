#include "server/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <thread>

#include "server/config_dotenv.h"
#include "server/config_table.h"
#include "server/config_values.h"

namespace term::server {

namespace {

using Values = std::map<std::string, std::string>;

constexpr std::string_view kFamily = "TERMINAL_";
constexpr unsigned kMaxShards = 64;

/// Every shell of ours carries these, so a service started in one must not complain about them.
constexpr std::array<std::string_view, 2> kOfOurShells{"TERMINAL_SESSION_ID",
                                                       "TERMINAL_PROJECT_ID"};

/// Number of single-character edits between two names.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, replaced});
      diagonal = above;
    }
  }
  return row.back();
}

const ConfigKey& nearest(std::string_view name) {
  return *std::ranges::min_element(
      config_keys(), {}, [name](const ConfigKey& key) { return distance(name, key.name); });
}

bool known(std::string_view name) {
  return std::ranges::find(config_keys(), name, &ConfigKey::name) != config_keys().end();
}

/// True for a name that is meant for us though it is none of ours: of the family, or a slip of the
/// finger away from a key (`MAX_TERMINAL_SESSION`). Short names are left out: `POST` is not `PORT`.
bool meant_for_us(std::string_view name) {
  if (known(name)) return false;
  return name.starts_with(kFamily) || (name.size() > 8 && distance(name, nearest(name).name) <= 2);
}

/// A value as it may stand in a message: short, one line, printable.
std::string shown(std::string_view value) {
  constexpr std::size_t kMax = 60;
  std::string text;
  for (const char c : value.substr(0, kMax)) text += c < ' ' || c > '~' ? '?' : c;
  return text + (value.size() > kMax ? "..." : "");
}

/// The strongest source that mentions a key.
struct Found {
  std::string value;
  Source source = Source::fallback;
  std::string where;
};

/// One reading of all sources: collects problems rather than stopping at the first.
class Loader {
 public:
  Loader(const Values& flags, const Values& environment, const Dotenv& dotenv)
      : flags_(flags), environment_(environment), dotenv_(dotenv) {}

  Result<Config> load() {
    refuse_unknown_names();
    config_.shards = std::clamp(std::thread::hardware_concurrency(), 1U, kMaxShards);
    for (const ConfigRow& row : config_rows()) set(row);
    compute_defaults();
    check_together();
    if (!problems_.empty()) return Error{Errc::bad_argument, problems_};
    return std::move(config_);
  }

 private:
  void problem(const std::string& text) { problems_ += (problems_.empty() ? "" : "\n") + text; }

  Found find(const ConfigKey& key) const {
    const std::string name(key.name);
    if (const auto it = flags_.find(name); it != flags_.end()) {
      return {it->second, Source::flag, "flag " + flag_name(key)};
    }
    if (const auto it = environment_.find(name); it != environment_.end()) {
      return {it->second, Source::environment, "environment"};
    }
    if (const auto it = dotenv_.find(name); it != dotenv_.end()) {
      return {it->second.value, Source::dotenv, ".env line " + std::to_string(it->second.line)};
    }
    return {};
  }

  void set(const ConfigRow& row) {
    Found found = find(row.key);
    if (found.value.empty()) {
      if (row.computed) return;
      found = {std::string(row.key.fallback), Source::fallback, "default"};
    }
    const std::string expected = row.set(config_, found.value, found.source);
    if (expected.empty()) return;
    problem(std::string(row.key.name) + (row.key.secret ? "" : "=" + shown(found.value)) + " (" +
            found.where + "): " + expected);
  }

  void refuse_unknown_names() {
    for (const auto& [name, value] : flags_) {
      if (known(name)) continue;
      problem(flag_name({.name = name}) + " is not an option; did you mean " +
              flag_name(nearest(name)) + "?");
    }
    for (const auto& [name, entry] : dotenv_) {
      if (!meant_for_us(name)) continue;
      problem(shown(name) + " (.env line " + std::to_string(entry.line) +
              ") is not a key; did you mean " + std::string(nearest(name).name) + "?");
    }
    for (const auto& [name, value] : environment_) {
      if (!name.starts_with(kFamily) || known(name)) continue;
      if (std::ranges::find(kOfOurShells, name) != kOfOurShells.end()) continue;
      config_.warnings.push_back(shown(name) + " in the environment is not a key; did you mean " +
                                 std::string(nearest(name).name) + "?");
    }
  }

  void compute_defaults() {
    if (config_.state_dir.empty()) {
      config_.state_dir = default_state_dir(environment_, geteuid() == 0);
      if (config_.state_dir.empty()) {
        problem("TERMINAL_STATE_DIR is unset, and there is no HOME to put the state in; set it");
      }
    }
    if (!config_.error_log && config_.log_dir) {
      config_.error_log = *config_.log_dir / "terminal-error.log";
    }
  }

  void check_together() {
    if (config_.ws_port != 0 && config_.ws_port == config_.http_port) {
      problem("TERMINAL_WS_PORT and PORT are both " + std::to_string(config_.ws_port) +
              "; give two different ports");
    }
    if (!config_.loopback_only() && !(config_.token && config_.admin_token)) {
      problem("HOST=" + shown(config_.host) +
              " is reachable from other machines; set both TERMINAL_TOKEN and "
              "TERMINAL_ADMIN_TOKEN, or bind 127.0.0.1");
    }
    if (config_.token && config_.token == config_.admin_token) {
      config_.warnings.emplace_back(
          "TERMINAL_TOKEN and TERMINAL_ADMIN_TOKEN are the same, so every terminal's client is an "
          "administrator");
    }
  }

  const Values& flags_;
  const Values& environment_;
  const Dotenv& dotenv_;
  Config config_;
  std::string problems_;
};

}  // namespace

std::string_view to_string(Source source) {
  switch (source) {
    case Source::flag:
      return "flag";
    case Source::environment:
      return "environment";
    case Source::dotenv:
      return ".env";
    case Source::fallback:
      return "default";
  }
  return "default";
}

bool Config::loopback_only() const { return is_loopback(host); }

Result<Config> load_config(const Values& flags, const Values& environment,
                           const std::filesystem::path& dotenv) {
  const auto file = read_dotenv(dotenv);
  if (!file) return file.error();
  return Loader(flags, environment, *file).load();
}

std::filesystem::path default_state_dir(const Values& environment, bool root) {
  const auto variable = [&environment](const char* name) {
    const auto it = environment.find(name);
    return it == environment.end() ? std::filesystem::path{} : std::filesystem::path(it->second);
  };
  // The XDG specification: a relative path there is to be ignored.
  if (const auto xdg = variable("XDG_STATE_HOME"); xdg.is_absolute()) {
    return xdg / "terminal-service";
  }
  if (root) return "/var/lib/terminal-service";
  if (const auto home = variable("HOME"); home.is_absolute()) {
    return home / ".local/state/terminal-service";
  }
  return {};
}

}  // namespace term::server
