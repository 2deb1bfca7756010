#include "refactored/session_log.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace term::refactored {

namespace {

LogEntry entry_of(const LogLine& line) {
  LogEntry entry{.sequence = line.sequence,
                 .at = line.at,
                 .kind = line.kind,
                 .content = line.content,
                 .bytes = line.bytes};
  if (line.text) entry.text = *line.text;
  if (!line.origin) return entry;
  entry.session = line.origin->session;
  entry.project = line.origin->project;
  entry.user = line.origin->user;
  return entry;
}

/// The empty id is nobody's.
bool tells_of(const LogLine& line, const SessionId& session) {
  return line.origin ? line.origin->session == session : session.empty();
}

}  // namespace

std::uint64_t SessionLog::add(LogLine line) {
  if (lines_.size() >= kMaxEntries) {
    lines_.pop_front();
    ++dropped_;
  }
  lines_.push_back(std::move(line));
  return dropped_ + lines_.size() - 1;
}

LogLine* SessionLog::find(std::uint64_t number) {
  if (number < dropped_ || number - dropped_ >= lines_.size()) return nullptr;
  return &lines_[static_cast<std::size_t>(number - dropped_)];
}

std::vector<LogEntry> SessionLog::query(const LogQuery& query) const {
  std::vector<LogEntry> found;
  for (const LogLine& line : lines_ | std::views::reverse) {
    if (found.size() >= query.limit) break;
    // Most are another's: not worth an entry.
    if (query.session && !tells_of(line, *query.session)) continue;
    LogEntry entry = entry_of(line);
    if (matches(query, entry)) found.push_back(std::move(entry));
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace term::refactored
