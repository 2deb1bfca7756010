#pragma once
// The rules of a restore (STATE.md 4), and reading back what is stored.

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/document.h"
#include "store/store.h"

namespace term::store {

struct RestoreReport {
  std::size_t restored = 0;
  std::size_t adopted = 0;  ///< Live and not behind the file: not touched.
  std::size_t skipped = 0;  ///< Stored as the file has it.
  /// Of `restored`: those of whose output only the newest kMaxScrollback bytes were kept.
  std::size_t trimmed = 0;
  std::vector<std::pair<SessionId, std::string>> failed;
  /// Every session of the file in order, with `restored`, `adopted`, `skipped` or `failed`.
  std::vector<std::pair<SessionId, std::string_view>> each;
  void add(RestoreReport other);
  bool operator==(const RestoreReport&) const = default;
};
/// {restored, adopted, skipped, trimmed, failed[{id, error}]}, and `sessions` [{id, result}] with
/// `each`.
nlohmann::json to_json(const RestoreReport& report, bool each);
/// None of these was restored.
RestoreReport all_failed(const std::vector<SessionId>& ids, const std::string& why);

/// A few sessions of a document, and what must be known to restore them.
struct RestoreBatch {
  std::vector<DocumentSession> sessions;
  std::map<SessionId, Offset> live;  ///< Where the output of those that are live ends.
  std::vector<Owners> owners;        ///< Of each session, once it is restored.
};

/// Compares each with what is live and stored, and writes those that are to be restored, all in one
/// transaction. What the store refuses is in the report as failed. Blocks on the store.
RestoreReport restore_batch(Store& store, RestoreBatch batch);

/// Writes the projects of which nothing is stored yet, and says which. Errors: those of the store.
Result<std::vector<ProjectRecord>> restore_projects(Store& store, const CheckedDocument& document);

/// So many sessions of the document are in one batch, or fewer, within kBatchBytes as they are in
/// the spool. Each batch is in memory a few times: here, as rows, and in the database's hands.
inline constexpr std::size_t kBatchSessions = 64;
inline constexpr std::size_t kBatchBytes = 2 * 1024 * 1024;
/// The sessions from `first` on that belong together; at least one.
std::size_t batch_end(const CheckedDocument& document, std::size_t first);

/// A session, from the table of the engine that owns it where both have it. Errors: the store's.
Result<std::optional<StoredSession>> find_stored(Store& store, const SessionId& id);

/// A walk over all stored sessions, each once, in pages.
struct StoredCursor {
  Table table = Table::refactored;
  SessionId after;
  bool over = false;
};
/// The next at most `limit` rows of one table, those left out that the other table has. May be
/// empty before it is over. Errors: the store's; the cursor stays.
Result<std::vector<StoredSession>> next_stored(Store& store, StoredCursor& cursor,
                                               std::size_t limit, bool scrollback);

}  // namespace term::store
