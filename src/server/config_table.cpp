#include "server/config_table.h"

#include <algorithm>
#include <array>
#include <limits>

#include "server/config_values.h"
#include "server/redis_worker.h"

namespace term::server {

namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kGiB = kKiB * kKiB * kKiB;
constexpr std::uint64_t kMaxCount = 1'000'000;
constexpr std::size_t kMinTokenLength = 16;
constexpr std::array<std::string_view, 7> kLogLevels{"trace", "debug",    "info", "warn",
                                                     "error", "critical", "off"};

template <auto member, std::uint64_t min, std::uint64_t max>
std::string set_number(Config& config, std::string_view text, Source) {
  const auto number = parse_number(text);
  if (!number || *number < min || *number > max) {
    return "give a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  }
  config.*member = static_cast<std::remove_reference_t<decltype(config.*member)>>(*number);
  return {};
}

template <auto member, std::uint64_t min = kKiB, std::uint64_t max_gib = 1>
std::string set_bytes(Config& config, std::string_view text, Source) {
  const auto bytes = parse_bytes(text);
  if (!bytes || *bytes < min || *bytes > max_gib * kGiB) {
    return "give a size from " + std::to_string(min) + " bytes to " + std::to_string(max_gib) +
           "GiB, such as 65536, 64KiB or 1MiB";
  }
  config.*member = static_cast<std::size_t>(*bytes);
  return {};
}

template <auto member>
std::string set_percent(Config& config, std::string_view text, Source) {
  const auto percent = parse_percent(text);
  if (!percent) return "give a number of percent from 0 to 100, such as 1, 0.5 or 80";
  config.*member = *percent;
  return {};
}

template <auto member, bool zero_allowed>
std::string set_duration(Config& config, std::string_view text, Source) {
  constexpr Millis kMin{10};
  const auto duration = parse_duration(text);
  if (!duration || (*duration < kMin && !(zero_allowed && *duration == Millis{0}))) {
    return std::string("give a time such as 500ms, 30s, 30min or 2h") +
           (zero_allowed ? ", or 0" : ", at least 10ms");
  }
  config.*member = *duration;
  return {};
}

template <auto member>
std::string set_flag(Config& config, std::string_view text, Source source) {
  const auto value = parse_boolean(text);
  if (!value) return "give true, 1, yes, on, false, 0, no or off";
  config.*member = FlagSetting{value, source};
  return {};
}

template <auto member>
std::string set_bool(Config& config, std::string_view text, Source) {
  const auto value = parse_boolean(text);
  if (!value) return "give true, 1, yes, on, false, 0, no or off";
  config.*member = *value;
  return {};
}

template <auto member>
std::string set_path(Config& config, std::string_view text, Source) {
  std::error_code error;
  const auto path = std::filesystem::absolute(std::filesystem::path(text), error);
  if (error || text.find('\0') != std::string_view::npos) return "give the path of a file system";
  config.*member = path.lexically_normal();
  return {};
}

/// A token travels in a header, so it is of visible ASCII without blanks.
template <auto member>
std::string set_token(Config& config, std::string_view text, Source) {
  if (text.size() < kMinTokenLength) {
    return "give at least " + std::to_string(kMinTokenLength) + " characters (this one has " +
           std::to_string(text.size()) + "); openssl rand -hex 32 makes a good one";
  }
  if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; })) {
    return "use visible ASCII characters only, no blanks";
  }
  config.*member = std::string(text);
  return {};
}

std::string set_host(Config& config, std::string_view text, Source) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  std::string host;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != ':' && c != '-' && c != '_') {
      return "give an address or a host name, without a port";
    }
    host += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (host.empty()) return "give an address or a host name, without a port";
  config.host = std::move(host);
  return {};
}

std::string set_database(Config& config, std::string_view text, Source) {
  // The second form is libpq's own, "host=... dbname=...", which pg_dump takes as well.
  const bool keywords = text.find("://") == std::string_view::npos && text.find('=') != text.npos;
  if (!text.starts_with("postgres://") && !text.starts_with("postgresql://") && !keywords) {
    return "give postgresql://user@host:port/name, or leave it unset for SQLite";
  }
  config.database_url = std::string(text);
  return {};
}

std::string set_redis(Config& config, std::string_view text, Source) {
  if (!text.starts_with("redis://") && !text.starts_with("unix://")) {
    return "give redis://host:port/number or unix:///path, or leave it unset";
  }
  if (auto address = parse_redis_url(text); !address)
    return address.error().detail + "; give redis://host:port/number or unix:///path";
  config.redis_url = std::string(text);
  return {};
}

std::string set_webhook(Config& config, std::string_view text, Source) {
  if (!text.starts_with("https://") && !text.starts_with("http://")) {
    return "give an http:// or https:// address, or leave it unset";
  }
  config.slack_webhook = std::string(text);
  return {};
}

std::string set_origins(Config& config, std::string_view text, Source) {
  std::vector<Origin> origins;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view entry = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (entry.empty()) continue;
    const auto origin = parse_allowed_origin(entry);
    if (!origin) {
      return "\"" + std::string(entry) +
             "\" is not an origin; give http(s)://host[:port] in lower case, with commas between; "
             "'*.' may stand as the whole first label of a longer name";
    }
    origins.push_back(*origin);
  }
  if (origins.empty()) return "give at least one origin, or leave it unset";
  config.allowed_origins = std::move(origins);
  return {};
}

std::string set_log_level(Config& config, std::string_view text, Source) {
  if (std::ranges::find(kLogLevels, text) == kLogLevels.end()) {
    return "give trace, debug, info, warn, error, critical or off";
  }
  config.log_level = std::string(text);
  return {};
}

std::string set_close_1000(Config& config, std::string_view text, Source) {
  if (text != "keep" && text != "kill") return "give keep or kill";
  config.close_1000 = text == "kill" ? CloseNormal::kill : CloseNormal::keep;
  return {};
}

std::string set_holder(Config& config, std::string_view text, Source) {
  if (text != "auto" && text != "none") return "give auto or none";
  config.holder = text == "none" ? HolderUse::none : HolderUse::automatic;
  return {};
}

// clang-format off
constexpr ConfigRow kRows[] = {
    {{"HOST", "127.0.0.1", "address", "Address or name that both ports listen on; beyond loopback both tokens are required"}, set_host},
    {{"TERMINAL_WS_PORT", "4001", "port", "WebSocket port; 0 = any free port"}, set_number<&Config::ws_port, 0, 65535>},
    {{"PORT", "4000", "port", "HTTP port; 0 = any free port"}, set_number<&Config::http_port, 0, 65535>},
    {{"TERMINAL_STATE_DIR", "$XDG_STATE_HOME/terminal-service", "path", "Store, sockets and service.json; without XDG_STATE_HOME /var/lib/terminal-service for root, ~/.local/state/terminal-service for others"}, set_path<&Config::state_dir>, true},
    {{"DATABASE_URL", "unset", "URL", "PostgreSQL; unset = SQLite in the state directory", true}, set_database, true},
    {{"REDIS_URL", "unset", "URL", "Redis as cache; unset = a cache in the process", true}, set_redis, true},
    {{"TERMINAL_LEGACY_MODE", "unset", "boolean", "true: every session is served by the legacy engine, and nothing overrides it"}, set_flag<&Config::legacy_mode>, true},
    {{"TERMINAL_REFACTOR_ENABLED", "true", "boolean", "Engine of new sessions where no stored flag says otherwise"}, set_flag<&Config::refactor_enabled>, true},
    {{"TERMINAL_DUAL_WRITE", "false", "boolean", "Keep the books of both engines up to date for every session"}, set_flag<&Config::dual_write>, true},
    {{"TERMINAL_AUTO_ROLLBACK", "false", "boolean", "Flip back by itself if a flip goes wrong"}, set_flag<&Config::auto_rollback>, true},
    {{"TERMINAL_SHARDS", "cores", "1..64", "Event loops, each with its own thread and sessions; also --shards"}, set_number<&Config::shards, 1, 64>, true},
    {{"TERMINAL_RING_BYTES", "1MiB", "bytes", "Output kept for one session; memory is taken only as it fills"}, set_bytes<&Config::ring_bytes, 4 * kKiB>},
    {{"TERMINAL_MEMORY_RESERVE", "128MiB", "bytes", "Memory of the machine, or of the control group, to be left free: with less, scrollback is given up beyond 64 KiB a session, then new sessions are refused; 0 = nobody looks"}, set_bytes<&Config::memory_reserve_bytes, 0, 1024>},
    {{"TERMINAL_HOLDER", "auto", "auto, none", "auto: shells live with terminal-holder, which is started if there is none, and outlive the service; none: they end with the service; also --holder"}, set_holder, true},
    {{"TERMINAL_EXACT", "true", "boolean", "false: bytes pass without staging pipes, so a crash loses or repeats some; for the control run of the tests"}, set_bool<&Config::exact>},
    {{"TERMINAL_DETACHED_TTL", "30min", "duration", "A session without a viewer ends after this; 0 = never"}, set_duration<&Config::detached_ttl, true>},
    {{"TERMINAL_SUSPENSION_TTL", "30min", "duration", "A suspended session ends after this; 0 = never"}, set_duration<&Config::suspension_ttl, true>},
    {{"MAX_TERMINAL_SESSIONS", "10000", "number", "Sessions of the service; more are refused"}, set_number<&Config::max_sessions, 1, kMaxCount>},
    {{"MAX_SESSIONS_PER_PROJECT", "1000", "number", "Sessions of one project; more are refused"}, set_number<&Config::max_sessions_per_project, 1, kMaxCount>},
    {{"MAX_FOCUSED_PER_PROJECT", "10", "number", "Focused sessions of one project; more are refused"}, set_number<&Config::max_focused_per_project, 1, kMaxCount>},
    {{"MAX_TERMINAL_CREATIONS_PER_MIN", "600", "number", "New sessions a minute; more are refused"}, set_number<&Config::max_creations_per_minute, 1, kMaxCount>},
    {{"TERMINAL_ADMIN_TOKEN", "unset", "token", "What the admin API asks for; at least 16 characters", true}, set_token<&Config::admin_token>, true},
    {{"TERMINAL_TOKEN", "unset", "token", "What terminals and their API ask for; at least 16 characters", true}, set_token<&Config::token>, true},
    {{"TERMINAL_ALLOWED_ORIGINS", "own ports on loopback", "origins", "Pages that may connect, with commas between; replaces the default, which is http on localhost, 127.0.0.1 and [::1] at the two ports. Their host names are also accepted as Host"}, set_origins, true},
    {{"TERMINAL_INPUT_QUEUE_BYTES", "1MiB", "bytes", "Input of one session that waits for its shell; then its clients are no longer read"}, set_bytes<&Config::input_queue_bytes>},
    {{"TERMINAL_VIEWER_WINDOW_BYTES", "512KiB", "bytes", "Output sent to one viewer and not yet acknowledged; then it waits"}, set_bytes<&Config::viewer_window_bytes>},
    {{"TERMINAL_MAX_MESSAGE_BYTES", "10MiB", "bytes", "Largest message from a client, inflated; beyond it the connection closes with 1009"}, set_bytes<&Config::max_message_bytes>},
    {{"TERMINAL_HANDSHAKE_TIMEOUT", "10s", "duration", "From accept to the end of the WebSocket handshake"}, set_duration<&Config::handshake_timeout, false>},
    {{"TERMINAL_MAX_HALF_OPEN", "512", "number", "Connections that have not finished the handshake"}, set_number<&Config::max_half_open, 1, kMaxCount>},
    {{"TERMINAL_PING_INTERVAL", "30s", "duration", "Silence after which a viewer is pinged"}, set_duration<&Config::ping_interval, false>},
    {{"TERMINAL_WS_COMPRESSION", "false", "boolean", "permessage-deflate for clients that offer it"}, set_bool<&Config::ws_compression>},
    {{"TERMINAL_CLOSE_1000", "keep", "keep, kill", "What a normal close (1000) of a legacy connection does to its session"}, set_close_1000},
    {{"TERMINAL_ALERT_CPU", "80", "percent", "Alert beyond it: CPU time of the service, 100 = all its event loops busy"}, set_percent<&Config::alert_cpu_percent>},
    {{"TERMINAL_ALERT_MEMORY", "2GiB", "bytes", "Alert beyond it: memory of the service"}, set_bytes<&Config::alert_memory_bytes, kKiB, 1024>},
    {{"TERMINAL_ALERT_ERROR_RATE", "1", "percent", "Alert beyond it: failed operations of the last 5 minutes; also the guard's threshold"}, set_percent<&Config::alert_error_percent>},
    {{"TERMINAL_ALERT_RESPONSE_TIME", "500ms", "duration", "Alert beyond it: mean duration of an operation; also the guard's threshold"}, set_duration<&Config::alert_response_time, false>},
    {{"TERMINAL_ALERT_SESSION_LOSS", "0", "number", "Alert beyond it: sessions lost in the last 5 minutes; also the guard's threshold"}, set_number<&Config::alert_session_loss, 0, kMaxCount>},
    {{"TERMINAL_OBSERVATION_TIME", "5min", "duration", "How long the guard (TERMINAL_AUTO_ROLLBACK) watches after a flip"}, set_duration<&Config::observation_time, false>},
    {{"TERMINAL_GUARD_MIN_OPERATIONS", "20", "number", "The guard judges rate and time only after as many operations since the flip"}, set_number<&Config::guard_min_operations, 1, kMaxCount>},
    {{"TERMINAL_RECORD_COMMANDS", "false", "boolean", "Log and store the text of commands, as typed while the tty echoes; else only their kinds"}, set_bool<&Config::record_commands>},
    {{"SLACK_WEBHOOK", "unset", "URL", "Where alerts and rollback notices are posted", true}, set_webhook, true},
    {{"TERMINAL_LOG_DIR", "stderr", "path", "Directory of the log files; unset = the log goes to stderr"}, set_path<&Config::log_dir>, true},
    {{"TERMINAL_LOG_LEVEL", "info", "level", "trace, debug, info, warn, error, critical or off"}, set_log_level},
    {{"TERMINAL_ERROR_LOG", "TERMINAL_LOG_DIR/terminal-error.log", "path", "File of the errors alone; none if TERMINAL_LOG_DIR is unset as well"}, set_path<&Config::error_log>, true},
};
// clang-format on

}  // namespace

std::span<const ConfigRow> config_rows() { return kRows; }

}  // namespace term::server
