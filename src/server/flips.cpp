#include "server/flips.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "server/flags_text.h"

namespace term::server {

namespace {

/// Sessions moved before the shard's other work gets its turn: a move takes some 50 µs with its
/// books, and a viewer must not wait for many of them.
constexpr std::size_t kMovesPerTurn = 4;

std::string describe(const adapter::FlagChange& change) {
  const auto name = [](bool refactored) { return refactored ? "refactored" : "legacy"; };
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (change.refactor) add(name(*change.refactor));
  if (change.percentage) add(std::to_string(*change.percentage) + "% refactored");
  if (change.services.sessions) add("sessions=" + std::string(name(*change.services.sessions)));
  if (change.services.streams) add("streams=" + std::string(name(*change.services.streams)));
  if (change.services.telemetry) add("telemetry=" + std::string(name(*change.services.telemetry)));
  if (change.project) add("project=" + *change.project);
  if (change.session) add("session=" + *change.session);
  return text;
}

std::string describe(const adapter::Flags& flags) {
  const Owners owners = flags.choose({}, {});
  std::string text(to_string(owners.sessions));
  if (owners.streams != owners.sessions || owners.telemetry != owners.sessions)
    text = "sessions=" + std::string(to_string(owners.sessions)) +
           ", streams=" + std::string(to_string(owners.streams)) +
           ", telemetry=" + std::string(to_string(owners.telemetry));
  if (flags.percentage) text += ", " + std::to_string(*flags.percentage) + "% refactored";
  return text;
}

}  // namespace

adapter::EnvironmentFlags environment_flags(const Config& config) {
  adapter::EnvironmentFlags flags;
  flags.legacy_mode = config.legacy_mode.value.value_or(false);
  flags.refactor_enabled = config.refactor_enabled.value;
  flags.dual_write = config.dual_write.value.value_or(false);
  flags.auto_rollback = config.auto_rollback.value.value_or(false);
  flags.legacy_mode_source = to_string(config.legacy_mode.source);
  flags.refactor_enabled_source = to_string(config.refactor_enabled.source);
  flags.dual_write_source = to_string(config.dual_write.source);
  flags.auto_rollback_source = to_string(config.auto_rollback.source);
  return flags;
}

Flips::Flips(Operations& operations, std::shared_ptr<const adapter::Flags> flags)
    : operations_(operations),
      flags_(std::move(flags)),
      finished_(operations.shards().first().get_executor()) {}

net::awaitable<Result<FlagOutcome>> Flips::change(adapter::FlagChange change) {
  while (running_ && change.force) co_await finished_.wait();
  auto next = adapter::apply(*flags_, change, operations_.now());
  if (!next) co_return next.error();
  FlagOutcome outcome{.flags = std::make_shared<const adapter::Flags>(std::move(*next)),
                      .dry_run = change.dry_run};
  if (running_ && change.changes_engine())
    co_return Error{Errc::busy, "another flip is running; wait for it or set force"};
  adapter::FlipEntry entry;
  entry.who = change.who;
  entry.reason = change.reason;
  entry.from = describe(*flags_);
  entry.to = describe(change);
  entry.force = change.force;
  entry.started = operations_.now();
  if (change.dry_run) {
    for (const auto& part : co_await live_sessions()) entry.sessions += part.size();
    if (change.changes_engine()) outcome.flip = std::move(entry);
    co_return outcome;
  }
  changed_ = true;
  if (!change.changes_engine()) {
    co_await publish(outcome.flags);
    co_return outcome;
  }
  running_ = true;
  const auto before = flags_;
  adapter::FlipEntry& kept = journal_.open(std::move(entry));
  if (on_journal_) on_journal_(kept);
  co_await publish(outcome.flags);
  co_await move_all(kept);
  if (on_journal_) on_journal_(kept);
  if (on_flip_) co_await on_flip_(change, before, kept);
  running_ = false;
  finished_.notify_all();
  outcome.flip = kept;
  co_return outcome;
}

net::awaitable<void> Flips::environment_changed(adapter::EnvironmentFlags environment) {
  while (running_) co_await finished_.wait();
  adapter::Flags next = *flags_;
  next.environment = std::move(environment);
  const bool to_legacy = next.environment.legacy_mode && !flags_->environment.legacy_mode;
  adapter::FlipEntry entry;
  entry.who = "SIGHUP";
  entry.reason = "TERMINAL_LEGACY_MODE=true";
  entry.from = describe(*flags_);
  entry.to = "legacy";
  entry.force = true;
  entry.started = operations_.now();
  const auto before = flags_;
  co_await publish(std::make_shared<const adapter::Flags>(std::move(next)));
  if (!to_legacy) co_return;
  // Everything legacy means the sessions that run now, too.
  running_ = true;
  adapter::FlipEntry& kept = journal_.open(std::move(entry));
  if (on_journal_) on_journal_(kept);
  co_await move_all(kept);
  if (on_journal_) on_journal_(kept);
  adapter::FlagChange change;
  change.who = kept.who;
  change.refactor = false;
  change.force = true;
  if (on_flip_) co_await on_flip_(change, before, kept);
  running_ = false;
  finished_.notify_all();
}

net::awaitable<void> Flips::adopt(std::string text) {
  while (running_) co_await finished_.wait();
  if (changed_) co_return;
  auto flags = flags_from_text(text, flags_->environment);
  co_await publish(std::make_shared<const adapter::Flags>(std::move(flags)));
}

void Flips::restore(std::string_view text) {
  flags_ = std::make_shared<const adapter::Flags>(flags_from_text(text, flags_->environment));
  Shards& shards = operations_.shards();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    auto& sessions = *shards.at(i).sessions;
    sessions.publish(flags_);
    while (sessions.mirror_some(1000)) continue;
    if (!flags_->environment.legacy_mode) continue;
    for (const auto& session : sessions.live()) {
      const auto result = sessions.move(*session, adapter::all(Engine::legacy));
      if (result.error)
        spdlog::error("session.flip_failed id={} ERROR {}", result.id, result.error->detail);
    }
    for (const auto& project : sessions.projects().all())
      (void)sessions.projects().move(project, Engine::legacy);
  }
}

net::awaitable<void> Flips::publish(std::shared_ptr<const adapter::Flags> flags) {
  flags_ = flags;
  if (on_change_) on_change_(to_text(*flags));
  auto set = [flags](Shard& shard) {
    shard.sessions->publish(flags);
    return true;
  };
  Shards& shards = operations_.shards();
  co_await shards.gather(std::move(set));
  for (std::size_t i = 0; i < shards.size(); ++i)
    co_await shards.run(shards.at(i), mirror_shard(shards.at(i)));
}

net::awaitable<bool> Flips::mirror_shard(Shard& shard) {
  while (shard.sessions->mirror_some(kMovesPerTurn)) co_await net::post(shard.io, kNoThrow);
  co_return true;
}

net::awaitable<std::vector<std::vector<Flips::Live>>> Flips::live_sessions() {
  auto list = [](Shard& shard) {
    std::vector<Live> live;
    for (const auto& session : shard.sessions->live())
      live.push_back({session->id(), session->project()});
    return live;
  };
  co_return co_await operations_.shards().gather(std::move(list));
}

net::awaitable<void> Flips::move_all(adapter::FlipEntry& entry) {
  const auto parts = co_await live_sessions();
  for (const auto& part : parts) entry.sessions += part.size();
  if (!entry.force) {
    entry.sessions_after = entry.sessions;
    entry.ended = operations_.now();
    entry.good = true;
    co_return;
  }
  std::vector<adapter::MoveResult> results;
  std::vector<SessionId> ids;
  for (const auto& part : parts)
    for (const auto& live : part) ids.push_back(live.id);
  moving_ = &entry;
  auto move = [this, &parts](Shard& shard) { return move_shard(shard, parts[shard.index]); };
  for (auto& part : co_await operations_.shards().gather_work(std::move(move)))
    std::ranges::move(part, std::back_inserter(results));
  moving_ = nullptr;
  entry.progress = entry.sessions;
  co_await move_projects(entry);
  for (const auto& result : results) {
    if (result.moved) ++entry.moved;
    if (result.error) entry.failed.push_back({result.id, result.error->detail});
  }
  entry.lost = co_await count_lost(std::move(ids));
  entry.sessions_after = entry.sessions - entry.lost;
  entry.sha256_before = adapter::offsets_sha256(results, false);
  entry.sha256_after = adapter::offsets_sha256(results, true);
  entry.ended = operations_.now();
  entry.good = entry.lost == 0 && entry.failed.empty() && entry.sha256_before == entry.sha256_after;
  spdlog::info(
      "session.flip id={} from=\"{}\" to=\"{}\" sessions={} moved={} failed={} lost={} ms={}",
      entry.id, entry.from, entry.to, entry.sessions, entry.moved, entry.failed.size(), entry.lost,
      (*entry.ended - entry.started).count());
}

net::awaitable<std::vector<adapter::MoveResult>> Flips::move_shard(Shard& shard,
                                                                   std::vector<Live> sessions) {
  std::vector<adapter::MoveResult> results;
  std::size_t turn = 0;
  for (const auto& live : sessions) {
    const auto session = shard.sessions->find(live.id);
    if (!session || session->ended()) continue;  // Its shell ended by itself meanwhile.
    if (!session->sessions().find(live.id)) continue;
    const Owners to = shard.sessions->flags().choose(live.project, live.id);
    results.push_back(shard.sessions->move(*session, to));
    const auto& result = results.back();
    session->telemetry().operation("flip", !result.error, Millis(0));
    if (result.error)
      spdlog::error("session.flip_failed id={} ERROR {}", live.id, result.error->detail);
    if (++turn % kMovesPerTurn != 0) continue;
    net::post(operations_.shards().first(), [this] {
      if (moving_ != nullptr) moving_->progress += kMovesPerTurn;
    });
    co_await net::post(shard.io, kNoThrow);
  }
  co_return results;
}

net::awaitable<void> Flips::move_projects(adapter::FlipEntry& entry) {
  auto move = [](Shard& shard) {
    std::vector<adapter::FlipEntry::Failure> failed;
    for (const auto& project : shard.sessions->projects().all()) {
      const Engine to = shard.sessions->flags().choose(project, {}).sessions;
      if (auto done = shard.sessions->projects().move(project, to); !done)
        failed.push_back({"project " + project, done.error().detail});
    }
    return failed;
  };
  for (auto& part : co_await operations_.shards().gather(std::move(move)))
    entry.failed.insert(entry.failed.end(), part.begin(), part.end());
}

net::awaitable<std::size_t> Flips::count_lost(std::vector<SessionId> moved) {
  auto look = [moved](Shard& shard) {
    std::size_t lost = 0;
    for (const auto& id : moved) {
      // In the table with a running shell, but in no registry any more: that is a loss. One that
      // is not in the table ended by itself.
      const auto session = shard.sessions->find(id);
      if (session && shard.sessions->registered(id) && !session->sessions().find(id)) ++lost;
    }
    return lost;
  };
  std::size_t lost = 0;
  for (const std::size_t part : co_await operations_.shards().gather(std::move(look))) lost += part;
  co_return lost;
}

}  // namespace term::server
