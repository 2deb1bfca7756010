#pragma once
// From one engine's table to the other's, row by row (STATE.md 3, 5).

#include <functional>
#include <utility>

#include "store/store.h"

namespace term::store {

struct TransferReport {
  std::size_t rows = 0;       ///< In the source.
  std::size_t written = 0;    ///< With a dry run: what would be.
  std::size_t unchanged = 0;  ///< The target had the same already.
  /// The target's row is newer (last activity, then last change): it stays.
  std::size_t newer = 0;
  bool operator==(const TransferReport&) const = default;
};

/// Called now and then with the report so far.
using TransferProgress = std::function<void(const TransferReport&)>;

/// Copies every session of `from` into the other engine's table, which owns all ports of the copy
/// then. The source stays as it is. A few rows in memory at a time; run again, it changes nothing
/// more. Errors: store_unavailable; pages before that are written.
Result<TransferReport> transfer(Store& store, Table from, bool dry_run,
                                const TransferProgress& progress = {});

inline Result<TransferReport> migrate_to_legacy(Store& store, bool dry_run) {
  return transfer(store, Table::refactored, dry_run);
}
inline Result<TransferReport> migrate_to_refactored(Store& store, bool dry_run) {
  return transfer(store, Table::legacy, dry_run);
}

}  // namespace term::store
