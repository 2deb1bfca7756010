#include "server/keeper.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>
#include <utility>

#include "server/operations.h"

namespace term::server {

namespace {

constexpr const char* kArena = "arena";
/// Beside MAX_TERMINAL_SESSIONS: sessions that have ended and drain to their viewers.
constexpr std::size_t kSpareSlots = 256;

UniqueFd duplicate(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }  // NOLINT

std::uint32_t wanted_slots(const Config& config) {
  return static_cast<std::uint32_t>(
      std::min(config.max_sessions + kSpareSlots, holder::kMaxSessions));
}

}  // namespace

Keeper::Keeper(Shards& shards, HolderPtySource& source, const Config& config, Clock clock)
    : shards_(shards),
      source_(source),
      config_(config),
      clock_(std::move(clock)),
      retry_(shards.first().get_executor()) {
  status_.status = "none";
  status_.detail = "restarts are not survived";
}

Keeper::~Keeper() {
  if (link_) link_->close();
  source_.close();
}

std::filesystem::path Keeper::program() const {
  if (!config_.holder_program.empty()) return config_.holder_program;
  std::error_code ec;
  return std::filesystem::read_symlink("/proc/self/exe", ec).parent_path() / "terminal-holder";
}

Result<void> Keeper::open(const Carried* carried) {
  HolderLink::Place place{.state_dir = config_.state_dir, .program = program()};
  place.take_over = carried != nullptr;
  place.soft_open_files = config_.soft_open_files;
  auto link = HolderLink::open(place);
  if (!link) return link.error();
  link_ = std::move(*link);
  auto named = link_->fetch();
  if (!named) return named.error();
  auto held = link_->list();
  if (!held) return held.error();
  if (auto opened = open_arena(*named, !held->empty(), carried != nullptr); !opened) return opened;
  if (auto opened = open_stagings(*named); !opened) return opened;
  source_.use(link_);
  for (std::size_t i = 0; i < shards_.size(); ++i)
    shards_.at(i).sessions->live_in(*arena_, config_.exact ? stagings_[i].get() : nullptr);
  RecoveryInput input{.arena = *arena_, .source = source_, .held = std::move(*held)};
  if (carried != nullptr) {
    input.books = carried->books;
    input.projects = carried->projects;
    input.alive = carried->alive;
  }
  input.now = clock_();
  input.detached_ttl = config_.detached_ttl;
  status_.recovery = recover_sessions(shards_, std::move(input));
  status_.status = "ok";
  status_.pid = link_->holder_pid();
  status_.detail = "process " + std::to_string(status_.pid);
  return {};
}

Result<void> Keeper::open_arena(std::map<std::string, UniqueFd>& named, bool in_use,
                                bool handing_over) {
  const std::uint32_t slots = wanted_slots(config_);
  if (auto& fd = named[kArena]) {
    auto opened = Arena::open(std::move(fd));
    // A hand-over can still be refused; at a start the shells matter more than what they printed.
    if (!opened && in_use && handing_over) return opened.error();
    if (!opened && in_use) {
      status_.arena_lost = opened.error().detail + "; the output so far of all sessions is lost";
      spdlog::error("recovery.arena ERROR {}", status_.arena_lost);
    }
    const bool fits = opened && (*opened)->slots() == slots &&
                      (*opened)->ring_bytes() / 4096 == (config_.ring_bytes + 4095) / 4096;
    if (opened && !fits && in_use)
      spdlog::warn(
          "holder.arena kept as it is while sessions live in it: {} slots, rings of {} "
          "bytes; TERMINAL_RING_BYTES and MAX_TERMINAL_SESSIONS hold for the next one",
          (*opened)->slots(), (*opened)->ring_bytes());
    if (opened && (fits || in_use)) {
      arena_ = std::move(*opened);
      kept_[kArena] = duplicate(arena_->fd());
      return {};
    }
  }
  auto made = Arena::create(slots, config_.ring_bytes);
  if (!made) return made.error();
  arena_ = std::move(*made);
  return keep(kArena, arena_->fd());
}

Result<void> Keeper::keep(const std::string& name, int fd) {
  kept_[name] = duplicate(fd);
  auto answer = link_->ask(keep_message(name), fd);
  if (!answer) return answer.error();
  return {};
}

Result<void> Keeper::open_stagings(std::map<std::string, UniqueFd>& named) {
  if (auto works = Staging::self_test(); !works) return works;
  // Also those of shards that there are no more: what is in their pipes belongs to sessions.
  for (std::size_t i = 0; i < Arena::kMaxShards; ++i) {
    const bool found = named.contains("output" + std::to_string(i));
    if (i >= shards_.size() && !found) continue;
    auto staging = open_staging(named, i);
    if (!staging) return staging.error();
    if (i < shards_.size()) stagings_.push_back(std::move(*staging));
  }
  return {};
}

Result<std::unique_ptr<Staging>> Keeper::open_staging(std::map<std::string, UniqueFd>& named,
                                                      std::size_t shard) {
  UniqueFd pipes[2];
  for (int way = 0; way < 2; ++way) {
    const std::string name = (way == 0 ? "output" : "input") + std::to_string(shard);
    if (auto& fd = named[name]) {
      kept_[name] = duplicate(fd.get());
      pipes[way] = std::move(fd);
      continue;
    }
    auto made = Staging::make_pipe();
    if (!made) return made.error();
    pipes[way] = std::move(*made);
    if (auto kept = keep(name, pipes[way].get()); !kept) return kept.error();
  }
  auto done = Staging::recover(*arena_, shard, pipes[0].get(), pipes[1].get());
  if (!done) {
    spdlog::error("recovery.staging shard={} ERROR {}", shard, done.error().detail);
    Staging::reset(*arena_, shard, pipes[0].get(), pipes[1].get());
  }
  return std::make_unique<Staging>(arena_->staging(shard), std::move(pipes[0]),
                                   std::move(pipes[1]));
}

HolderLink::Events Keeper::events() {
  HolderLink::Events events;
  events.exited = [this](std::uint32_t slot, pid_t, const ExitStatus& status) {
    source_.ended(slot, status);
  };
  events.taken_over = [this](pid_t by) {
    if (takeover_expected_) return;
    status_.status = "lost";
    status_.detail = "process " + std::to_string(by) + " took the holder from us";
    spdlog::error("holder.taken_over ERROR {}; our sessions are frozen", status_.detail);
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      Shard& shard = shards_.at(i);
      net::post(shard.io, [&shard] { shard.sessions->freeze(); });
    }
  };
  events.lost = [this](const std::string& why) { lost(why); };
  return events;
}

void Keeper::serve() {
  if (link_) link_->serve(shards_.first().get_executor(), events());
}

void Keeper::let_go() {
  if (link_) link_->close();
  status_.status = "handed over";
}

Result<void> Keeper::take_back() {
  if (!std::exchange(takeover_expected_, false)) return {};  // It was never given away.
  if (link_) link_->close();
  HolderLink::Place place{.state_dir = config_.state_dir, .start = false, .take_over = true};
  auto link = HolderLink::open(place);
  if (!link) {
    lost(link.error().detail);  // It is gone: a new one gets all we have.
    return {};
  }
  auto held = (*link)->list();
  if (!held) return held.error();
  link_ = std::move(*link);
  source_.use(link_);
  for (const HeldSession& session : *held)
    if (session.exit) source_.ended(session.slot, *session.exit);
  serve();
  return {};
}

void Keeper::lost(const std::string& why) {
  ++status_.holders_lost;
  status_.status = "lost";
  status_.detail = why + "; a new one is being started";
  spdlog::error("holder.lost ERROR {}; its shells go on, a new holder is started", why);
  spawn_logged(shards_.first().get_executor(), "holder", give_to_new_holder());
}

std::string Keeper::service_books() const {
  return arena_ ? arena_->service_books().read() : std::string{};
}

void Keeper::write_service_books(std::string_view text) {
  if (!arena_) return;
  if (auto written = arena_->service_books().write(text); !written)
    spdlog::error("service.books ERROR {}", written.error().detail);
}

}  // namespace term::server
