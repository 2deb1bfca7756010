#pragma once
// What outlives the service: the holder's connection, the arena, the staging pipes.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/recovery.h"

namespace term::server {

/// For health: who keeps the shells, and is anything wrong with that?
struct KeeperStatus {
  std::string status;  ///< `ok`, `none`, `lost`, `handed over`.
  std::string detail;
  pid_t pid = 0;
  RecoveryReport recovery;
  std::string arena_lost;  ///< Why; empty when it was not.
  std::uint64_t holders_lost = 0;
};

/// Thread: construct and open() before the loops run; then the first shard's.
class Keeper {
 public:
  Keeper(Shards& shards, HolderPtySource& source, const Config& config, Clock clock);
  ~Keeper();

  struct Carried {
    std::map<std::uint32_t, std::string> books;  ///< By slot.
    std::vector<ProjectRecord> projects;
    std::function<void()> alive = [] {};  ///< As RecoveryInput::alive.
  };
  /// Connects to the holder (starts one if there is none), maps the arena, finishes what a killed
  /// service was in the middle of and takes its sessions over, frozen. With `carried`, those of a
  /// service that is handing over: its connection to the holder is taken.
  /// Errors: busy, os_error, bad_snapshot; no session is touched then.
  Result<void> open(const Carried* carried);
  /// The loops run: listens to the holder.
  void serve();

  /// The other process did not make it: takes the holder back. Shells that ended meanwhile are
  /// told. Errors: os_error.
  Result<void> take_back();
  /// Somebody else has everything now.
  void let_go();

  /// Text that the next service finds; empty if none was ever written.
  std::string service_books() const;
  void write_service_books(std::string_view text);

  /// Whoever has sessions must keep it until they are gone.
  std::shared_ptr<Arena> arena() const { return arena_; }
  const KeeperStatus& status() const { return status_; }
  /// Called when another process is the holder.
  void on_change(std::function<void()> call) { on_change_ = std::move(call); }
  /// A hand-over is on its way: losing the connection is no loss of the holder.
  void expect_takeover(bool expected) { takeover_expected_ = expected; }

 private:
  Result<void> open_arena(std::map<std::string, UniqueFd>& named, bool in_use, bool handing_over);
  Result<void> open_stagings(std::map<std::string, UniqueFd>& named);
  Result<std::unique_ptr<Staging>> open_staging(std::map<std::string, UniqueFd>& named,
                                                std::size_t shard);
  Result<void> keep(const std::string& name, int fd);
  void lost(const std::string& why);
  net::awaitable<void> give_to_new_holder();
  Result<void> give_all(std::vector<std::vector<HeldSession>> parts);
  std::filesystem::path program() const;
  HolderLink::Events events();

  Shards& shards_;
  HolderPtySource& source_;
  const Config& config_;
  Clock clock_;
  std::shared_ptr<HolderLink> link_;
  std::shared_ptr<Arena> arena_;
  std::vector<std::unique_ptr<Staging>> stagings_;  ///< One for each shard.
  std::map<std::string, UniqueFd> kept_;            ///< Ours of what the holder keeps by name.
  KeeperStatus status_;
  net::steady_timer retry_;
  bool takeover_expected_ = false;
  std::function<void()> on_change_;
};

}  // namespace term::server
