#pragma once
// Changing the flag at run time: publish, move, verify, journal (DESIGN.md 7).

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "adapter/flip.h"
#include "server/operations.h"

namespace term::server {

/// What a flag change did.
struct FlagOutcome {
  std::shared_ptr<const adapter::Flags> flags;  ///< As they are now (or would be, dry run).
  std::optional<adapter::FlipEntry> flip;       ///< When the change concerned the engine.
  bool dry_run = false;
};

/// The one place that changes flags; one flip at a time.
///
/// Thread: the first shard's.
class Flips {
 public:
  Flips(Operations& operations, std::shared_ptr<const adapter::Flags> flags);

  /// Before the loops run: the flags that an earlier process left (flags_text.h). With
  /// TERMINAL_LEGACY_MODE every session is moved to legacy.
  void restore(std::string_view text);
  /// Called with the text of the flags whenever they change.
  void on_change(std::function<void(const std::string&)> call) { on_change_ = std::move(call); }
  /// Called with a journal entry when it is opened and when it is ended.
  void on_journal(std::function<void(const adapter::FlipEntry&)> call) {
    on_journal_ = std::move(call);
  }
  /// Entries of earlier processes.
  void restore_journal(std::vector<adapter::FlipEntry> earlier) {
    journal_.restore(std::move(earlier));
  }
  /// The store gave its flags when the loops ran already: they hold unless somebody set some since.
  net::awaitable<void> adopt(std::string text);

  /// Called when a change of the engine is done, before it is answered.
  using Watch = std::function<net::awaitable<void>(
      adapter::FlagChange, std::shared_ptr<const adapter::Flags> before, adapter::FlipEntry)>;
  void on_flip(Watch call) { on_flip_ = std::move(call); }

  const adapter::Flags& flags() const { return *flags_; }
  const adapter::FlipJournal& journal() const { return journal_; }
  bool running() const { return running_; }

  /// Applies the change; with force moves every live session now and answers when it is done.
  /// Errors: those of adapter::apply(); busy while another flip runs, unless forced: then it waits
  /// its turn.
  net::awaitable<Result<FlagOutcome>> change(adapter::FlagChange change);

  /// SIGHUP: the environment was read again. Sessions stay where they are, unless
  /// TERMINAL_LEGACY_MODE came on: then all of them move, and the journal says so.
  net::awaitable<void> environment_changed(adapter::EnvironmentFlags environment);

 private:
  struct Live {
    SessionId id;
    ProjectId project;
  };
  net::awaitable<void> publish(std::shared_ptr<const adapter::Flags> flags);
  net::awaitable<bool> mirror_shard(Shard& shard);
  net::awaitable<void> move_all(adapter::FlipEntry& entry);
  net::awaitable<std::vector<adapter::MoveResult>> move_shard(Shard& shard,
                                                              std::vector<Live> sessions);
  net::awaitable<void> move_projects(adapter::FlipEntry& entry);
  net::awaitable<std::vector<std::vector<Live>>> live_sessions();
  net::awaitable<std::size_t> count_lost(std::vector<SessionId> moved);

  Operations& operations_;
  std::shared_ptr<const adapter::Flags> flags_;
  adapter::FlipJournal journal_;
  Signal finished_;
  bool running_ = false;
  adapter::FlipEntry* moving_ = nullptr;  ///< Whose sessions are being moved, on all shards.
  bool changed_ = false;                  ///< Through the API, since this process started.
  std::function<void(const std::string&)> on_change_;
  Watch on_flip_;
  std::function<void(const adapter::FlipEntry&)> on_journal_;
};

/// Flags as the configuration has them.
adapter::EnvironmentFlags environment_flags(const Config& config);

}  // namespace term::server
