#pragma once
// Holds shells back when starting them keeps failing.

#include <cstddef>
#include <optional>

#include "session/ports.h"

namespace term::refactored {

/// Opens after `failures` failed starts in a row; after `reset` one trial decides: a success closes
/// it, a failure opens it again.
class StartBreaker final {
 public:
  StartBreaker(Clock clock, std::size_t failures, Millis reset);

  /// Errors: breaker_open with the time left. Changes nothing.
  Result<void> may_start() const;
  void result(bool started);
  bool open() const;

 private:
  Clock clock_;
  std::size_t failures_;
  Millis reset_;
  std::size_t failed_in_row_ = 0;
  std::optional<WallTime> open_until_;  ///< In the past: half-open.
};

}  // namespace term::refactored
