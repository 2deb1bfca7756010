#pragma once
// A clock that the tests move.

#include <memory>

#include "session/types.h"

namespace term {

/// Time that stands still until somebody moves it. Its clocks stay valid without it.
class FakeTime {
 public:
  Clock clock() const {
    return [now = now_] { return *now; };
  }
  WallTime now() const { return *now_; }
  void advance(Millis by) { *now_ += by; }

 private:
  std::shared_ptr<WallTime> now_ =
      std::make_shared<WallTime>(WallTime{Millis{1'795'341'600'000}});  // 2026-11-22, 10 o'clock.
};

}  // namespace term
