#pragma once
// The time of one operation: the same for both engines that are told of it.

#include <optional>
#include <utility>

#include "session/types.h"

namespace term::adapter {

/// What the engines of a shard get as their clock. While a Still lives it does not move, so that
/// two registries that are told the same thing write down the same time and can be compared
/// exactly.
///
/// Thread: the shard's.
class Moment {
 public:
  explicit Moment(Clock clock) : clock_(std::move(clock)) {}
  WallTime now() const { return still_ ? *still_ : clock_(); }

  class Still {
   public:
    explicit Still(Moment& moment) : moment_(moment), outer_(!moment.still_) {
      if (outer_) moment_.still_ = moment_.clock_();
    }
    ~Still() {
      if (outer_) moment_.still_.reset();
    }
    Still(const Still&) = delete;
    Still& operator=(const Still&) = delete;

   private:
    Moment& moment_;
    bool outer_;  ///< Within another one that one's time holds.
  };

 private:
  Clock clock_;
  std::optional<WallTime> still_;
};

}  // namespace term::adapter
