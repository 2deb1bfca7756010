#include "legacy/analytics.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace term::legacy {

namespace {
constexpr std::size_t kPeakHours = 3;

std::size_t hour_of_day(WallTime at) {
  const auto hours = std::chrono::floor<std::chrono::hours>(at.time_since_epoch()).count() % 24;
  return static_cast<std::size_t>((hours + 24) % 24);
}
}  // namespace

Analytics::Analytics(EventBus& bus) {
  bus.log_recorded.subscribe([this](const LogRecorded& event) { learn(event.entry); });
  // Upkeep at the pace of the collections: patterns are forgotten before they must be.
  bus.metrics_collected.subscribe([this](const MetricsCollected&) {
    if (patterns_.size() > kMaxPatterns - kMaxPatterns / 8) make_room();
  });
}

void Analytics::start_session(const SessionId& id, const CommandStatistics& statistics) {
  sessions_.insert_or_assign(id, SessionAnalytics{.statistics = statistics});
}

void Analytics::end_session(const SessionId& id) { sessions_.erase(id); }

CommandStatistics* Analytics::statistics(const SessionId& id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second.statistics;
}

const CommandStatistics* Analytics::statistics(const SessionId& id) const {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : &it->second.statistics;
}

void Analytics::count_end(bool failed) {
  ++reported_;
  if (failed) ++failed_;
}

void Analytics::learn(const LogEntry& entry) {
  if (entry.kind != LogKind::command) return;
  ++commands_;
  ++by_category_[entry.content];
  ++by_hour_.at(hour_of_day(entry.at));

  const auto it = sessions_.find(entry.session);
  if (it == sessions_.end()) return;
  std::deque<std::string>& recent = it->second.recent;
  recent.push_back(entry.content);
  if (recent.size() > kLongestPattern) recent.pop_front();
  std::string pattern = recent.back();
  for (std::size_t length = kShortestPattern; length <= recent.size(); ++length) {
    pattern.insert(0, recent[recent.size() - length] + " > ");
    count_pattern(pattern);
  }
}

void Analytics::count_pattern(const std::string& pattern) {
  if (const auto it = patterns_.find(pattern); it != patterns_.end()) {
    ++it->second;
    return;
  }
  if (patterns_.size() >= kMaxPatterns) make_room();
  if (patterns_.size() < kMaxPatterns) {
    patterns_.emplace(pattern, 1);
  } else {
    ++patterns_forgotten_;
  }
}

void Analytics::make_room() {
  patterns_forgotten_ += std::erase_if(patterns_, [](const auto& p) { return p.second == 1; });
}

AnalyticsReport Analytics::report() const {
  AnalyticsReport report{
      .commands = commands_, .reported = reported_, .failed = failed_, .by_category = by_category_};
  std::vector<std::size_t> hours(by_hour_.size());
  std::iota(hours.begin(), hours.end(), std::size_t{0});
  std::ranges::sort(hours, [this](std::size_t a, std::size_t b) {
    return std::tie(by_hour_.at(b), a) < std::tie(by_hour_.at(a), b);
  });
  for (const std::size_t hour : hours) {
    if (by_hour_.at(hour) == 0 || report.peak_hours.size() == kPeakHours) break;
    report.peak_hours.push_back(hour);
  }
  return report;
}

std::vector<CommandPattern> Analytics::patterns(std::uint64_t min_frequency) const {
  std::vector<CommandPattern> found;
  for (const auto& [pattern, frequency] : patterns_) {
    if (frequency >= min_frequency) found.push_back({pattern, frequency});
  }
  std::ranges::sort(found, [](const CommandPattern& a, const CommandPattern& b) {
    return std::tie(b.frequency, a.pattern) < std::tie(a.frequency, b.pattern);
  });
  return found;
}

void Analytics::describe(const SessionId& id, TelemetryRecord& record) const {
  if (const CommandStatistics* known = statistics(id)) record.commands = *known;
}

ModuleHealth Analytics::health(std::uint64_t recorded_by_logging) const {
  if (commands_ != recorded_by_logging) {
    return {.module = "analytics",
            .healthy = false,
            .detail = std::to_string(commands_) + " commands are known and logging recorded " +
                      std::to_string(recorded_by_logging)};
  }
  std::string detail = std::to_string(commands_) + " commands in " +
                       std::to_string(by_category_.size()) + " categories, as logging has it; " +
                       std::to_string(patterns_.size()) + " patterns";
  if (patterns_forgotten_ > 0) {
    detail += ", " + std::to_string(patterns_forgotten_) + " rare ones forgotten";
  }
  return {.module = "analytics", .detail = std::move(detail)};
}

}  // namespace term::legacy
