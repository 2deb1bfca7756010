#include "load/figures.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "load/probe.h"

namespace term::bench {

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

double us_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

double percentile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  const auto rank =
      static_cast<std::ptrdiff_t>(std::ceil(fraction * static_cast<double>(values.size())));
  const auto at = std::clamp<std::ptrdiff_t>(rank - 1, 0, std::ssize(values) - 1);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

nlohmann::ordered_json spread_us(const std::vector<double>& us) {
  return {{"p50_us", rounded(percentile(us, 0.5), 1)},
          {"p90_us", rounded(percentile(us, 0.9), 1)},
          {"p99_us", rounded(percentile(us, 0.99), 1)},
          {"max_us", rounded(percentile(us, 1), 1)},
          {"count", us.size()}};
}

double rounded(double value, int digits) {
  const double scale = std::pow(10, digits);
  return std::round(value * scale) / scale;
}

Stretch::Stretch(const std::vector<int>& pids)
    : pids_(pids), cpu_(cpu_seconds(pids)), own_cpu_(cpu_seconds({::getpid()})) {
  began_ = ended_ = Clock::now();
}

void Stretch::stop() {
  ended_ = Clock::now();
  cpu_ = cpu_seconds(pids_) - cpu_;
  own_cpu_ = cpu_seconds({::getpid()}) - own_cpu_;
}

nlohmann::ordered_json Stretch::rates(unsigned long long bytes) const {
  const auto amount = static_cast<double>(bytes);
  nlohmann::ordered_json out{{"bytes", bytes},
                             {"seconds", rounded(seconds(), 6)},
                             {"mb_per_s", rounded(amount / seconds() / 1e6)},
                             {"client_cpu_seconds", rounded(own_cpu_)}};
  if (pids_.empty()) return out;
  out["cpu_seconds"] = rounded(cpu_);
  out["cpu_per_gb"] = rounded(cpu_ / amount * 1e9);
  return out;
}

}  // namespace term::bench
