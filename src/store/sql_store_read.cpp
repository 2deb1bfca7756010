// What the store gives back.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "session/snapshot_json.h"
#include "store/migrations.h"
#include "store/sql_store.h"

namespace term::store {

namespace {

std::string text_at(const Row& row, std::size_t column) {
  return row.at(column).value_or(std::string());
}

std::uint64_t number_at(const Row& row, std::size_t column) {
  return std::stoull(row.at(column).value_or("0"));
}

/// `1` or `t`.
bool flag_at(const Row& row, std::size_t column) {
  const std::string text = text_at(row, column);
  return text == "1" || text == "t";
}

WallTime time_at(const Row& row, std::size_t column) {
  const auto time = time_of_column(text_at(row, column));
  return time ? *time : WallTime{};
}

Error unreadable(Table table, const Row& row, const Error& why) {
  Error error = why;
  error.detail = name_of(table) + " " + text_at(row, 0) + ": " + why.detail;
  return error;
}

LegacyRow legacy_row(const Row& row, bool scrollback) {
  LegacyRow read{.id = text_at(row, 0),
                 .project_id = text_at(row, 1),
                 .user_id = row.at(2),
                 .type = text_at(row, 3),
                 .tab_name = text_at(row, 4),
                 .active = flag_at(row, 5),
                 .current_path = text_at(row, 6),
                 .pid = std::nullopt,
                 .metadata = text_at(row, 8),
                 .created_at = text_at(row, 9),
                 .updated_at = text_at(row, 10)};
  if (row.at(7)) read.pid = std::stoll(*row.at(7));
  if (scrollback) read.output = text_at(row, 11);
  return read;
}

RefactoredRow refactored_row(const Row& row, bool scrollback) {
  RefactoredRow read{.id = text_at(row, 0),
                     .project_id = text_at(row, 1),
                     .user_id = text_at(row, 2),
                     .state = text_at(row, 3),
                     .created_at = text_at(row, 4),
                     .updated_at = text_at(row, 5),
                     .last_activity = text_at(row, 6),
                     .scrollback = std::nullopt};
  if (scrollback && row.at(7))
    read.scrollback = Scrollback{number_at(row, 8), number_at(row, 9), *row.at(7)};
  return read;
}

}  // namespace

std::string name_of(Table table) {
  return table == Table::legacy ? "terminal_sessions" : "terminal_sessions_v2";
}

std::string columns_of(Table table, bool scrollback) {
  if (table == Table::legacy)
    return std::string(
               "id, project_id, user_id, type, tab_name, active, current_path, pid, "
               "metadata, created_at, updated_at") +
           (scrollback ? ", output" : "");
  return std::string("id, project_id, user_id, state, created_at, updated_at, last_activity") +
         (scrollback ? ", scrollback, scrollback_first, scrollback_next" : "");
}

Result<StoredSession> session_in(Table table, const Row& row, bool scrollback) {
  auto stored = table == Table::legacy ? from_row(legacy_row(row, scrollback))
                                       : from_row(refactored_row(row, scrollback));
  if (!stored) return unreadable(table, row, stored.error());
  return stored;
}

Result<std::optional<Scrollback>> scrollback_in(Table table, const Row& row) {
  if (table == Table::legacy) return scrollback_of(legacy_row(row, true).output);
  return refactored_row(row, true).scrollback;
}

Result<std::optional<StoredSession>> SqlStore::session(Table table, const SessionId& id) {
  auto rows = select_in(columns_of(table, true), table, {column_text(id)});
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<StoredSession>{};
  auto stored = session_in(table, rows->front(), true);
  if (!stored) return stored.error();
  return std::optional(std::move(*stored));
}

Result<std::vector<StoredSession>> SqlStore::sessions(Table table, const SessionId& after,
                                                      std::size_t limit, bool scrollback) {
  std::vector<StoredSession> all;
  SessionId from = column_text(after);
  while (all.size() < limit) {
    auto rows = db_->query("SELECT " + columns_of(table, scrollback) + " FROM " + name_of(table) +
                               " WHERE id > $1 ORDER BY id LIMIT $2",
                           {from, static_cast<std::int64_t>(limit - all.size())});
    if (!rows) return rows.error();
    if (rows->empty()) break;
    for (const Row& row : *rows) {
      from = text_at(row, 0);
      auto stored = session_in(table, row, scrollback);
      if (stored)
        all.push_back(std::move(*stored));
      else  // One bad row must not hide all that come after it.
        spdlog::error("store.unreadable ERROR {}", stored.error().detail);
    }
  }
  return all;
}

Result<std::vector<ProjectRecord>> SqlStore::projects() {
  auto rows = db_->query("SELECT id, record FROM terminal_projects ORDER BY id");
  if (!rows) return rows.error();
  std::vector<ProjectRecord> all;
  for (const Row& row : *rows) {
    auto record =
        project_from_json(nlohmann::json::parse(text_at(row, 1), nullptr, /*exceptions=*/false));
    if (record)
      all.push_back(std::move(*record));
    else
      spdlog::error("store.unreadable ERROR terminal_projects {}: {}", text_at(row, 0),
                    record.error().detail);
  }
  return all;
}

Result<std::optional<std::string>> SqlStore::setting(std::string_view key) {
  auto rows = db_->query("SELECT value FROM terminal_flags WHERE key = $1", {column_text(key)});
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<std::string>{};
  return std::optional(text_at(rows->front(), 0));
}

Result<std::vector<FlipRow>> SqlStore::flips(std::size_t limit) {
  auto rows = db_->query(
      "SELECT id, started, entry FROM terminal_flips ORDER BY started DESC, id DESC LIMIT $1",
      {static_cast<std::int64_t>(limit)});
  if (!rows) return rows.error();
  std::vector<FlipRow> all;
  for (const Row& row : *rows) all.push_back({text_at(row, 0), time_at(row, 1), text_at(row, 2)});
  return all;
}

Result<std::vector<AuditRow>> SqlStore::audit(std::size_t limit) {
  auto rows = db_->query(
      "SELECT sequence, at, who, caller, action, detail, result FROM terminal_audit ORDER BY "
      "sequence DESC LIMIT $1",
      {static_cast<std::int64_t>(limit)});
  if (!rows) return rows.error();
  std::vector<AuditRow> all;
  for (const Row& row : *rows)
    all.push_back({.sequence = number_at(row, 0),
                   .at = time_at(row, 1),
                   .who = text_at(row, 2),
                   .from = text_at(row, 3),
                   .action = text_at(row, 4),
                   .detail = text_at(row, 5),
                   .result = text_at(row, 6),
                   .key = {}});
  return all;
}

Result<std::vector<CommandRow>> SqlStore::commands(const CommandQuery& query) {
  std::string where;
  std::vector<Value> values;
  const auto add = [&](const char* condition, std::string value) {
    values.emplace_back(std::move(value));
    where += (where.empty() ? " WHERE " : " AND ") + std::string(condition) + " $" +
             std::to_string(values.size());
  };
  if (query.session) add("session_id =", column_text(*query.session));
  if (query.project) add("project_id =", column_text(*query.project));
  if (query.user) add("user_id =", column_text(*query.user));
  if (query.since) add("at >=", iso_time(*query.since));
  if (query.until) add("at <", iso_time(*query.until));
  values.emplace_back(static_cast<std::int64_t>(query.limit));
  auto rows = db_->query(
      "SELECT session_id, project_id, user_id, sequence, at, command, category, duration_ms, "
      "failed "
      "FROM terminal_commands" +
          where + " ORDER BY at DESC, session_id DESC, sequence DESC LIMIT $" +
          std::to_string(values.size()),
      values);
  if (!rows) return rows.error();
  std::vector<CommandRow> all;
  for (const Row& row : *rows)
    all.push_back({.session = text_at(row, 0),
                   .project = text_at(row, 1),
                   .user = text_at(row, 2),
                   .sequence = number_at(row, 3),
                   .at = time_at(row, 4),
                   .command = text_at(row, 5),
                   .category = text_at(row, 6),
                   .duration = Millis(static_cast<std::int64_t>(number_at(row, 7))),
                   .failed = flag_at(row, 8)});
  std::ranges::reverse(all);
  return all;
}

bool Batch::empty() const {
  return sessions.empty() && ended.empty() && projects.empty() && ended_projects.empty() &&
         settings.empty() && flips.empty() && audit.empty() && commands.empty();
}

Result<std::unique_ptr<Store>> open_store(const Location& location, bool migrate) {
  auto connection = location.database_url.empty() ? open_sqlite(location.sqlite_path)
                                                  : open_postgres(location.database_url);
  if (!connection) return connection.error();
  auto opened = std::make_unique<SqlStore>(std::move(*connection));
  if (migrate)
    if (auto done = opened->migrate(newest_migration()); !done) return done.error();
  return std::unique_ptr<Store>(std::move(opened));
}

}  // namespace term::store
