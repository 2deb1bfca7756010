#include "store/pending.h"

#include <utility>

namespace term::store {

namespace {

constexpr std::size_t kStateBytes = 2048;  ///< About; only scrollback is counted exactly.
constexpr std::size_t kRowBytes = 256;

std::size_t size_of(const Batch::Session& session) {
  const auto& data = session.stored.snapshot.stream.data;
  return kStateBytes + (data ? data->size() : 0) +
         (session.packed ? session.packed->packed.size() : 0);
}
std::size_t size_of(const ProjectRecord& record) { return kRowBytes + record.layout.size(); }
std::size_t size_of(const FlipRow& row) { return row.entry.size(); }
std::size_t size_of(const AuditRow& row) { return kRowBytes + row.detail.size(); }
std::size_t size_of(const CommandRow& row) { return kRowBytes + row.command.size(); }

}  // namespace

void Pending::drop(std::optional<Batch::Session>& old) {
  if (!old) return;
  bytes_ -= size_of(*old);
  ++counts_.superseded;
  old.reset();
}

void Pending::put(Batch::Session session) {
  Entry& entry = sessions_[session.stored.snapshot.session.id];
  drop(entry.state);
  bytes_ += size_of(session);
  if (!session.has_data()) {
    entry.state = std::move(session);
    return;
  }
  drop(entry.data);
  entry.data = std::move(session);
}

void Pending::ended(const SessionId& id) {
  Entry& entry = sessions_[id];
  drop(entry.data);
  drop(entry.state);
  entry.ended = true;
}

void Pending::put(ProjectRecord project) {
  Project& entry = projects_[project.id];
  if (entry.record) bytes_ -= size_of(*entry.record);
  bytes_ += size_of(project);
  entry.record = std::move(project);
}

void Pending::ended_project(const ProjectId& id) {
  Project& entry = projects_[id];
  if (entry.record) bytes_ -= size_of(*entry.record);
  entry.record.reset();
  entry.ended = true;
}

void Pending::setting(std::string key, std::string json) {
  std::string& value = settings_[std::move(key)];
  bytes_ = bytes_ - value.size() + json.size();
  value = std::move(json);
}

void Pending::flip(FlipRow row) {
  FlipRow& kept = flips_[row.id];
  bytes_ = bytes_ - size_of(kept) + size_of(row);
  kept = std::move(row);
}

void Pending::audit(AuditRow row) {
  bytes_ += size_of(row);
  audit_.push_back(std::move(row));
  trim();
}

void Pending::command(CommandRow row) {
  bytes_ += size_of(row);
  commands_.push_back(std::move(row));
  trim();
}

void Pending::trim() {
  for (; audit_.size() > kMaxRows; audit_.pop_front(), ++counts_.lost)
    bytes_ -= size_of(audit_.front());
  for (; commands_.size() > kMaxRows; commands_.pop_front(), ++counts_.dropped)
    bytes_ -= size_of(commands_.front());
}

void Pending::add(Pending newer) {
  for (auto& [id, entry] : newer.sessions_) {
    if (entry.ended) ended(id);
    if (entry.data) put(std::move(*entry.data));
    if (entry.state) put(std::move(*entry.state));
  }
  for (auto& [id, entry] : newer.projects_) {
    if (entry.ended) ended_project(id);
    if (entry.record) put(std::move(*entry.record));
  }
  for (auto& [key, json] : newer.settings_) setting(key, std::move(json));
  for (auto& [id, row] : newer.flips_) flip(std::move(row));
  for (auto& row : newer.audit_) audit(std::move(row));
  for (auto& row : newer.commands_) command(std::move(row));
  counts_.superseded += newer.counts_.superseded;
  counts_.dropped += newer.counts_.dropped;
  counts_.lost += newer.counts_.lost;
}

Batch Pending::take(std::size_t rows, std::size_t bytes) {
  Batch batch;
  std::size_t taken = 0;
  std::size_t size = 0;
  const auto more = [&](std::size_t next) {
    if (taken >= rows || (taken > 0 && size + next > bytes)) return false;
    ++taken;
    size += next;
    bytes_ -= next;
    return true;
  };
  while (!settings_.empty() && more(settings_.begin()->second.size())) {
    batch.settings.emplace_back(settings_.begin()->first, std::move(settings_.begin()->second));
    settings_.erase(settings_.begin());
  }
  while (!flips_.empty() && more(size_of(flips_.begin()->second))) {
    batch.flips.push_back(std::move(flips_.begin()->second));
    flips_.erase(flips_.begin());
  }
  for (; !audit_.empty() && more(size_of(audit_.front())); audit_.pop_front())
    batch.audit.push_back(std::move(audit_.front()));
  for (auto it = projects_.begin(); it != projects_.end(); it = projects_.erase(it)) {
    if (!more(it->second.record ? size_of(*it->second.record) : 0)) return batch;
    if (it->second.ended) batch.ended_projects.push_back(it->first);
    if (it->second.record) batch.projects.push_back(std::move(*it->second.record));
  }
  for (auto it = sessions_.begin(); it != sessions_.end(); it = sessions_.erase(it)) {
    Entry& entry = it->second;
    if (!more((entry.data ? size_of(*entry.data) : 0) + (entry.state ? size_of(*entry.state) : 0)))
      return batch;
    if (entry.ended) batch.ended.push_back(it->first);
    if (entry.data) batch.sessions.push_back(std::move(*entry.data));
    if (entry.state) batch.sessions.push_back(std::move(*entry.state));
  }
  for (; !commands_.empty() && more(size_of(commands_.front())); commands_.pop_front())
    batch.commands.push_back(std::move(commands_.front()));
  return batch;
}

Pending Pending::of(Batch batch) {
  Pending made;
  for (const auto& id : batch.ended) made.ended(id);
  for (auto& session : batch.sessions) made.put(std::move(session));
  for (const auto& id : batch.ended_projects) made.ended_project(id);
  for (auto& project : batch.projects) made.put(std::move(project));
  for (auto& [key, json] : batch.settings) made.setting(std::move(key), std::move(json));
  for (auto& row : batch.flips) made.flip(std::move(row));
  for (auto& row : batch.audit) made.audit(std::move(row));
  for (auto& row : batch.commands) made.command(std::move(row));
  made.take_counts();
  return made;
}

bool Pending::empty() const { return sessions() + rows() == 0; }

}  // namespace term::store
