#include "store/restore.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace term::store {

namespace {

enum class Verdict : std::uint8_t { restore, adopted, skipped, failed };

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::restore:
      return "restored";
    case Verdict::adopted:
      return "adopted";
    case Verdict::skipped:
      return "skipped";
    case Verdict::failed:
      break;
  }
  return "failed";
}

struct Judged {
  Verdict verdict = Verdict::restore;
  Batch::Session row;  ///< As it is to be written.
  std::string why;
};

/// A file without output leaves that of the row alone.
void keep_output(StreamRecord& stream, const std::optional<StoredSession>& stored) {
  if (!stored) {
    stream.data.emplace();
    stream.first_offset = stream.next_offset;
    return;
  }
  const StreamRecord& kept = stored->snapshot.stream;
  stream.data = kept.data.value_or("");
  stream.first_offset = kept.first_offset;
  stream.next_offset = kept.next_offset;
}

/// No output and none stored are the same.
bool same(StoredSession stored, const Batch::Session& wanted) {
  std::optional<std::string> data = std::exchange(stored.snapshot.stream.data, std::nullopt);
  StoredSession other = wanted.stored;
  std::optional<std::string> wanted_data = std::exchange(other.snapshot.stream.data, std::nullopt);
  if (stored != other) return false;
  if (wanted.packed) {
    auto bytes = unpack(*wanted.packed);
    if (!bytes) return false;
    wanted_data = std::move(*bytes);
  }
  return data.value_or("") == wanted_data.value_or("");
}

Judged judge(DocumentSession session, const Offset* live, const Owners& owners,
             const std::optional<StoredSession>& stored) {
  Judged judged;
  const Offset next = session.snapshot.stream.next_offset;
  if (live != nullptr) {
    judged.verdict = *live >= next ? Verdict::adopted : Verdict::failed;
    judged.why = "it is live and has printed " + std::to_string(*live) + " bytes, fewer than the " +
                 std::to_string(next) +
                 " of the file; close it before, if the file's is the one you want";
    return judged;
  }
  if (!session.scrollback) keep_output(session.snapshot.stream, stored);
  judged.row.stored = {owners, std::move(session.snapshot)};
  judged.row.packed = std::move(session.scrollback);
  if (stored && same(*stored, judged.row)) judged.verdict = Verdict::skipped;
  return judged;
}

/// Both tables may have it: the row of the engine that owns it counts, else the newer one.
bool counts(const StoredSession& row, Table table, const StoredSession& other) {
  const bool own = table_of(row.owners.sessions) == table;
  const bool others_own = table_of(other.owners.sessions) != table;
  if (own != others_own) return own;
  const auto age = [](const StoredSession& stored) {
    return std::pair(stored.snapshot.session.last_activity, stored.snapshot.session.updated_at);
  };
  return table == Table::refactored ? age(row) >= age(other) : age(row) > age(other);
}

}  // namespace

void RestoreReport::add(RestoreReport other) {
  restored += other.restored;
  adopted += other.adopted;
  skipped += other.skipped;
  trimmed += other.trimmed;
  std::ranges::move(other.failed, std::back_inserter(failed));
  std::ranges::move(other.each, std::back_inserter(each));
}

RestoreReport all_failed(const std::vector<SessionId>& ids, const std::string& why) {
  RestoreReport report;
  for (const auto& id : ids) {
    report.failed.emplace_back(id, why);
    report.each.emplace_back(id, "failed");
  }
  return report;
}

nlohmann::json to_json(const RestoreReport& report, bool each) {
  nlohmann::json failed = nlohmann::json::array();
  for (const auto& [id, error] : report.failed) failed.push_back({{"id", id}, {"error", error}});
  nlohmann::json json{{"restored", report.restored},
                      {"adopted", report.adopted},
                      {"skipped", report.skipped},
                      {"trimmed", report.trimmed},
                      {"failed", std::move(failed)}};
  if (!each) return json;
  json["sessions"] = nlohmann::json::array();
  for (const auto& [id, result] : report.each)
    json["sessions"].push_back({{"id", id}, {"result", result}});
  return json;
}

RestoreReport restore_batch(Store& store, RestoreBatch batch) {
  RestoreReport report;
  Batch rows;
  std::vector<std::size_t> places;  // In `each`, of what is in `rows`.
  for (std::size_t i = 0; i < batch.sessions.size(); ++i) {
    const SessionId id = batch.sessions[i].snapshot.session.id;
    const bool trimmed = batch.sessions[i].trimmed;
    const auto stored = find_stored(store, id);
    const auto live = batch.live.find(id);
    const Offset* const end = live == batch.live.end() ? nullptr : &live->second;
    Judged judged{.verdict = Verdict::failed};
    if (stored)
      judged = judge(std::move(batch.sessions[i]), end, batch.owners[i], *stored);
    else
      judged.why = stored.error().detail;
    report.each.emplace_back(id, name(judged.verdict));
    if (judged.verdict == Verdict::adopted) ++report.adopted;
    if (judged.verdict == Verdict::skipped) ++report.skipped;
    if (judged.verdict == Verdict::failed) report.failed.emplace_back(id, judged.why);
    if (judged.verdict != Verdict::restore) continue;
    if (trimmed) ++report.trimmed;
    places.push_back(i);
    rows.sessions.push_back(std::move(judged.row));
  }
  if (rows.sessions.empty()) return report;
  if (const auto done = store.write(rows); done) {
    report.restored = rows.sessions.size();
  } else {
    report.trimmed = 0;
    for (const std::size_t place : places) {
      report.each[place].second = name(Verdict::failed);
      report.failed.emplace_back(report.each[place].first, done.error().detail);
    }
  }
  return report;
}

Result<std::vector<ProjectRecord>> restore_projects(Store& store, const CheckedDocument& document) {
  if (document.projects.empty()) return std::vector<ProjectRecord>{};
  const auto stored = store.projects();
  if (!stored) return stored.error();
  std::set<ProjectId> known;
  for (const auto& project : *stored) known.insert(project.id);
  Batch rows;
  for (std::size_t i = 0; i < document.projects.size(); ++i) {
    auto project = document.project(i);
    if (!project) return project.error();
    if (!known.contains(project->id)) rows.projects.push_back(std::move(*project));
  }
  if (rows.projects.empty()) return std::vector<ProjectRecord>{};
  if (auto written = store.write(rows); !written) return written.error();
  return std::move(rows.projects);
}

std::size_t batch_end(const CheckedDocument& document, std::size_t first) {
  std::size_t bytes = 0;
  std::size_t end = first;
  while (end < document.sessions.size() && end - first < kBatchSessions) {
    bytes += document.sessions[end].size();
    if (end > first && bytes > kBatchBytes) break;
    ++end;
  }
  return end;
}

Result<std::optional<StoredSession>> find_stored(Store& store, const SessionId& id) {
  auto refactored = store.session(Table::refactored, id);
  if (!refactored) return refactored;
  auto legacy = store.session(Table::legacy, id);
  if (!legacy || !*refactored) return legacy;
  if (!*legacy) return refactored;
  return counts(**refactored, Table::refactored, **legacy) ? refactored : legacy;
}

Result<std::vector<StoredSession>> next_stored(Store& store, StoredCursor& cursor,
                                               std::size_t limit, bool scrollback) {
  auto rows = store.sessions(cursor.table, cursor.after, limit, scrollback);
  if (!rows) return rows;
  StoredCursor next = cursor;
  if (rows->size() < limit) {
    next.over = cursor.table == Table::legacy;
    next.table = Table::legacy;
    next.after.clear();
  } else {
    next.after = rows->back().snapshot.session.id;
  }
  const Table other = cursor.table == Table::legacy ? Table::refactored : Table::legacy;
  std::vector<StoredSession> kept;
  for (auto& row : *rows) {
    auto twin = store.session(other, row.snapshot.session.id);
    if (!twin) return twin.error();
    if (!*twin || counts(row, cursor.table, **twin)) kept.push_back(std::move(row));
  }
  cursor = std::move(next);
  return kept;
}

}  // namespace term::store
