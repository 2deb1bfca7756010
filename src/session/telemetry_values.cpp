#include "session/ports.h"

namespace term {

std::string_view to_string(LogKind kind) {
  constexpr std::string_view kNames[] = {"command", "output", "error", "system", "result"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool matches(const LogQuery& query, const LogEntry& entry) {
  if (query.session && *query.session != entry.session) return false;
  if (query.project && *query.project != entry.project) return false;
  if (query.user && *query.user != entry.user) return false;
  if (query.since && entry.at < *query.since) return false;
  if (query.until && entry.at >= *query.until) return false;
  if (!query.category || *query.category == to_string(entry.kind)) return true;
  return entry.kind == LogKind::command && *query.category == entry.content;
}

}  // namespace term
