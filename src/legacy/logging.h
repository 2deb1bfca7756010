#pragma once
// logging: what happened, in order. Entries in batches, into a bounded store and to a sink.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "legacy/events.h"

namespace term::legacy {

/// Takes a batch of at most Logging::kBatch entries, oldest first; false: not now, offer it again.
using LogSink = std::function<bool(std::span<const LogEntry>)>;

/// The log of all sessions. Sequences are given per session when an entry begins, so they have no
/// holes and move with the session; entries stay here. Source: reference/origin.md 2.6.
///
/// Output within one second, with nothing else in between, is one entry. Entries are at most
/// kMaxContentBytes long: categories and messages, never terminal bytes.
class Logging final {
 public:
  static constexpr std::size_t kBatch = 50;
  static constexpr Millis kBatchTime{1000};
  static constexpr std::size_t kMaxStored = 20'000;   ///< The oldest fall out, counted.
  static constexpr std::size_t kMaxBacklog = 10'000;  ///< Not delivered yet; then the same.
  static constexpr std::size_t kMaxContentBytes = 256;
  static constexpr Millis kRecentDrops{300'000};  ///< How long a loss makes it unhealthy.

  Logging(Clock clock, EventBus& bus);
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;

  /// `position`: the sequence of the session's next entry.
  void start_session(const SessionId& id, const ProjectId& project, std::uint64_t position,
                     std::string_view user = {});
  void end_session(const SessionId& id);
  bool knows(const SessionId& id) const { return sessions_.contains(id); }

  /// Empty `id`: concerns no session; those have a sequence of their own. An unknown one is
  /// ignored.
  void log(const SessionId& id, LogKind kind, std::string_view content, std::string_view text = {});
  /// The command with the names of those whose it is.
  CommandEvent sign(const SessionId& id, RunningCommand command) const;
  void log_output(const SessionId& id, std::size_t bytes);

  /// From now on; what is in the store already was not for it. Empty: none.
  void set_sink(LogSink sink);
  /// Ends the batch, and offers the sink what it has not taken.
  void flush();
  /// Flushes what is older than kBatchTime.
  void tick();

  /// As TelemetryService::logs.
  std::vector<LogEntry> session_logs(const LogQuery& query) const;
  std::uint64_t commands_recorded() const { return commands_recorded_; }
  std::uint64_t fallen_out() const { return fallen_out_; }
  std::uint64_t undelivered() const { return undelivered_; }
  std::size_t backlog() const { return backlog_.size(); }

  /// Fills in logging's share of a record.
  void describe(const SessionId& id, TelemetryRecord& record) const;

  /// No entry was lost to the sink within kRecentDrops, and its backlog is below half its bound.
  ModuleHealth health() const;

 private:
  struct SessionLog {
    ProjectId project;
    std::string user;
    std::uint64_t next_sequence = 0;
    std::optional<LogEntry> output;  ///< Still being added to.
  };

  LogEntry entry(const SessionId& id, SessionLog& session, LogKind kind, std::string_view content);
  void close_output(SessionLog& session);
  void append(LogEntry entry);
  void deliver();

  Clock clock_;
  EventBus& bus_;
  LogSink sink_;
  std::unordered_map<SessionId, SessionLog> sessions_;
  SessionLog service_;           ///< Of entries that concern no session.
  std::vector<LogEntry> batch_;  ///< Fewer than kBatch.
  WallTime batch_since_{};
  std::deque<LogEntry> stored_;
  std::deque<LogEntry> backlog_;
  std::uint64_t commands_recorded_ = 0;
  std::uint64_t fallen_out_ = 0;
  std::uint64_t undelivered_ = 0;
  std::optional<WallTime> last_drop_;
};

}  // namespace term::legacy
