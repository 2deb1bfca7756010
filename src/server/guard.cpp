#include "server/guard.h"

#include <fmt/format.h>

namespace term::server {

namespace {

constexpr std::uint64_t kMinFailures = 3;

/// How many of new sessions are refactored, in percent.
int refactored_share(const adapter::Flags& flags) {
  if (flags.percentage) return *flags.percentage;
  return flags.choose({}, {}).sessions == Engine::refactored ? 100 : 0;
}

/// What went to refactored goes to legacy; the rest stays.
std::optional<bool> undo(const std::optional<bool>& refactored) {
  return refactored == true ? std::optional<bool>(false) : std::nullopt;
}

}  // namespace

GuardRules guard_rules(const Config& config) {
  return {.error_percent = config.alert_error_percent,
          .response_ms = static_cast<double>(config.alert_response_time.count()),
          .lost = config.alert_session_loss,
          .observation = config.observation_time,
          .min_operations = config.guard_min_operations};
}

std::optional<adapter::FlagChange> way_back(const adapter::FlagChange& change,
                                            const adapter::Flags& before) {
  if (change.project || change.session) return std::nullopt;
  adapter::FlagChange back;
  back.refactor = undo(change.refactor);
  back.services = {undo(change.services.sessions), undo(change.services.streams),
                   undo(change.services.telemetry)};
  const int share = refactored_share(before);
  if (change.percentage && *change.percentage > share) back.percentage = share;
  if (!back.changes_engine()) return std::nullopt;
  if (back.refactor) back.services = {};  // It covers them.
  back.force = true;
  return back;
}

void Guard::begin(std::string flip, adapter::FlagChange back, WallTime now,
                  const GuardFigures& before) {
  watch_ = Watch{.flip = std::move(flip),
                 .back = std::move(back),
                 .until = now + rules_.observation,
                 .before = before,
                 .now = {}};
}

void Guard::look(const GuardFigures& now, WallTime at) {
  if (!watch_) return;
  if (at > watch_->until) return cancel();
  const GuardFigures& before = watch_->before;
  watch_->now = {now.operations - before.operations, now.failed - before.failed,
                 now.operations_ms - before.operations_ms, now.lost - before.lost};
}

std::optional<std::string> Guard::verdict() const {
  if (!watch_) return std::nullopt;
  const GuardFigures& since = watch_->now;
  if (since.lost > rules_.lost)
    return fmt::format("{} sessions lost since flip {} > {}", since.lost, watch_->flip,
                       rules_.lost);
  if (since.operations < rules_.min_operations) return std::nullopt;
  const auto operations = static_cast<double>(since.operations);
  const double rate = 100 * static_cast<double>(since.failed) / operations;
  if (rate > rules_.error_percent && since.failed >= kMinFailures)
    return fmt::format("error rate {:.3g} % > {:.3g} %: {} of {} operations failed since flip {}",
                       rate, rules_.error_percent, since.failed, since.operations, watch_->flip);
  const double mean = since.operations_ms / operations;
  if (mean > rules_.response_ms)
    return fmt::format("response time {:.4g} ms > {:.4g} ms: mean of {} operations since flip {}",
                       mean, rules_.response_ms, since.operations, watch_->flip);
  return std::nullopt;
}

adapter::FlagChange Guard::take_back() {
  adapter::FlagChange back = std::move(watch_->back);
  watch_.reset();
  ++rollbacks_;
  return back;
}

}  // namespace term::server
