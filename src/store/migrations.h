#pragma once
// The numbered migrations, forward and back, that the program carries (migrations/).

#include <span>
#include <string_view>

#include "store/connection.h"

namespace term::store {

/// A file of migrations/, embedded. All views live as long as the program.
struct MigrationFile {
  std::string_view database;  ///< `sqlite` or `postgresql`.
  int number = 0;             ///< From 1, without gaps, the same for both databases.
  std::string_view name;
  std::string_view direction;  ///< `up` or `down`.
  std::string_view sql;
};
std::span<const MigrationFile> migration_files();

/// The newest number that this program knows.
int newest_migration();

/// Number of the newest migration in effect; 0 for an empty database. Errors: store_unavailable.
Result<int> current_migration(Connection& connection);

/// Applies what is missing up to `target`, or takes back what is beyond it, each migration in a
/// transaction of its own; two programs at once wait for each other. What a newer program applied
/// stays where `target` is the newest that we know. Errors: store_unavailable; bad_argument for a
/// number that does not exist.
Result<void> migrate(Connection& connection, int target);

}  // namespace term::store
