#pragma once
// What outlives the host: sessions, projects, settings, journal, audit and commands in a database
// (STATE.md 3).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/books.h"
#include "store/scrollback.h"

namespace term::store {

/// Newest bytes of a session's output that a row keeps.
inline constexpr std::size_t kMaxScrollback = 256 * 1024;

/// `terminal_sessions` or `terminal_sessions_v2`: each engine's own (STATE.md 3).
enum class Table : std::uint8_t { legacy, refactored };
inline Table table_of(Engine engine) {
  return engine == Engine::legacy ? Table::legacy : Table::refactored;
}

/// A session as a row has it.
struct StoredSession {
  Owners owners;
  /// `stream.data`: the newest scrollback, at most kMaxScrollback bytes that end at
  /// `stream.next_offset`. Written without data: the row keeps the scrollback that it has (of
  /// whichever table), with the offsets of that scrollback. Read with scrollback, the offsets are
  /// the scrollback's; read without, those of the newest state, which may be further on.
  SessionSnapshot snapshot;
  bool operator==(const StoredSession&) const = default;
};

/// A flip, whole, as the journal's JSON has it.
struct FlipRow {
  std::string id;
  WallTime started{};
  std::string entry;  ///< JSON object text.
  bool operator==(const FlipRow&) const = default;
};

/// Who did what (PROTOCOLS.md 4).
struct AuditRow {
  std::uint64_t sequence = 0;  ///< Given by the store, ascending; 0 before.
  WallTime at{};
  std::string who;     ///< `operator`, `environment`, `guard`, `service`.
  std::string from;    ///< Address of the caller, empty for the service itself.
  std::string action;  ///< Method and route, or a word.
  std::string detail;  ///< What was asked for; JSON or text, no secrets.
  std::string result;  ///< `200`, or what failed.
  /// Given by the Writer: a batch that is written again, because nobody said whether it was, has
  /// its rows once. Empty: none. Not read back.
  std::string key;
  bool operator==(const AuditRow&) const = default;
};

/// A command that was typed (STATE.md 3, terminal_commands).
struct CommandRow {
  SessionId session;
  ProjectId project;
  std::string user;
  std::uint64_t sequence = 0;  ///< Per session, from 0.
  WallTime at{};
  std::string command;   ///< Its text, only where recording is switched on; else empty.
  std::string category;  ///< `git`, `build`, …
  Millis duration{0};
  bool failed = false;
  bool operator==(const CommandRow&) const = default;
};

/// Both ends are optional; `limit` newest, answered oldest first.
struct CommandQuery {
  std::optional<SessionId> session;
  std::optional<ProjectId> project;
  std::optional<std::string> user;
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  std::size_t limit = 1000;
};

/// What one transaction writes.
struct Batch {
  struct Session {
    StoredSession stored;
    bool both_tables = false;  ///< Dual write; else the row leaves the other engine's table,
    bool keep_other = false;   ///< or stays there as it is: a copy from table to table.
    /// Instead of `stream.data`, of which the offsets are then those: written as it is.
    std::optional<Scrollback> packed;
    bool has_data() const { return packed || stored.snapshot.stream.data; }
  };
  /// A session may be in here twice, with data and without: the latter is the newer one.
  std::vector<Session> sessions;
  std::vector<SessionId> ended;  ///< Rows go from both tables, before `sessions` come.
  std::vector<ProjectRecord> projects;
  std::vector<ProjectId> ended_projects;
  std::vector<std::pair<std::string, std::string>> settings;  ///< Key, JSON text.
  std::vector<FlipRow> flips;                                 ///< A known id is replaced.
  std::vector<AuditRow> audit;
  std::vector<CommandRow> commands;  ///< A known (session, sequence) is replaced.
  bool empty() const;
};

/// A database. Blocking, and one thread at a time: see Writer for everybody else.
///
/// Errors of every operation: store_unavailable, with the database's own words and without
/// passwords; what was asked for has then not happened, or not been confirmed.
class Store {
 public:
  virtual ~Store() = default;

  virtual std::string_view name() const = 0;  ///< `sqlite` or `postgresql`.
  /// Number of the newest migration that is in effect; 0 = an empty database.
  virtual Result<int> version() = 0;
  /// Migrates forward or back to `target`. Errors: also bad_argument for one that does not exist.
  virtual Result<void> migrate(int target) = 0;

  /// All of it or nothing.
  virtual Result<void> write(const Batch& batch) = 0;

  /// With scrollback.
  virtual Result<std::optional<StoredSession>> session(Table table, const SessionId& id) = 0;
  /// The next `limit` rows after `after` by ascending id; without scrollback unless asked for.
  virtual Result<std::vector<StoredSession>> sessions(Table table, const SessionId& after,
                                                      std::size_t limit, bool scrollback) = 0;
  virtual Result<std::vector<ProjectRecord>> projects() = 0;
  virtual Result<std::optional<std::string>> setting(std::string_view key) = 0;
  virtual Result<std::vector<FlipRow>> flips(std::size_t limit) = 0;   ///< Newest first.
  virtual Result<std::vector<AuditRow>> audit(std::size_t limit) = 0;  ///< Newest first.
  virtual Result<std::vector<CommandRow>> commands(const CommandQuery& query) = 0;
  /// Makes what runs now fail soon. Thread: any.
  virtual void interrupt() {}
};

/// Where a store is, from the configuration.
struct Location {
  std::string database_url;  ///< `postgresql://…`; empty = SQLite.
  std::string sqlite_path;   ///< The file, made when missing, 0600.
};

/// Which database that is, without secrets.
std::string shown(const Location& location);

/// Opens it and, with `migrate`, brings it to the newest version. Errors: store_unavailable.
Result<std::unique_ptr<Store>> open_store(const Location& location, bool migrate = true);

}  // namespace term::store
