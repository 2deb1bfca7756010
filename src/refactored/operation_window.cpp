#include "refactored/operation_window.h"

namespace term::refactored {

namespace {
std::int64_t second_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}
}  // namespace

void OperationWindow::add(WallTime now, bool ok, Millis took) {
  const std::int64_t second = second_of(now);
  Bucket& bucket = buckets_.at(static_cast<std::size_t>(second % kSeconds));
  if (bucket.second != second) bucket = Bucket{.second = second};
  ++bucket.operations;
  if (!ok) ++bucket.failed;
  bucket.took_ms += static_cast<double>(took.count());
}

OperationWindow::Sum OperationWindow::sum(WallTime now) const {
  const std::int64_t oldest = second_of(now) - kSeconds + 1;
  Sum sum;
  double took_ms = 0;
  for (const Bucket& bucket : buckets_) {
    if (bucket.second < oldest) continue;
    sum.operations += bucket.operations;
    sum.failed += bucket.failed;
    took_ms += bucket.took_ms;
  }
  if (sum.operations > 0) sum.mean_ms = took_ms / static_cast<double>(sum.operations);
  return sum;
}

}  // namespace term::refactored
