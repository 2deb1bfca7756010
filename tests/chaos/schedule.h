#pragma once
// Which fault comes when: a pure function of the seed.

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace term::chaos {

/// One entry; what the numbers mean is the fault's own affair.
struct Step {
  std::string fault;
  std::chrono::milliseconds after{0};  ///< Since the one before was over.
  std::uint64_t target = 0;            ///< Of many; taken modulo.
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t number = 0;  ///< Of this kind, from 0.
};

class Schedule {
 public:
  /// `kinds` with their weights. Errors: none; no kinds give no steps.
  struct Kind {
    std::string name;
    unsigned weight = 1;
  };
  Schedule(std::uint64_t seed, std::vector<Kind> kinds, std::chrono::milliseconds longest_pause);
  bool empty() const { return kinds_.empty(); }
  Step next();

 private:
  std::mt19937_64 random_;
  std::vector<Kind> kinds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t weights_ = 0;
  std::uint64_t longest_pause_;
};

}  // namespace term::chaos
