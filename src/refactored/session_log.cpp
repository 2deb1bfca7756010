#include "refactored/session_log.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace term::refactored {

std::uint64_t SessionLog::add(LogEntry entry) {
  if (entries_.size() >= kMaxEntries) {
    entries_.pop_front();
    ++dropped_;
  }
  entries_.push_back(std::move(entry));
  return dropped_ + entries_.size() - 1;
}

LogEntry* SessionLog::find(std::uint64_t number) {
  if (number < dropped_ || number - dropped_ >= entries_.size()) return nullptr;
  return &entries_[static_cast<std::size_t>(number - dropped_)];
}

std::vector<LogEntry> SessionLog::query(const LogQuery& query) const {
  std::vector<LogEntry> found;
  for (const LogEntry& entry : entries_ | std::views::reverse) {
    if (found.size() >= query.limit) break;
    if (!matches(query, entry)) continue;
    found.push_back(entry);
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace term::refactored
