#include "legacy/logging.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace term::legacy {

namespace {

/// At most Logging::kMaxContentBytes, and no UTF-8 sequence cut in two.
std::string_view shortened(std::string_view text) {
  if (text.size() <= Logging::kMaxContentBytes) return text;
  std::size_t end = Logging::kMaxContentBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

Logging::Logging(Clock clock, EventBus& bus) : clock_(std::move(clock)), bus_(bus) {
  bus_.alerts_triggered.subscribe([this](const AlertsTriggered& event) {
    for (const std::string& alert : event.alerts) log({}, LogKind::system, alert);
  });
}

void Logging::start_session(const SessionId& id, const ProjectId& project, std::uint64_t position,
                            std::string_view user) {
  sessions_.insert_or_assign(id, SessionLog{.project = project,
                                            .user = std::string(user),
                                            .next_sequence = position,
                                            .output = std::nullopt});
}

void Logging::end_session(const SessionId& id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  close_output(it->second);
  sessions_.erase(it);
}

LogEntry Logging::entry(const SessionId& id, SessionLog& session, LogKind kind,
                        std::string_view content) {
  return {.session = id,
          .project = session.project,
          .sequence = session.next_sequence++,
          .at = clock_(),
          .kind = kind,
          .content = std::string(shortened(content)),
          .user = session.user};
}

void Logging::log(const SessionId& id, LogKind kind, std::string_view content,
                  std::string_view text) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end() && !id.empty()) return;
  SessionLog& session = it == sessions_.end() ? service_ : it->second;
  close_output(session);
  if (kind == LogKind::command) ++commands_recorded_;
  LogEntry made = entry(id, session, kind, content);
  made.text = text;
  append(std::move(made));
}

CommandEvent Logging::sign(const SessionId& id, RunningCommand command) const {
  CommandEvent event{.session = id, .command = std::move(command)};
  if (const auto it = sessions_.find(id); it != sessions_.end()) {
    event.project = it->second.project;
    event.user = it->second.user;
  }
  return event;
}

void Logging::log_output(const SessionId& id, std::size_t bytes) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  SessionLog& session = it->second;
  if (session.output && clock_() - session.output->at >= kBatchTime) close_output(session);
  if (!session.output) session.output = entry(id, session, LogKind::output, "output");
  session.output->bytes += bytes;
}

void Logging::close_output(SessionLog& session) {
  if (!session.output) return;
  LogEntry done = *std::move(session.output);
  session.output.reset();
  append(std::move(done));
}

void Logging::append(LogEntry entry) {
  if (batch_.empty()) batch_since_ = clock_();
  batch_.push_back(std::move(entry));
  bus_.log_recorded.publish({.entry = batch_.back()});
  if (batch_.size() >= kBatch) flush();
}

void Logging::set_sink(LogSink sink) { sink_ = std::move(sink); }

void Logging::flush() {
  if (sink_) backlog_.insert(backlog_.end(), batch_.begin(), batch_.end());
  stored_.insert(stored_.end(), std::make_move_iterator(batch_.begin()),
                 std::make_move_iterator(batch_.end()));
  batch_.clear();
  while (stored_.size() > kMaxStored) {
    stored_.pop_front();
    ++fallen_out_;
  }
  deliver();
  while (backlog_.size() > kMaxBacklog) {
    backlog_.pop_front();
    ++undelivered_;
    last_drop_ = clock_();
  }
}

void Logging::deliver() {
  if (!sink_) backlog_.clear();
  std::vector<LogEntry> offered;
  while (!backlog_.empty()) {
    const auto size = static_cast<std::ptrdiff_t>(std::min(backlog_.size(), kBatch));
    offered.assign(backlog_.begin(), backlog_.begin() + size);
    if (!sink_(offered)) return;
    backlog_.erase(backlog_.begin(), backlog_.begin() + size);
  }
}

void Logging::tick() {
  const WallTime now = clock_();
  for (auto& [id, session] : sessions_) {
    if (session.output && now - session.output->at >= kBatchTime) close_output(session);
  }
  const bool due = !batch_.empty() && now - batch_since_ >= kBatchTime;
  if (due || !backlog_.empty()) flush();
}

std::vector<LogEntry> Logging::session_logs(const LogQuery& query) const {
  std::vector<LogEntry> found;
  const auto take = [&](const LogEntry& entry) {
    if (matches(query, entry)) found.push_back(entry);
  };
  for (const auto& [id, session] : sessions_) {
    if (session.output) take(*session.output);
  }
  std::ranges::for_each(batch_, take);
  // Entries of the store are all older than those of the batch, give or take an output's second.
  const std::size_t newer = found.size();
  for (auto it = stored_.rbegin(); it != stored_.rend() && found.size() < newer + query.limit;
       ++it) {
    take(*it);
  }
  std::ranges::sort(found, {}, [](const LogEntry& entry) {
    return std::tie(entry.at, entry.session, entry.sequence);
  });
  if (found.size() > query.limit) {
    found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(query.limit));
  }
  return found;
}

void Logging::describe(const SessionId& id, TelemetryRecord& record) const {
  const auto it = sessions_.find(id);
  if (it != sessions_.end()) record.log_position = it->second.next_sequence;
}

ModuleHealth Logging::health() const {
  const auto unhealthy = [](std::string why) {
    return ModuleHealth{.module = "logging", .healthy = false, .detail = std::move(why)};
  };
  if (last_drop_ && clock_() - *last_drop_ < kRecentDrops) {
    return unhealthy(std::to_string(undelivered_) + " entries were lost: the sink takes none");
  }
  if (backlog_.size() > kMaxBacklog / 2) {
    return unhealthy(std::to_string(backlog_.size()) + " entries wait for the sink, of at most " +
                     std::to_string(kMaxBacklog));
  }
  return {.module = "logging",
          .detail = std::to_string(stored_.size() + batch_.size()) + " entries held, " +
                    std::to_string(fallen_out_) + " older ones gone, " +
                    std::to_string(backlog_.size()) + " to deliver"};
}

}  // namespace term::legacy
