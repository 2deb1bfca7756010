#pragma once
// A file without a name: what is too much for memory and must be read twice.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "session/types.h"
#include "session/unique_fd.h"

namespace term::store {

/// Mode 0600, unlinked from the start: nobody else sees it, and it goes with us. Leaves
/// kKeepFree bytes of its file system to the others. Move-only.
class Spool {
 public:
  static constexpr std::uint64_t kKeepFree = 256ULL * 1024 * 1024;
  struct Place {
    std::uint64_t offset = 0;
    std::size_t size = 0;
  };
  /// In `directory`. Errors: os_error.
  static Result<Spool> open(const std::filesystem::path& directory);

  /// Errors: os_error (no room left; the disk).
  Result<Place> append(std::string_view bytes);
  Result<std::string> read(Place place) const;

 private:
  Result<void> check_room();

  std::filesystem::path directory_;
  UniqueFd fd_;
  std::uint64_t end_ = 0;
  std::uint64_t checked_until_ = 0;
};

}  // namespace term::store
