#pragma once
// Operations of the last five minutes, counted by the second.

#include <array>
#include <cstdint>

#include "session/types.h"

namespace term::refactored {

/// Counts in 300 buckets of a second each: constant memory at any rate.
class OperationWindow final {
 public:
  struct Sum {
    std::uint64_t operations = 0;
    std::uint64_t failed = 0;
    double mean_ms = 0;  ///< 0 when there was none.
  };

  void add(WallTime now, bool ok, Millis took);
  Sum sum(WallTime now) const;

 private:
  static constexpr std::int64_t kSeconds = 300;
  struct Bucket {
    std::int64_t second = -1;
    std::uint64_t operations = 0;
    std::uint64_t failed = 0;
    double took_ms = 0;
  };
  std::array<Bucket, kSeconds> buckets_{};
};

}  // namespace term::refactored
