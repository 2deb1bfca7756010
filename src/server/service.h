#pragma once
// The whole service in one object: what main() runs and what the tests start in their own process.

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "server/admission_control.h"
#include "server/command_book.h"
#include "server/config.h"
#include "server/engine_cache.h"
#include "server/flips.h"
#include "server/handover.h"
#include "server/http_server.h"
#include "server/keeper.h"
#include "server/operations.h"
#include "server/persistence.h"
#include "server/shards.h"
#include "server/stored_books.h"
#include "store/writer.h"

namespace term::server {

class Monitor;
class Archive;
class ColdSessions;

/// A page of the service, as it is sent.
struct Page {
  std::string_view path;
  std::string_view content_type;
  std::string_view body;
};

/// Thread: construct, start() and stop() from one thread; everything else runs on the shards.
class Service {
 public:
  struct Parts {
    Clock clock = monotonic_wall_clock();
    adapter::EngineFactory engines = adapter::make_engines;
    std::unique_ptr<PtySource> source;  ///< Default: the holder's, or shells as our children.
    std::span<const Page> pages;        ///< Of the user port.
    std::string version = "0";
  };
  Service(Config config, Parts parts);
  ~Service();

  /// Goes on with the sessions that the holder keeps, binds both ports, starts the loops, writes
  /// service.json. Errors: os_error, busy, bad_snapshot; nothing runs then.
  Result<void> start();
  /// Instead of start(): goes on with all that the process at the other end of `channel` has, and
  /// returns once this one serves. Errors: what went wrong; the other one goes on then, and this
  /// process should end without ceremony.
  Result<void> take_over(HandoverChannel& channel);
  /// Stops accepting, tells the viewers, joins the loops. The shells stay with the holder; without
  /// one they end.
  void stop();
  /// SIGHUP: new values of the engine flags.
  void reload(const Config& config);

  std::uint16_t ws_port() const { return user_.port(); }
  std::uint16_t http_port() const { return operator_.port(); }
  Shards& shards() { return shards_; }
  Operations& operations() { return operations_; }
  const Operations& operations() const { return operations_; }
  Flips& flips() { return flips_; }
  AdmissionControl& admission() { return admission_; }
  Monitor& monitor() { return *monitor_; }
  const Monitor& monitor() const { return *monitor_; }
  Keeper* keeper() { return keeper_.get(); }  ///< Null without a holder.
  const Keeper* keeper() const { return keeper_.get(); }
  Persistence* persistence() { return persistence_.get(); }  ///< Null without a state directory.
  const Persistence* persistence() const { return persistence_.get(); }
  Handover& handover() { return handover_; }
  /// Null without a state directory.
  store::Writer* writer() { return persistence_ ? &persistence_->writer() : nullptr; }
  ColdSessions* cold() { return cold_.get(); }  ///< Null when writer() is.
  const ColdSessions* cold() const { return cold_.get(); }
  Archive& archive() { return *archive_; }
  EngineCache& cache() { return cache_; }
  const EngineCache& cache() const { return cache_; }
  CommandBook& commands() { return commands_; }
  StoredBooks& books() { return books_; }
  int state_lock() const { return state_lock_.get(); }
  const Config& config() const { return config_; }
  HttpServer& user_port() { return user_; }
  HttpServer& operator_port() { return operator_; }
  const HttpServer& user_port() const { return user_; }
  const HttpServer& operator_port() const { return operator_; }
  WallTime started_at() const { return started_at_; }
  WallTime now() const { return clock_(); }
  const std::string& version() const { return version_; }

 private:
  void add_routes();
  void left(const ProjectId& project, const SessionId& id);  ///< Its registry. Any shard's thread.
  void add_pages(std::span<const Page> pages);
  void load_cold();
  net::awaitable<void> tick(Shard& shard);
  net::awaitable<void> check_alive(Shard& shard);
  Result<void> recover(const Keeper::Carried* carried);
  void audit_calls();
  /// What the shards have goes to the store. The loops run.
  void store_all();
  Result<void> bind();
  Result<void> begin();
  Result<void> take_listeners(const HandoverState& state, std::vector<UniqueFd>& fds);
  Result<void> adopt_connections(const HandoverState& state, std::vector<UniqueFd>& fds,
                                 const std::function<void()>& alive);
  void end_sessions();
  Result<void> lock_state_dir();
  Result<void> write_service_file() const;
  void each_connection(const std::function<void(Connection&)>& act);
  /// Until `count`, asked on each shard's thread, is 0 everywhere; false when it takes too long.
  bool wait_until_none(const std::function<std::size_t(Shard&)>& count);

  Config config_;
  Clock clock_;
  std::string version_;
  std::unique_ptr<PtySource> source_;
  WallTime started_at_{};
  EngineCache cache_;
  CommandBook commands_;
  std::shared_ptr<Arena> arena_;  ///< Outlives the sessions in it.
  std::unique_ptr<Persistence> persistence_;
  Shards shards_;
  Operations operations_;
  Flips flips_;
  AdmissionControl admission_;
  std::unique_ptr<Monitor> monitor_;  ///< Alerts, guard, webhook.
  std::unique_ptr<Keeper> keeper_;
  Router user_routes_;
  Router operator_routes_;
  HttpServer user_;
  HttpServer operator_;
  UniqueFd state_lock_;
  Handover handover_;
  std::unique_ptr<ColdSessions> cold_;
  std::unique_ptr<Archive> archive_;
  StoredBooks books_{*this};
  bool running_ = false;
};

}  // namespace term::server
