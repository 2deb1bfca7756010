#pragma once
// Commands on their way from an engine to whoever keeps them.

#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "session/ports.h"

namespace term {

/// At most kMaxCommandEvents; the oldest fall out and are counted.
class CommandQueue {
 public:
  void add(CommandEvent event) {
    if (events_.size() >= kMaxCommandEvents) {
      events_.pop_front();
      ++dropped_;
    }
    events_.push_back(std::move(event));
  }
  std::vector<CommandEvent> take() {
    auto events = std::exchange(events_, {});
    return {std::make_move_iterator(events.begin()), std::make_move_iterator(events.end())};
  }
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::deque<CommandEvent> events_;
  std::uint64_t dropped_ = 0;
};

}  // namespace term
