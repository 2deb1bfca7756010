#include "store/sql_store.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "session/snapshot_json.h"
#include "store/migrations.h"

namespace term::store {

namespace {

/// Rows of one statement: a slow database is asked seldom, and no statement gets too large.
constexpr std::size_t kRowsPerStatement = 100;
constexpr std::size_t kBytesPerStatement = 4 * 1024 * 1024;

Value text(std::string_view bytes) { return column_text(bytes); }
Value number(std::uint64_t n) { return static_cast<std::int64_t>(n); }
Value flag(bool on) { return std::int64_t{on ? 1 : 0}; }

std::size_t bytes_of(const std::vector<Value>& row) {
  std::size_t bytes = 0;
  for (const Value& value : row) {
    if (const auto* long_text = std::get_if<std::string>(&value)) bytes += long_text->size();
    if (const auto* blob = std::get_if<Blob>(&value)) bytes += 2 * blob->bytes.size();
  }
  return bytes;
}

/// `$5,$6,$7`.
std::string places(std::size_t from, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += (i == 0 ? "$" : ",$") + std::to_string(from + i);
  return all;
}

std::vector<Value> values_of(std::span<const std::string> ids) {
  return std::vector<Value>(ids.begin(), ids.end());
}

/// `, output = excluded.output`…
std::string replaced(std::initializer_list<const char*> columns) {
  std::string all = " ON CONFLICT (id) DO UPDATE SET ";
  for (const char* column : columns)
    all += (all.ends_with("SET ") ? "" : ", ") + std::string(column) + " = excluded." + column;
  return all;
}

}  // namespace

Result<int> SqlStore::version() { return current_migration(*db_); }
Result<void> SqlStore::migrate(int target) { return store::migrate(*db_, target); }

Result<void> SqlStore::write(const Batch& batch) {
  if (batch.empty()) return {};
  if (auto begun = db_->begin(); !begun) return begun;
  auto done = write_all(batch);
  if (done) done = db_->commit();
  if (!done) db_->rollback();
  return done;
}

Result<void> SqlStore::write_all(const Batch& batch) {
  for (const Table table : {Table::legacy, Table::refactored})
    if (auto gone = remove(name_of(table), batch.ended); !gone) return gone;
  // With data first: what comes without is newer, and keeps the data that is there.
  for (const bool with_data : {true, false})
    if (auto put = put_sessions(batch, with_data); !put) return put;
  if (auto gone = remove("terminal_projects", batch.ended_projects); !gone) return gone;
  std::map<ProjectId, std::vector<Value>> projects;
  for (const ProjectRecord& record : batch.projects)
    projects[record.id] = {
        record.id, to_json(record).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  std::vector<std::vector<Value>> rows;
  for (auto& [id, row] : projects) rows.push_back(std::move(row));
  if (auto put = insert("terminal_projects", "id, record", std::move(rows), replaced({"record"}));
      !put)
    return put;
  if (auto put = put_journal(batch); !put) return put;
  return put_commands(batch);
}

Result<void> SqlStore::put_sessions(const Batch& batch, bool with_data) {
  // One statement may not touch a row twice: the last one counts.
  std::map<SessionId, const Batch::Session*> newest;
  for (const auto& one : batch.sessions)
    if (one.has_data() == with_data) newest[one.stored.snapshot.session.id] = &one;
  std::map<Table, Puts> puts;
  std::map<Table, std::vector<std::string>> leaving;
  for (const auto& [id, one] : newest) {
    const Table own = table_of(one->stored.owners.sessions);
    const Put put{&one->stored, scrollback_of(*one)};
    puts[own].push_back(put);
    if (one->both_tables)
      puts[other_of(own)].push_back(put);
    else if (!one->keep_other)
      leaving[other_of(own)].push_back(id);
  }
  for (auto& [table, some] : puts)
    if (auto put = put_into(table, std::move(some)); !put) return put;
  for (const auto& [table, ids] : leaving)
    if (auto gone = remove(name_of(table), ids); !gone) return gone;
  return {};
}

Result<void> SqlStore::put_into(Table table, Puts puts) {
  if (auto carried = carry_scrollback(table, puts); !carried) return carried;
  for (const bool scrollback : {true, false}) {
    Puts some;
    for (Put& put : puts)
      if (put.scrollback.has_value() == scrollback) some.push_back(std::move(put));
    auto done =
        table == Table::legacy ? put_legacy(some, scrollback) : put_refactored(some, scrollback);
    if (!done) return done;
  }
  return {};
}

Result<void> SqlStore::carry_scrollback(Table table, Puts& puts) {
  std::map<std::string, Put*> missing;
  for (Put& put : puts)
    if (!put.scrollback) missing[put.stored->snapshot.session.id] = &put;
  std::vector<std::string> ids;
  for (const auto& [id, put] : missing) ids.push_back(id);
  auto there = select_in("id", table, ids);
  if (!there) return there.error();
  for (const Row& row : *there) missing.erase(*row.at(0));
  ids.clear();
  for (const auto& [id, put] : missing) ids.push_back(id);
  const Table from = other_of(table);
  auto rows = select_in(columns_of(from, /*scrollback=*/true), from, ids);
  if (!rows) return rows.error();
  for (const Row& row : *rows)
    if (auto scrollback = scrollback_in(from, row); scrollback)
      missing.at(*row.at(0))->scrollback = std::move(*scrollback);
  return {};
}

Result<void> SqlStore::put_refactored(const Puts& puts, bool scrollback) {
  std::vector<std::vector<Value>> rows;
  for (const Put& put : puts) {
    const RefactoredRow row = to_refactored(*put.stored, std::nullopt);
    rows.push_back({row.id, row.project_id, row.user_id, row.state, row.created_at, row.updated_at,
                    row.last_activity});
    if (!scrollback) continue;
    rows.back().emplace_back(Blob{put.scrollback->packed});
    rows.back().push_back(number(put.scrollback->first));
    rows.back().push_back(number(put.scrollback->next));
  }
  const std::string columns =
      "id, project_id, user_id, state, created_at, updated_at, last_activity";
  if (!scrollback)
    return insert(
        name_of(Table::refactored), columns, std::move(rows),
        replaced({"project_id", "user_id", "state", "created_at", "updated_at", "last_activity"}));
  return insert(name_of(Table::refactored),
                columns + ", scrollback, scrollback_first, scrollback_next", std::move(rows),
                replaced({"project_id", "user_id", "state", "created_at", "updated_at",
                          "last_activity", "scrollback", "scrollback_first", "scrollback_next"}));
}

Result<void> SqlStore::put_legacy(const Puts& puts, bool scrollback) {
  std::vector<std::vector<Value>> rows;
  for (const Put& put : puts) {
    const LegacyRow row = to_legacy(*put.stored, put.scrollback);
    rows.push_back({row.id, row.project_id, row.user_id ? Value(*row.user_id) : Value(nullptr),
                    row.type, row.tab_name, flag(row.active), row.current_path,
                    row.pid ? Value(*row.pid) : Value(nullptr), row.metadata, row.created_at,
                    row.updated_at});
    if (scrollback) rows.back().emplace_back(row.output);
  }
  const std::string columns =
      "id, project_id, user_id, type, tab_name, active, current_path, pid, metadata, created_at, "
      "updated_at";
  if (!scrollback)
    return insert(name_of(Table::legacy), columns, std::move(rows),
                  replaced({"project_id", "user_id", "type", "tab_name", "active", "current_path",
                            "pid", "metadata", "created_at", "updated_at"}));
  return insert(name_of(Table::legacy), columns + ", output", std::move(rows),
                replaced({"project_id", "user_id", "type", "tab_name", "active", "current_path",
                          "pid", "metadata", "created_at", "updated_at", "output"}));
}

Result<void> SqlStore::put_journal(const Batch& batch) {
  std::map<std::string, std::vector<Value>> settings;
  for (const auto& [key, json] : batch.settings) settings[key] = {text(key), json_or_text(json)};
  std::map<std::string, std::vector<Value>> flips;
  for (const FlipRow& flip : batch.flips)
    flips[flip.id] = {text(flip.id), iso_time(flip.started), json_or_text(flip.entry)};
  std::vector<std::vector<Value>> audit;
  for (const AuditRow& row : batch.audit)
    audit.push_back({row.key.empty() ? Value(nullptr) : text(row.key), iso_time(row.at),
                     text(row.who), text(row.from), text(row.action), text(row.detail),
                     text(row.result)});
  std::vector<std::vector<Value>> rows;
  for (auto& [key, row] : settings) rows.push_back(std::move(row));
  if (auto put = insert("terminal_flags", "key, value", std::move(rows),
                        " ON CONFLICT (key) DO UPDATE SET value = excluded.value");
      !put)
    return put;
  rows.clear();
  for (auto& [id, row] : flips) rows.push_back(std::move(row));
  if (auto put = insert("terminal_flips", "id, started, entry", std::move(rows),
                        replaced({"started", "entry"}));
      !put)
    return put;
  return insert("terminal_audit", "key, at, who, caller, action, detail, result", std::move(audit),
                " ON CONFLICT (key) DO NOTHING");
}

Result<void> SqlStore::put_commands(const Batch& batch) {
  std::map<std::pair<SessionId, std::uint64_t>, std::vector<Value>> newest;
  for (const CommandRow& row : batch.commands)
    newest[{row.session, row.sequence}] = {
        text(row.session),  number(row.sequence),
        text(row.project),  text(row.user),
        iso_time(row.at),   text(row.command),
        text(row.category), Value(std::int64_t{row.duration.count()}),
        flag(row.failed)};
  std::vector<std::vector<Value>> rows;
  for (auto& [key, row] : newest) rows.push_back(std::move(row));
  return insert(
      "terminal_commands",
      "session_id, sequence, project_id, user_id, at, command, category, duration_ms, failed",
      std::move(rows),
      " ON CONFLICT (session_id, sequence) DO UPDATE SET project_id = excluded.project_id, "
      "user_id = excluded.user_id, at = excluded.at, command = excluded.command, "
      "category = excluded.category, duration_ms = excluded.duration_ms, "
      "failed = excluded.failed");
}

Result<void> SqlStore::insert(const std::string& table, const std::string& columns,
                              std::vector<std::vector<Value>> rows,
                              const std::string& on_conflict) {
  std::size_t next = 0;
  while (next < rows.size()) {
    std::string sql = "INSERT INTO " + table + " (" + columns + ") VALUES ";
    std::vector<Value> values;
    std::size_t bytes = 0;
    for (std::size_t n = 0; n < kRowsPerStatement && next < rows.size(); ++n, ++next) {
      bytes += bytes_of(rows[next]);
      if (n > 0 && bytes > kBytesPerStatement) break;
      sql += (n == 0 ? "(" : ",(") + places(values.size() + 1, rows[next].size()) + ")";
      std::ranges::move(rows[next], std::back_inserter(values));
    }
    if (auto done = db_->query(sql + on_conflict, values); !done) return done.error();
  }
  return {};
}

Result<void> SqlStore::remove(const std::string& table, const std::vector<std::string>& ids) {
  for (std::size_t at = 0; at < ids.size(); at += kRowsPerStatement) {
    const auto some = std::span(ids).subspan(at, std::min(kRowsPerStatement, ids.size() - at));
    auto done = db_->query("DELETE FROM " + table + " WHERE id IN (" + places(1, some.size()) + ")",
                           values_of(some));
    if (!done) return done.error();
  }
  return {};
}

Result<Rows> SqlStore::select_in(const std::string& columns, Table table,
                                 const std::vector<std::string>& ids) {
  Rows all;
  for (std::size_t at = 0; at < ids.size(); at += kRowsPerStatement) {
    const auto some = std::span(ids).subspan(at, std::min(kRowsPerStatement, ids.size() - at));
    auto rows = db_->query("SELECT " + columns + " FROM " + name_of(table) + " WHERE id IN (" +
                               places(1, some.size()) + ")",
                           values_of(some));
    if (!rows) return rows.error();
    std::ranges::move(*rows, std::back_inserter(all));
  }
  return all;
}

}  // namespace term::store
