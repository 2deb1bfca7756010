#include "legacy/circuit_breaker.h"

namespace term::legacy {

std::string_view to_string(CircuitState state) {
  switch (state) {
    case CircuitState::closed:
      return "closed";
    case CircuitState::open:
      return "open";
    case CircuitState::half_open:
      return "half_open";
  }
  return "closed";
}

CircuitBreaker::CircuitBreaker(std::string name, Clock clock, std::size_t threshold, Millis reset)
    : name_(std::move(name)), clock_(std::move(clock)), threshold_(threshold), reset_(reset) {}

CircuitState CircuitBreaker::state() const {
  if (!opened_at_) return CircuitState::closed;
  return clock_() < *opened_at_ + reset_ ? CircuitState::open : CircuitState::half_open;
}

Result<void> CircuitBreaker::allow() const {
  if (state() != CircuitState::open) return {};
  const Millis left = *opened_at_ + reset_ - clock_();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left).count();
  return Error{Errc::breaker_open,
               "the breaker `" + name_ + "` is open after " + std::to_string(failures_) +
                   " failures in a row: try again in " + std::to_string(seconds) + " s",
               left};
}

void CircuitBreaker::record(bool succeeded) {
  if (succeeded) {
    failures_ = 0;
    opened_at_.reset();
    return;
  }
  ++failures_;
  // A late failure of a start from before does not prolong the wait.
  if (failures_ >= threshold_ && state() != CircuitState::open) opened_at_ = clock_();
}

}  // namespace term::legacy
