#include "store/migrations.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace term::store {

namespace {

constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS terminal_migrations (number integer PRIMARY KEY, name text NOT "
    "NULL)";

const MigrationFile* find(std::string_view database, int number, std::string_view direction) {
  const auto files = migration_files();
  const auto it = std::ranges::find_if(files, [&](const MigrationFile& file) {
    return file.database == database && file.number == number && file.direction == direction;
  });
  return it == files.end() ? nullptr : &*it;
}

Result<bool> in_effect(Connection& connection, int number) {
  auto rows = connection.query("SELECT number FROM terminal_migrations WHERE number = $1",
                               {std::int64_t{number}});
  if (!rows) return rows.error();
  return !rows->empty();
}

/// One step, if nobody else made it meanwhile.
Result<void> step(Connection& connection, int number, bool up) {
  const auto* file = find(connection.database(), number, up ? "up" : "down");
  if (file == nullptr)
    return Error{Errc::bad_argument,
                 "there is no migration " + std::to_string(number) + (up ? "" : " back")};
  if (auto locked = connection.lock_for_migration(); !locked) return locked;
  auto applied = in_effect(connection, number);
  if (!applied) return applied.error();
  if (*applied == up) return {};
  if (auto done = connection.script(std::string(file->sql)); !done) return done;
  auto noted = up ? connection.query("INSERT INTO terminal_migrations VALUES ($1, $2)",
                                     {std::int64_t{number}, std::string(file->name)})
                  : connection.query("DELETE FROM terminal_migrations WHERE number = $1",
                                     {std::int64_t{number}});
  if (!noted) return noted.error();
  spdlog::info("store.migrated database={} number={} name={} direction={}", connection.database(),
               number, file->name, file->direction);
  return {};
}

Result<void> in_transaction(Connection& connection, int number, bool up) {
  if (auto begun = connection.begin(); !begun) return begun;
  auto done = step(connection, number, up);
  if (done) done = connection.commit();
  if (!done) connection.rollback();
  return done;
}

}  // namespace

int newest_migration() {
  return std::ranges::max(migration_files(), {}, &MigrationFile::number).number;
}

Result<int> current_migration(Connection& connection) {
  if (auto begun = connection.begin(); !begun) return begun.error();
  auto made = connection.lock_for_migration();
  if (made) made = connection.script(kTable);
  if (made) made = connection.commit();
  if (!made) {
    connection.rollback();
    return made.error();
  }
  auto rows = connection.query("SELECT max(number) FROM terminal_migrations");
  if (!rows) return rows.error();
  const auto& newest = rows->at(0).at(0);
  return newest ? std::stoi(*newest) : 0;
}

Result<void> migrate(Connection& connection, int target) {
  const int newest = newest_migration();
  if (target < 0 || target > newest)
    return Error{Errc::bad_argument, "migration " + std::to_string(target) +
                                         " does not exist; there are 0 to " +
                                         std::to_string(newest)};
  auto now = current_migration(connection);
  if (!now) return now.error();
  for (int number = 1; number <= target; ++number) {
    auto applied = in_effect(connection, number);
    if (!applied) return applied.error();
    if (*applied) continue;
    if (auto done = in_transaction(connection, number, /*up=*/true); !done) return done;
  }
  if (*now > newest && target == newest) return {};  // A newer program's; it must cope with us.
  for (int number = *now; number > target; --number)
    if (auto done = in_transaction(connection, number, /*up=*/false); !done) return done;
  return {};
}

}  // namespace term::store
