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
  std::function<void(const std::string&)> on_change_;
};

/// Flags as the configuration has them.
adapter::EnvironmentFlags environment_flags(const Config& config);

}  // namespace term::server
