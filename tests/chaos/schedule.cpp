#include "chaos/schedule.h"

namespace term::chaos {

// Only the generator's own numbers are used: the distributions of the standard differ by library.

Schedule::Schedule(std::uint64_t seed, std::vector<Kind> kinds,
                   std::chrono::milliseconds longest_pause)
    : random_(seed),
      kinds_(std::move(kinds)),
      counts_(kinds_.size()),
      longest_pause_(static_cast<std::uint64_t>(longest_pause.count()) + 1) {
  for (const Kind& kind : kinds_) weights_ += kind.weight;
}

Step Schedule::next() {
  std::uint64_t pick = random_() % weights_;
  std::size_t kind = 0;
  while (pick >= kinds_[kind].weight) pick -= kinds_[kind++].weight;
  Step step{.fault = kinds_[kind].name};
  step.after = std::chrono::milliseconds(random_() % longest_pause_);
  step.target = random_();
  step.a = random_();
  step.b = random_();
  step.number = counts_[kind]++;
  return step;
}

}  // namespace term::chaos
