#include "server/command_book.h"

#include <algorithm>
#include <numeric>
#include <ranges>
#include <tuple>

namespace term::server {

namespace {

constexpr std::size_t kLongestSequence = 5;
constexpr std::size_t kMaxSequences = 50;
constexpr std::size_t kPeakHours = 3;

bool matches(const store::CommandQuery& query, const store::CommandRow& row) {
  if (query.session && *query.session != row.session) return false;
  if (query.project && *query.project != row.project) return false;
  if (query.user && *query.user != row.user) return false;
  return !(query.since && row.at < *query.since) && !(query.until && row.at >= *query.until);
}

store::CommandRow row_of(CommandEvent event) {
  store::CommandRow row{.session = std::move(event.session),
                        .project = std::move(event.project),
                        .user = std::move(event.user),
                        .sequence = event.command.sequence,
                        .at = event.command.at,
                        .command = std::move(event.command.text),
                        .category = std::move(event.command.category)};
  if (!event.ended) return row;
  row.duration = event.duration;
  row.failed = event.failed;
  return row;
}

std::size_t hour_of_day(WallTime at) {
  const auto hours = std::chrono::floor<std::chrono::hours>(at.time_since_epoch()).count() % 24;
  return static_cast<std::size_t>((hours + 24) % 24);
}

/// Sequences of categories, session by session.
class Sequences {
 public:
  void add(const store::CommandRow& row) {
    std::deque<std::string_view>& recent = recent_[row.session];
    recent.push_back(row.category);
    if (recent.size() > kLongestSequence) recent.pop_front();
    std::string text(recent.back());
    for (std::size_t length = 2; length <= recent.size(); ++length) {
      text.insert(0, std::string(recent[recent.size() - length]) + " > ");
      ++counts_[text];
    }
  }
  std::vector<CommandPattern> most_frequent(std::uint64_t min_frequency) const {
    std::vector<CommandPattern> found;
    for (const auto& [text, count] : counts_)
      if (count >= min_frequency) found.push_back({text, count});
    std::ranges::sort(found, [](const CommandPattern& a, const CommandPattern& b) {
      return std::tie(b.frequency, a.pattern) < std::tie(a.frequency, b.pattern);
    });
    if (found.size() > kMaxSequences) found.resize(kMaxSequences);
    return found;
  }

 private:
  std::map<SessionId, std::deque<std::string_view>> recent_;
  std::map<std::string, std::uint64_t> counts_;
};

std::vector<std::size_t> peaks(const std::array<std::uint64_t, 24>& by_hour) {
  std::vector<std::size_t> hours(by_hour.size());
  std::iota(hours.begin(), hours.end(), std::size_t{0});
  std::ranges::sort(hours, [&](std::size_t a, std::size_t b) {
    return std::tie(by_hour.at(b), a) < std::tie(by_hour.at(a), b);
  });
  hours.resize(kPeakHours);
  std::erase_if(hours, [&](std::size_t h) { return by_hour.at(h) == 0; });
  return hours;
}

}  // namespace

void CommandBook::add(std::vector<CommandEvent> events) {
  for (CommandEvent& event : events) {
    store::CommandRow row = row_of(std::move(event));
    if (sink_) sink_(row);
    const std::scoped_lock lock(mutex_);
    keep(std::move(row));
  }
}

void CommandBook::keep(store::CommandRow row) {
  if (row.duration.count() > 0) {
    for (store::CommandRow& known : rows_ | std::views::reverse) {
      if (known.sequence != row.sequence || known.session != row.session) continue;
      known = std::move(row);
      return;
    }
  }
  rows_.push_back(std::move(row));
  if (rows_.size() > kMaxRows) rows_.pop_front();
}

std::vector<store::CommandRow> CommandBook::find(const store::CommandQuery& query) const {
  std::vector<store::CommandRow> found;
  {
    const std::scoped_lock lock(mutex_);
    for (const store::CommandRow& row : rows_)
      if (matches(query, row)) found.push_back(row);
  }
  std::ranges::sort(found, {}, [](const store::CommandRow& row) {
    return std::tuple<WallTime, std::string_view, std::uint64_t>(row.at, row.session, row.sequence);
  });
  if (found.size() > query.limit)
    found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(query.limit));
  return found;
}

CommandAnalysis analyse(std::span<const store::CommandRow> rows, std::uint64_t min_frequency) {
  CommandAnalysis analysis{.commands = rows.size()};
  Sequences sequences;
  for (const store::CommandRow& row : rows) {
    CommandAnalysis::Category& category = analysis.categories[row.category];
    ++category.commands;
    ++analysis.by_hour.at(hour_of_day(row.at));
    sequences.add(row);
    if (row.duration.count() == 0) continue;
    ++category.reported;
    ++analysis.reported;
    category.total_ms += static_cast<std::uint64_t>(row.duration.count());
    if (!row.failed) continue;
    ++category.failed;
    ++analysis.failed;
  }
  analysis.peak_hours = peaks(analysis.by_hour);
  analysis.sequences = sequences.most_frequent(min_frequency);
  return analysis;
}

}  // namespace term::server
