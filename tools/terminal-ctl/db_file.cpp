// terminal-ctl db backup and rollback-v2: the SQLite file itself. PostgreSQL has pg_dump and psql.

#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin_client.h"

namespace term::ctl {

namespace {

using File = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

/// As rollback-terminal-v2.sql does it for PostgreSQL: the rows stay, and stay readable.
constexpr const char* kSchemaBack =
    "BEGIN IMMEDIATE;"
    "DROP INDEX IF EXISTS terminal_sessions_v2_project;"
    "DROP INDEX IF EXISTS terminal_sessions_v2_user;"
    "DROP INDEX IF EXISTS terminal_sessions_v2_activity;"
    "DELETE FROM terminal_migrations WHERE number >= 4;"
    "COMMIT;";
constexpr int kBusyMs = 10'000;

Result<File> open_file(const Context& context) {
  const auto path = state_dir(context) / "terminal.db";
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  File file(raw, sqlite3_close);
  if (opened != SQLITE_OK)
    return Error{Errc::store_unavailable, "cannot open " + path.string() + ": " +
                                              sqlite3_errstr(opened) +
                                              "; with DATABASE_URL use pg_dump and psql"};
  sqlite3_busy_timeout(file.get(), kBusyMs);
  return file;
}

Result<void> execute(sqlite3* file, const char* sql) {
  if (sqlite3_exec(file, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  Error error{Errc::store_unavailable,
              std::string("the database refuses: ") + sqlite3_errmsg(file)};
  (void)sqlite3_exec(file, "ROLLBACK", nullptr, nullptr, nullptr);
  return error;
}

/// A consistent copy, also while a service writes (sqlite.org/lang_vacuum.html, VACUUM INTO).
Result<int> backup(const Context& context, const std::string& target) {
  if (std::filesystem::exists(target))
    return Error{Errc::bad_argument, target + " exists; name a file that does not"};
  auto file = open_file(context);
  if (!file) return file.error();
  const std::unique_ptr<char, decltype(&sqlite3_free)> sql(
      sqlite3_mprintf("VACUUM INTO %Q", target.c_str()), sqlite3_free);
  if (auto done = execute(file->get(), sql.get()); !done) return done.error();
  std::filesystem::permissions(
      target, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  if (context.json)
    print({{"success", true}, {"file", target}, {"bytes", std::filesystem::file_size(target)}});
  return kDone;
}

Result<int> schema_back(const Context& context) {
  auto file = open_file(context);
  if (!file) return file.error();
  if (auto done = execute(file->get(), kSchemaBack); !done) return done.error();
  if (context.json) print({{"success", true}});
  return kDone;
}

}  // namespace

void add_db_file(CLI::App& db, Context& context) {
  auto* command = db.add_subcommand("backup", "A consistent copy of the SQLite file");
  auto target = std::make_shared<std::string>();
  command->add_option("FILE", *target, "Must not exist")->required();
  command->callback([&context, target] {
    context.run = [&context, target] { return backup(context, *target); };
  });
  db.add_subcommand("rollback-v2",
                    "The SQLite schema back to the one that legacy works with; "
                    "terminal_sessions_v2 stays readable")
      ->callback([&context] { context.run = [&context] { return schema_back(context); }; });
}

}  // namespace term::ctl
