#pragma once
// One SQL for two databases: what a statement gets and gives, and who runs it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "session/types.h"

namespace term::store {

/// Bytes; a plain std::string is text.
struct Blob {
  std::string bytes;
};
using Value = std::variant<std::nullptr_t, std::int64_t, std::string, Blob>;
/// Text as the database writes it, a blob's bytes, or nothing for NULL.
using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

/// A connection to a database, opened by its first use and again after it broke. Statements are
/// written for both: `$1` for values, ON CONFLICT, no functions.
///
/// Thread: one at a time, but for interrupt(). Errors of all: store_unavailable, without passwords.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual std::string_view database() const = 0;  ///< `sqlite` or `postgresql`.

  virtual Result<Rows> query(const std::string& sql, const std::vector<Value>& values = {}) = 0;
  /// Several statements without values.
  virtual Result<void> script(const std::string& sql) = 0;

  virtual Result<void> begin() = 0;
  virtual Result<void> commit() = 0;
  /// Also after a failure of any of the above.
  virtual void rollback() = 0;
  /// Within a transaction: other migrating programs wait until its end.
  virtual Result<void> lock_for_migration() = 0;
  /// Makes the statement that runs now fail soon. Thread: any.
  virtual void interrupt() = 0;
};

/// The connection is made and tried.
Result<std::unique_ptr<Connection>> open_sqlite(const std::string& path);
Result<std::unique_ptr<Connection>> open_postgres(const std::string& url);

}  // namespace term::store
