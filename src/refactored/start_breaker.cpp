#include "refactored/start_breaker.h"

#include <string>
#include <utility>

namespace term::refactored {

StartBreaker::StartBreaker(Clock clock, std::size_t failures, Millis reset)
    : clock_(std::move(clock)), failures_(failures), reset_(reset) {}

bool StartBreaker::open() const { return open_until_ && clock_() < *open_until_; }

Result<void> StartBreaker::may_start() const {
  if (!open_until_) return {};
  const Millis left = *open_until_ - clock_();
  if (left <= Millis{0}) return {};
  return Error{Errc::breaker_open,
               "no shell could be started " + std::to_string(failed_in_row_) +
                   " times in a row: try again in " + std::to_string(left.count()) + " ms",
               left};
}

void StartBreaker::result(bool started) {
  if (started) {
    failed_in_row_ = 0;
    open_until_.reset();
    return;
  }
  ++failed_in_row_;
  // A start that was under way when it opened must not keep it open for longer.
  if (failed_in_row_ >= failures_ && !open()) open_until_ = clock_() + reset_;
}

}  // namespace term::refactored
