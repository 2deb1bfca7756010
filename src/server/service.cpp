#include "server/service.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "server/archive.h"
#include "server/cold_sessions.h"
#include "server/connection.h"
#include "server/manager.h"
#include "server/monitor.h"
#include "server/routes.h"
#include "server/state_dir.h"

namespace term::server {

namespace {

constexpr auto kStopLimit = std::chrono::seconds(5);
constexpr Millis kStoreLimit{3000};

SessionLimits session_limits(const Config& config) {
  SessionLimits limits;
  limits.max_sessions = config.max_sessions;
  limits.max_per_project = config.max_sessions_per_project;
  limits.max_focused = config.max_focused_per_project;
  limits.max_creations_per_min = config.max_creations_per_minute;
  limits.detached_ttl = config.detached_ttl;
  limits.suspension_ttl = config.suspension_ttl;
  return limits;
}

StreamLimits stream_limits(const Config& config) {
  StreamLimits limits;
  limits.viewer_window = config.viewer_window_bytes;
  return limits;
}

/// Shells live with the holder where there is a directory to find it by.
bool uses_holder(const Config& config) {
  return config.holder == HolderUse::automatic && !config.state_dir.empty();
}

std::unique_ptr<PtySource> make_source(const Config& config, const Clock& clock) {
  if (uses_holder(config)) return std::make_unique<HolderPtySource>();
  return std::make_unique<LocalPtySource>(clock);
}

std::unique_ptr<Persistence> make_persistence(const Config& config, const Clock& clock) {
  if (config.state_dir.empty()) return nullptr;
  // The writer's thread begins with it, and would make nothing in a directory that is not there.
  std::error_code ignored;
  std::filesystem::create_directories(config.state_dir, ignored);
  return std::make_unique<Persistence>(config, clock);
}

std::optional<RedisAddress> redis_address(const Config& config) {
  if (!config.redis_url) return std::nullopt;
  auto address = parse_redis_url(*config.redis_url);  // Checked when it was read.
  if (!address) return std::nullopt;
  return std::move(*address);
}

std::string instance_name(std::uint16_t ws_port) {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "?:" + std::to_string(ws_port);
  return std::string(name.data()) + ":" + std::to_string(ws_port);
}

std::shared_ptr<const adapter::Flags> first_flags(const Config& config) {
  adapter::Flags flags;
  flags.environment = environment_flags(config);
  return std::make_shared<const adapter::Flags>(std::move(flags));
}

}  // namespace

Service::Service(Config config, Parts parts)
    : config_(std::move(config)),
      clock_(parts.clock),
      version_(std::move(parts.version)),
      source_(parts.source ? std::move(parts.source) : make_source(config_, clock_)),
      started_at_(clock_()),
      cache_(redis_address(config_)),
      persistence_(make_persistence(config_, clock_)),
      shards_(config_.shards,
              adapter::Sessions::Setup{
                  .executor = {},
                  .source = source_.get(),
                  .clock = clock_,
                  .session_limits = session_limits(config_),
                  .stream_limits = stream_limits(config_),
                  .sizes = {config_.ring_bytes, config_.input_queue_bytes},
                  .engines = parts.engines,
                  .flags = first_flags(config_),
                  .on_left = [this](const ProjectId& project,
                                    const SessionId& id) { left(project, id); },
                  .storing = persistence_ ? persistence_->storing() : adapter::Storing{},
                  .on_route = [this](const SessionId& id,
                                     const Owners& owners) { cache_.put(id, owners); },
                  .on_commands = [this](auto commands) { commands_.add(std::move(commands)); },
                  .record_commands = config_.record_commands}),
      operations_(shards_, *source_, config_, clock_),
      flips_(operations_, first_flags(config_)),
      admission_(operations_),
      user_(operations_, user_routes_, /*operator_port=*/false),
      operator_(operations_, operator_routes_, /*operator_port=*/true),
      handover_(*this),
      archive_(std::make_unique<Archive>(*this)) {
  if (auto* source = dynamic_cast<HolderPtySource*>(source_.get()))
    keeper_ = std::make_unique<Keeper>(shards_, *source, config_, clock_);
  monitor_ = std::make_unique<Monitor>(*this);
  admission_.on_change([this] { monitor_->admission_changed(); });
  add_routes();
  add_pages(parts.pages);
  audit_calls();
}

Service::~Service() { stop(); }

void Service::left(const ProjectId& project, const SessionId& id) {
  cache_.erase(id);
  operations_.left(project, id);
}

void Service::add_routes() {
  for (Router* router : {&user_routes_, &operator_routes_}) {
    add_terminal_routes(*router, *this);
    add_raw_routes(*router, *this);
    add_user_health_routes(*router, *this);
    add_analytics_routes(*router, *this);
  }
  add_flag_routes(operator_routes_, *this);
  add_admission_routes(operator_routes_, *this);
  add_event_routes(operator_routes_, *this);
  add_health_routes(operator_routes_, *this);
  add_metrics_routes(operator_routes_, *this);
  add_routing_routes(operator_routes_, *this);
  add_parity_routes(operator_routes_, *this);
  add_restart_routes(operator_routes_, *this);
  add_session_routes(operator_routes_, *this);
  add_audit_routes(operator_routes_, *this);
  add_state_routes(operator_routes_, *this);
}

namespace {
net::awaitable<Response> send_page(Page page) {
  Response response;
  response.content_type = page.content_type;
  response.body = page.body;
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'self'; style-src 'self' 'unsafe-inline'; "
                                "img-src 'self' data:; connect-src 'self' ws: wss:; "
                                "frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
  response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  response.headers.emplace_back("Cache-Control", "no-cache");
  co_return response;
}
}  // namespace

void Service::add_pages(std::span<const Page> pages) {
  for (const Page& page : pages)
    user_routes_.add("GET", std::string(page.path),
                     [page](const Request&) { return send_page(page); });
}

Result<void> Service::recover(const Keeper::Carried* carried) {
  if (!keeper_) {
    books_.restore(/*handed_over=*/false);
    return {};
  }
  if (auto opened = keeper_->open(carried); !opened) return opened;
  arena_ = keeper_->arena();
  books_.restore(carried != nullptr);
  keeper_->on_change([this] { (void)write_service_file(); });
  const RecoveryReport& report = keeper_->status().recovery;
  if (report.adopted + report.failed.size() > 0)
    spdlog::info("service.recovered sessions={} ended={} failed={} disagreements={} ms={}",
                 report.adopted, report.ended, report.failed.size(), report.disagreements.size(),
                 report.took.count());
  return {};
}

void Service::load_cold() {
  if (!persistence_) return;
  cold_ = std::make_unique<ColdSessions>(persistence_->writer());
  operations_.cold_are(cold_.get());
  std::vector<SessionId> live;
  for (std::size_t i = 0; i < shards_.size(); ++i)
    for (const auto& session : shards_.at(i).sessions->live()) live.push_back(session->id());
  spawn_logged(shards_.first().get_executor(), "cold", cold_->load(std::move(live)));
}

Result<void> Service::start() {
  if (auto locked = lock_state_dir(); !locked) return locked;
  if (auto recovered = recover(nullptr); !recovered) return recovered;
  if (auto bound = bind(); !bound) return bound;
  return begin();
}

Result<void> Service::bind() {
  // Sockets that a service manager listens on already, named `ws` and `http`.
  for (auto& [name, fd] : inherited_listeners()) {
    if (name != "ws" && name != "http") continue;
    if (auto taken = (name == "ws" ? user_ : operator_).listen_on(std::move(fd)); !taken)
      return taken;
  }
  if (user_.port() == 0)
    if (auto bound = user_.listen(config_.host, config_.ws_port); !bound) return bound;
  if (operator_.port() == 0)
    if (auto bound = operator_.listen(config_.host, config_.http_port); !bound) return bound;
  return {};
}

Result<void> Service::begin() {
  auto origins = config_.allowed_origins;
  if (origins.empty()) origins = default_origins(user_.port(), operator_.port());
  const auto hosts = allowed_host_names(config_.host, origins);
  user_.allow(origins, hosts);
  operator_.allow(origins, hosts);
  if (auto written = write_service_file(); !written) return written;
  cache_.serve_as(instance_name(ws_port()));
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_.at(i);
    spawn_logged(shard.io.get_executor(), "tick", tick(shard));
    spawn_logged(shard.io.get_executor(), "liveness", check_alive(shard));
  }
  spawn_logged(shards_.first().get_executor(), "monitor", monitor_->run());
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    shards_.at(i).sessions->thaw();
    for (Connection* connection : shards_.at(i).connections) connection->thaw();
  }
  if (keeper_) keeper_->serve();
  load_cold();
  user_.start();
  operator_.start();
  running_ = true;
  shards_.start();
  tell_manager("READY=1\nMAINPID=" + std::to_string(::getpid()) + "\nSTATUS=serving");
  if (persistence_) persistence_->audit("service", "", "start", "version " + version_, "serving");
  spdlog::info("service.started version={} ws_port={} http_port={} shards={} page=http://{}:{}/",
               version_, ws_port(), http_port(), shards_.size(),
               config_.loopback_only() ? "localhost" : config_.host, ws_port());
  return {};
}

void Service::stop() {
  if (!running_) return;
  running_ = false;
  tell_manager("STOPPING=1");
  spdlog::info("service.stopping sessions={}", shards_.total());
  net::post(shards_.first(), [this] {
    user_.stop();
    operator_.stop();
  });
  const auto connections = [this](Shard& shard) {
    return shard.connections.size() + (shard.index == 0 ? user_.active() + operator_.active() : 0);
  };
  const std::string why =
      keeper_ ? "the service restarts; your shell goes on" : "the service stops";
  each_connection([why](Connection& c) { c.go_away(why); });
  if (!wait_until_none(connections)) {
    each_connection([](Connection& c) { c.abort(); });
    (void)wait_until_none(connections);
  }
  store_all();
  if (!keeper_) end_sessions();
  (void)wait_until_none([](Shard& shard) {
    shard.sessions->pass_commands();
    return std::size_t{0};
  });
  cache_.stop();
  shards_.stop();
  if (persistence_) {
    books_.stop();
    persistence_->audit("service", "", "stop", "", "stopped");
    persistence_->stop(kStoreLimit);
  }
  std::error_code ignored;
  if (!config_.state_dir.empty())
    std::filesystem::remove(config_.state_dir / "service.json", ignored);
  spdlog::info("service.stopped");
}

void Service::end_sessions() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_.at(i);
    net::post(shard.io, [&shard] {
      for (const auto& session : shard.sessions->live())
        (void)shard.sessions->close(*session, "the service stopped", 1001);
      shard.sessions->forget_ended();
    });
  }
  const auto work = [this](Shard& shard) { return shard.sessions->size() + operations_.leaving(); };
  if (!wait_until_none(work))
    spdlog::error("service.stop ERROR shells that did not end within {} s", kStopLimit.count());
}

void Service::each_connection(const std::function<void(Connection&)>& act) {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_.at(i);
    net::post(shard.io, [&shard, act] {
      for (Connection* connection : std::set<Connection*>(shard.connections)) act(*connection);
    });
  }
}

bool Service::wait_until_none(const std::function<std::size_t(Shard&)>& count) {
  const auto end = std::chrono::steady_clock::now() + kStopLimit;
  while (std::chrono::steady_clock::now() < end) {
    std::size_t left = 0;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      Shard& shard = shards_.at(i);
      std::promise<std::size_t> promise;
      auto future = promise.get_future();
      net::post(shard.io, [&] { promise.set_value(count(shard)); });
      left += future.get();
    }
    if (left == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

void Service::reload(const Config& config) {
  auto flags = environment_flags(config);
  if (persistence_) persistence_->audit("environment", "", "SIGHUP", "", "read again");
  spawn_logged(shards_.first().get_executor(), "reload",
               flips_.environment_changed(std::move(flags)));
}

net::awaitable<void> Service::tick(Shard& shard) {
  net::steady_timer timer(shard.io);
  for (;;) {
    timer.expires_after(std::chrono::seconds(1));
    co_await timer.async_wait(kNoThrow);
    shard.sessions->tick();
    if (shard.index == 0) books_.ask_again();
  }
}

net::awaitable<void> Service::check_alive(Shard& shard) {
  net::steady_timer timer(shard.io);
  for (;;) {
    timer.expires_after(config_.ping_interval);
    co_await timer.async_wait(kNoThrow);
    for (Connection* connection : std::set<Connection*>(shard.connections))
      connection->check_alive();
  }
}

Result<void> Service::lock_state_dir() {
  if (config_.state_dir.empty()) return {};  // Tests that need no files.
  auto lock = server::lock_state_dir(config_.state_dir);
  if (!lock) return lock.error();
  state_lock_ = std::move(*lock);
  return {};
}

Result<void> Service::write_service_file() const {
  if (config_.state_dir.empty()) return {};
  const auto path = config_.state_dir / "service.json";
  const auto next = config_.state_dir / "service.json.new";
  nlohmann::json json{{"pid", ::getpid()},
                      {"host", config_.host},
                      {"ws_port", ws_port()},
                      {"http_port", http_port()},
                      {"version", version_}};
  if (keeper_) json["holder_pid"] = keeper_->status().pid;
  std::ofstream file(next, std::ios::trunc);
  file << json.dump() << "\n";
  file.close();
  if (!file) return Error{Errc::os_error, "cannot write " + next.string()};
  std::error_code ec;
  std::filesystem::rename(next, path, ec);
  if (ec) return Error{Errc::os_error, "cannot write " + path.string() + ": " + ec.message()};
  return {};
}

}  // namespace term::server
