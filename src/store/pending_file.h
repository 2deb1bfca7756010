#pragma once
// What a process could not write before it ended, kept for the next one.

#include <filesystem>
#include <string>
#include <vector>

#include "store/pending.h"

namespace term::store {

/// Files `unwritten-TIME-PID.cbor` in a directory, 0600, each with what one process left. They name
/// the database that it was meant for: those of another one are left alone.
///
/// Thread: one at a time; only whoever may write to the database.
class PendingFiles final {
 public:
  /// An empty directory: nothing is kept.
  PendingFiles(std::filesystem::path directory, std::string database)
      : directory_(std::move(directory)), database_(std::move(database)) {}

  bool enabled() const { return !directory_.empty(); }
  /// On the disk when it returns. Errors: os_error.
  Result<std::filesystem::path> save(Pending pending, WallTime now) const;
  /// Everything that was left, the oldest first. A file that cannot be read is named in the log and
  /// stays.
  Pending load();
  /// What load() gave is in the database, or in another file.
  void discard();

 private:
  std::filesystem::path directory_;
  std::string database_;
  std::vector<std::filesystem::path> loaded_;
};

}  // namespace term::store
