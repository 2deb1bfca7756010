#pragma once
// The service's configuration: one table of keys, four sources, one validated value.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/origin.h"
#include "session/types.h"

namespace term::server {

/// Where a value came from, strongest first.
enum class Source : std::uint8_t { flag, environment, dotenv, fallback };
std::string_view to_string(Source source);  ///< `flag`, `environment`, `.env`, `default`

/// One of the four engine flags of DESIGN.md 7. `value` is empty where nobody set it, which is not
/// the same as `false`: a stored flag then decides.
struct FlagSetting {
  std::optional<bool> value;
  Source source = Source::fallback;
  bool operator==(const FlagSetting&) const = default;
};

/// What a normal close (1000) of a legacy connection does to its session.
enum class CloseNormal : std::uint8_t { keep, kill };

/// Where shells live.
enum class HolderUse : std::uint8_t { automatic, none };

/// Every key of DESIGN.md 10, validated. A plain value; the defaults here are those of the table.
struct Config {
  std::string host = "127.0.0.1";   ///< Address or name; an IPv6 address without brackets.
  std::uint16_t ws_port = 4001;     ///< 0 = any free port.
  std::uint16_t http_port = 4000;   ///< 0 = any free port.
  std::filesystem::path state_dir;  ///< Absolute; not created here.

  std::optional<std::string> database_url;  ///< Unset = SQLite in `state_dir`.
  std::optional<std::string> redis_url;     ///< Unset = in-process cache.

  FlagSetting legacy_mode;
  FlagSetting refactor_enabled;
  FlagSetting dual_write;
  FlagSetting auto_rollback;

  unsigned shards = 1;                       ///< 1..64; the default is the number of cores.
  std::size_t ring_bytes = 1024 * 1024;      ///< Output kept for one session.
  HolderUse holder = HolderUse::automatic;   ///< Without `state_dir` there is none.
  std::filesystem::path holder_program;      ///< Not a key: empty = beside our own program.
  std::uint64_t soft_open_files = 0;         ///< Not a key: what shells begin with; 0 = ours.
  std::string program;                       ///< Not a key: our own, as it is on disk.
  std::map<std::string, std::string> flags;  ///< Not a key: the command line's, by key.
  bool exact = true;                         ///< Staging pipes between ptys and rings.
  Millis detached_ttl{30 * 60 * 1000};       ///< 0 = a detached session never ends by itself.
  Millis suspension_ttl{30 * 60 * 1000};     ///< 0 = a suspended session never ends by itself.

  std::size_t max_sessions = 10000;
  std::size_t max_sessions_per_project = 1000;
  std::size_t max_focused_per_project = 10;
  std::size_t max_creations_per_minute = 600;

  std::optional<std::string> admin_token;
  std::optional<std::string> token;
  std::vector<Origin> allowed_origins;  ///< Empty = default_origins() of the ports in use.

  std::size_t input_queue_bytes = 1024 * 1024;       ///< Per session; DESIGN.md 6.
  std::size_t viewer_window_bytes = 512 * 1024;      ///< Unacknowledged output of one viewer.
  std::size_t max_message_bytes = 10 * 1024 * 1024;  ///< Larger from a client: close 1009.
  Millis handshake_timeout{10 * 1000};  ///< From accept to the end of the WebSocket handshake.
  std::size_t max_half_open = 512;      ///< Connections that have not finished it.
  Millis ping_interval{30 * 1000};
  bool ws_compression = false;  ///< permessage-deflate for clients that offer it.
  CloseNormal close_1000 = CloseNormal::keep;

  std::optional<std::string> slack_webhook;
  std::optional<std::filesystem::path> log_dir;  ///< Unset = the log goes to stderr.
  std::string log_level = "info";  ///< trace, debug, info, warn, error, critical or off.
  std::optional<std::filesystem::path> error_log;  ///< Unset with log_dir unset: none is written.

  // OPERATIONS.md 3: an alert fires beyond these.
  double alert_cpu_percent = 80;  ///< Of what the shards' threads can use together.
  std::size_t memory_reserve_bytes = 128UL * 1024 * 1024;  ///< 0 = nobody looks; see MemoryWatch.
  std::size_t alert_memory_bytes = 2UL * 1024 * 1024 * 1024;
  double alert_error_percent = 1;
  Millis alert_response_time{500};
  std::size_t alert_session_loss = 0;
  Millis observation_time{5 * 60 * 1000};  ///< After a flip; see Guard.
  std::size_t guard_min_operations = 20;   ///< Fewer since the flip prove nothing.
  bool record_commands = false;            ///< The text of commands is logged and stored.

  std::vector<std::string> warnings;  ///< One sentence each, for the log; never a secret.

  /// True if `host` is 127.0.0.0/8, ::1 or localhost.
  bool loopback_only() const;
};

/// One row of the table behind --help, docs/configuration.md and load_config().
struct ConfigKey {
  std::string_view name;      ///< As in the environment; the flag is the same with `-`, lower case.
  std::string_view fallback;  ///< The default as a user would write it, or `unset`.
  std::string_view unit;      ///< What a value looks like: `port`, `bytes`, `duration`, ...
  std::string_view help;
  bool secret = false;  ///< Its value never appears in a message, and is wiped from argv.
};
std::span<const ConfigKey> config_keys();

/// `TERMINAL_WS_PORT` to `--terminal-ws-port`.
std::string flag_name(const ConfigKey& key);

/// The key table for --help, and the same as the Markdown table of docs/configuration.md.
std::string config_help();
std::string config_table();

/// Reads and validates. `flags` is keyed by ConfigKey::name; a missing `dotenv` file is no error,
/// an unreadable one is. An empty value means "as if unset", and hides weaker sources.
/// Thread: any. Read it again on SIGHUP with the same flags.
/// Errors: bad_argument, one line for every problem; each names the key, the source and a way out.
Result<Config> load_config(const std::map<std::string, std::string>& flags,
                           const std::map<std::string, std::string>& environment,
                           const std::filesystem::path& dotenv);

/// Where state goes if TERMINAL_STATE_DIR is unset: `$XDG_STATE_HOME/terminal-service`, else
/// /var/lib/terminal-service for root, else `~/.local/state/terminal-service`; empty without HOME.
std::filesystem::path default_state_dir(const std::map<std::string, std::string>& environment,
                                        bool root);

}  // namespace term::server
