#pragma once
// Times taken, and what is said of them.

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace term::bench {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to);
double us_between(Clock::time_point from, Clock::time_point to);

/// Nearest rank; `fraction` 0..1. Of nothing: 0.
double percentile(std::vector<double> values, double fraction);
/// p50_us, p90_us, p99_us, max_us and count.
nlohmann::ordered_json spread_us(const std::vector<double>& us);
/// To `digits` decimals, so that JSON stays readable.
double rounded(double value, int digits = 3);

/// A stretch of wall clock and of the CPU time of some processes and of our own.
class Stretch {
 public:
  explicit Stretch(const std::vector<int>& pids);
  void stop();
  double seconds() const { return seconds_between(began_, ended_); }
  /// seconds, mb_per_s, client_cpu_seconds; with pids cpu_seconds and cpu_per_gb (10^9 bytes).
  nlohmann::ordered_json rates(unsigned long long bytes) const;

 private:
  const std::vector<int> pids_;
  Clock::time_point began_;
  Clock::time_point ended_;
  double cpu_ = 0;
  double own_cpu_ = 0;
};

}  // namespace term::bench
