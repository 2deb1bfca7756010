#pragma once
// The Store, written once for both databases.

#include <functional>
#include <map>
#include <memory>

#include "store/connection.h"
#include "store/row_codec.h"

namespace term::store {

class SqlStore final : public Store {
 public:
  explicit SqlStore(std::unique_ptr<Connection> connection) : db_(std::move(connection)) {}

  std::string_view name() const override { return db_->database(); }
  Result<int> version() override;
  Result<void> migrate(int target) override;
  Result<void> write(const Batch& batch) override;
  Result<std::optional<StoredSession>> session(Table table, const SessionId& id) override;
  Result<std::vector<StoredSession>> sessions(Table table, const SessionId& after,
                                              std::size_t limit, bool scrollback) override;
  Result<std::vector<ProjectRecord>> projects() override;
  Result<std::optional<std::string>> setting(std::string_view key) override;
  Result<std::vector<FlipRow>> flips(std::size_t limit) override;
  Result<std::vector<AuditRow>> audit(std::size_t limit) override;
  Result<std::vector<CommandRow>> commands(const CommandQuery& query) override;
  void interrupt() override { db_->interrupt(); }

 private:
  struct Put {
    const StoredSession* stored = nullptr;
    std::optional<Scrollback> scrollback;
  };
  using Puts = std::vector<Put>;

  Result<void> write_all(const Batch& batch);
  Result<void> put_sessions(const Batch& batch, bool with_data);
  Result<void> put_into(Table table, Puts puts);
  /// Those that the table does not have get the scrollback of the other table's row.
  Result<void> carry_scrollback(Table table, Puts& puts);
  Result<void> put_refactored(const Puts& puts, bool scrollback);
  Result<void> put_legacy(const Puts& puts, bool scrollback);
  Result<void> put_journal(const Batch& batch);
  Result<void> put_commands(const Batch& batch);
  Result<void> remove(const std::string& table, const std::vector<std::string>& ids);

  /// `INSERT INTO <table> (<columns>) VALUES … <on conflict>`, some rows at a time.
  Result<void> insert(const std::string& table, const std::string& columns,
                      std::vector<std::vector<Value>> rows, const std::string& on_conflict);
  Result<Rows> select_in(const std::string& columns, Table table,
                         const std::vector<std::string>& ids);

  std::unique_ptr<Connection> db_;
};

/// `terminal_sessions` or `terminal_sessions_v2`.
std::string name_of(Table table);
inline Table other_of(Table table) {
  return table == Table::legacy ? Table::refactored : Table::legacy;
}
/// What a row of `table` is made of, in the order in which row_in() expects it.
std::string columns_of(Table table, bool scrollback);
Result<StoredSession> session_in(Table table, const Row& row, bool scrollback);
/// Of a row that columns_of(table, true) selected. Errors: bad_snapshot.
Result<std::optional<Scrollback>> scrollback_in(Table table, const Row& row);

}  // namespace term::store
