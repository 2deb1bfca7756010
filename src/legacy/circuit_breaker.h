#pragma once
// A named circuit breaker: after failures in a row, leave it alone for a while.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "session/types.h"

namespace term::legacy {

enum class CircuitState : std::uint8_t { closed, open, half_open };
std::string_view to_string(CircuitState state);

/// Opens at `threshold` failures in a row; half open once `reset` has passed: the next outcome
/// decides, success closes it and failure opens it again. Asking changes nothing.
class CircuitBreaker final {
 public:
  CircuitBreaker(std::string name, Clock clock, std::size_t threshold, Millis reset);

  /// Errors: breaker_open, with when to try again.
  Result<void> allow() const;
  void record(bool succeeded);

  CircuitState state() const;
  std::size_t failures() const { return failures_; }  ///< In a row.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Clock clock_;
  std::size_t threshold_;
  Millis reset_;
  std::size_t failures_ = 0;
  std::optional<WallTime> opened_at_;
};

}  // namespace term::legacy
