// SQLite: one file in the state directory, WAL.

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <system_error>

#include "session/unique_fd.h"
#include "store/connection.h"

namespace term::store {

namespace {

constexpr int kBusyMs = 5000;  ///< Another process writes: terminal-ctl, or the service before us.

/// FULL: a batch that is confirmed is on the disk, also when the power goes. With NORMAL a quiet
/// service would lose all since the last checkpoint, which can be hours. It costs one fsync a
/// batch, on a thread on which nobody waits.
constexpr const char* kSetUp =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864";

struct Closed {
  void operator()(sqlite3* database) const { ::sqlite3_close_v2(database); }
};
struct Finalized {
  void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalized>;

class SqliteConnection final : public Connection {
 public:
  explicit SqliteConnection(std::string path) : path_(std::move(path)) {}

  std::string_view database() const override { return "sqlite"; }

  Result<void> open() {
    // SQLite would make it readable for everybody, and -wal and -shm after its example.
    const UniqueFd file(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));  // NOLINT
    if (!file)
      return Error{Errc::store_unavailable, "cannot open " + path_ + ": " +
                                                std::generic_category().message(errno) +
                                                "; check TERMINAL_STATE_DIR"};
    sqlite3* opened = nullptr;
    const int done = ::sqlite3_open_v2(path_.c_str(), &opened,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<sqlite3, Closed> made(opened);
    if (done != SQLITE_OK) return failure(made.get());
    ::sqlite3_extended_result_codes(made.get(), 1);
    ::sqlite3_busy_timeout(made.get(), kBusyMs);
    {
      const std::lock_guard lock(mutex_);
      database_ = std::move(made);
    }
    return script(kSetUp);
  }

  Result<Rows> query(const std::string& with_places, const std::vector<Value>& values) override {
    const std::string sql = in_order(with_places);
    sqlite3_stmt* prepared = nullptr;
    if (::sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK)
      return failure(database_.get());
    const Statement statement(prepared);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!bind(prepared, static_cast<int>(i) + 1, values[i])) return failure(database_.get());
    Rows rows;
    for (;;) {
      const int done = ::sqlite3_step(prepared);
      if (done == SQLITE_DONE) return rows;
      if (done != SQLITE_ROW) return failure(database_.get());
      rows.push_back(row_of(prepared));
    }
  }

  Result<void> script(const std::string& sql) override {
    if (::sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      return failure(database_.get());
    return {};
  }

  // At once for writing: a read that turns into a write could not wait for another writer.
  Result<void> begin() override { return script("BEGIN IMMEDIATE"); }
  Result<void> commit() override { return script("COMMIT"); }
  void rollback() override {
    if (::sqlite3_get_autocommit(database_.get()) == 0) (void)script("ROLLBACK");
  }
  Result<void> lock_for_migration() override { return {}; }  // begin() did.

  void interrupt() override {
    const std::lock_guard lock(mutex_);
    if (database_) ::sqlite3_interrupt(database_.get());
  }

 private:
  /// `$7` and `?7` have names, which SQLite looks for among those of all others; a `?` is the place
  /// after the last one. Values are never text of the statement, so a `$` is a place.
  static std::string in_order(std::string_view with_places) {
    std::string sql;
    std::size_t last = 0;
    for (std::size_t at = 0; at < with_places.size();) {
      const std::size_t place = std::min(with_places.find('$', at), with_places.size());
      sql += with_places.substr(at, place - at);
      at = place;
      if (at == with_places.size()) break;
      std::size_t number = 0;
      const auto* const end = with_places.data() + with_places.size();
      const auto* const behind = std::from_chars(with_places.data() + at + 1, end, number).ptr;
      at = static_cast<std::size_t>(behind - with_places.data());
      sql += '?';
      if (number != last + 1) sql += std::to_string(number);
      last = std::max(last, number);
    }
    return sql;
  }

  static bool bind(sqlite3_stmt* statement, int at, const Value& value) {
    const auto size = [](const std::string& bytes) {
      return static_cast<sqlite3_uint64>(bytes.size());
    };
    int done = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value))
      done = ::sqlite3_bind_int64(statement, at, *number);
    else if (const auto* text = std::get_if<std::string>(&value))
      done = ::sqlite3_bind_text64(statement, at, text->data(), size(*text), SQLITE_STATIC,
                                   SQLITE_UTF8);
    else if (const auto* blob = std::get_if<Blob>(&value))
      done = ::sqlite3_bind_blob64(statement, at, blob->bytes.data(), size(blob->bytes),
                                   SQLITE_STATIC);
    return done == SQLITE_OK;
  }

  static Row row_of(sqlite3_stmt* statement) {
    Row row;
    for (int i = 0; i < ::sqlite3_column_count(statement); ++i) {
      if (::sqlite3_column_type(statement, i) == SQLITE_NULL) {
        row.emplace_back();
        continue;
      }
      // A number is turned into text by this, a text into nothing else.
      const auto* bytes = static_cast<const char*>(::sqlite3_column_blob(statement, i));
      const auto n = static_cast<std::size_t>(::sqlite3_column_bytes(statement, i));
      row.emplace_back(bytes == nullptr ? std::string() : std::string(bytes, n));
    }
    return row;
  }

  Error failure(sqlite3* database) const {
    return {Errc::store_unavailable, path_ + ": " + ::sqlite3_errmsg(database)};
  }

  const std::string path_;
  std::mutex mutex_;  ///< For interrupt() against open().
  std::unique_ptr<sqlite3, Closed> database_;
};

}  // namespace

Result<std::unique_ptr<Connection>> open_sqlite(const std::string& path) {
  auto connection = std::make_unique<SqliteConnection>(path);
  if (auto opened = connection->open(); !opened) return opened.error();
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace term::store
