// /api/health/* and /api/terminal/health: is the service well, and if not, which part is not.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/monitor.h"
#include "server/owners_json.h"
#include "server/parity.h"
#include "server/report.h"
#include "server/routes.h"
#include "server/service.h"
#include "server/store_lock.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;

Json modules_json(const std::vector<ModuleHealth>& modules) {
  Json json = Json::object();
  for (const auto& module : modules)
    json[module.module] = {{"healthy", module.healthy}, {"detail", module.detail}};
  return json;
}

/// Unhealthy: an engine that serves sessions (or is to serve new ones) has a module that is not.
/// Degraded: anything else that is not as it should be.
struct Verdict {
  std::string status = "healthy";
  std::vector<std::string> reasons;
  void degrade(std::string why) {
    if (status == "healthy") status = "degraded";
    reasons.push_back(std::move(why));
  }
  void fail(std::string why) {
    status = "unhealthy";
    reasons.push_back(std::move(why));
  }
};

void judge(Verdict& verdict, const EngineReport& engine, const char* name, bool in_use) {
  for (const auto& module : engine.modules) {
    if (module.healthy) continue;
    const std::string why = std::string(name) + " " + module.module + ": " + module.detail;
    if (in_use)
      verdict.fail(why);
    else
      verdict.degrade(why);
  }
}

/// The alerts that are raised, and what is beyond its threshold at this moment but was not when the
/// monitor looked last.
void judge_figures(Verdict& verdict, const Service& service, const Report& report) {
  const AlertThresholds limits = alert_thresholds(service.config());
  const auto beyond = [&](AlertKind kind, double value) {
    const double limit = limits.at(static_cast<std::size_t>(kind));
    if (value > limit && !service.monitor().alerts().state(kind).raised)
      verdict.degrade(describe(AlertEvent{kind, true, value, limit, {}}));
  };
  for (const auto& reason : service.monitor().reasons()) verdict.degrade(reason.text);
  beyond(AlertKind::response_time, report.telemetry().response_time_ms);
  beyond(AlertKind::error_rate, report.error_rate());
  if (report.counts.lost > service.config().alert_session_loss)
    verdict.fail(std::to_string(report.counts.lost) + " sessions lost");
}

Verdict judge(const Service& service, const Report& report, const Owners& fresh) {
  Verdict verdict;
  const auto uses = [&](Engine engine) {
    return (engine == Engine::legacy ? report.legacy : report.refactored).in_use ||
           fresh.sessions == engine || fresh.streams == engine || fresh.telemetry == engine;
  };
  judge(verdict, report.legacy, "legacy", uses(Engine::legacy));
  judge(verdict, report.refactored, "refactored", uses(Engine::refactored));
  judge_figures(verdict, service, report);
  if (report.mirror.differing > 0)
    verdict.degrade("parity: " + std::to_string(report.mirror.differing) +
                    " sessions or projects differ between the engines; GET /api/admin/parity");
  for (const auto& module : report.mirror.shadows)
    verdict.degrade("dual write: shadow " + module.module + ": " + module.detail);
  if (const Keeper* keeper = service.keeper()) {
    if (keeper->status().status != "ok")
      verdict.degrade("holder " + keeper->status().status + ": " + keeper->status().detail);
    if (!keeper->status().arena_lost.empty()) verdict.degrade(keeper->status().arena_lost);
    for (const auto& [id, why] : keeper->status().recovery.failed)
      verdict.degrade("session " + id + " was not recovered: " + why);
  }
  if (service.persistence() != nullptr) {
    const store::WriterStatus store = service.persistence()->status();
    if (!store.available && store.reason != kStillWrites)
      verdict.degrade("store unavailable: " + store.reason);
    if (store.lost > 0)
      verdict.degrade("store: " + std::to_string(store.lost) + " rows were given up");
  }
  const MemoryStatus memory = service.operations().memory().status();
  if (memory.pressure)
    verdict.degrade("memory: " + std::to_string(memory.left.value_or(0)) +
                    " bytes are left where " + std::to_string(memory.reserve) +
                    " are to stay free: " +
                    (memory.refusing ? "new sessions are refused" : "scrollback is given up"));
  if (report.sessions >= service.config().max_sessions)
    verdict.degrade("MAX_TERMINAL_SESSIONS reached: new sessions are refused");
  return verdict;
}

Json cache_json(const CacheStatistics& cache) {
  return {{"backend", cache.backend}, {"available", cache.available}, {"detail", cache.detail},
          {"hits", cache.hits},       {"misses", cache.misses},       {"wrong", cache.wrong},
          {"errors", cache.errors},   {"written", cache.written},     {"dropped", cache.dropped},
          {"entries", cache.entries}};
}

Json holder_json(const Keeper* keeper) {
  if (keeper == nullptr) return {{"status", "none"}, {"detail", "restarts are not survived"}};
  const KeeperStatus& status = keeper->status();
  Json failed = Json::array();
  for (const auto& [id, why] : status.recovery.failed)
    failed.push_back({{"id", id}, {"error", why}});
  return {{"status", status.status},
          {"detail", status.detail},
          {"pid", status.pid},
          {"lost", status.holders_lost},
          {"recovered",
           {{"sessions", status.recovery.adopted},
            {"ended", status.recovery.ended},
            {"failed", failed},
            {"disagreements", status.recovery.disagreements},
            {"took_ms", status.recovery.took.count()}}}};
}

Json store_json(const Persistence* persistence) {
  if (persistence == nullptr) return {{"status", "none"}, {"detail", "state is kept in memory"}};
  const store::WriterStatus status = persistence->status();
  const auto time = [](const std::optional<WallTime>& at) {
    return at ? Json(iso_time(*at)) : Json(nullptr);
  };
  const bool waits = status.reason == kStillWrites;
  return {{"status", status.available ? "ok" : (waits ? "waiting" : "unavailable")},
          {"store", status.store},
          {"reason", status.reason},
          {"unavailable_since", time(status.unavailable_since)},
          {"waiting",
           {{"states", status.waiting_sessions},
            {"rows", status.waiting_rows},
            {"bytes", status.waiting_bytes}}},
          {"written", status.written},
          {"batches", status.batches},
          {"failed_batches", status.failed_batches},
          {"superseded", status.superseded},
          {"dropped", status.dropped},
          {"lost", status.lost},
          {"last_write_ms", status.last_write.count()},
          {"last_written_at", time(status.last_written_at)}};
}

Reply health(Service& service, Request) {
  const Report report = co_await gather_report(service, false);
  const Owners fresh = service.flips().flags().choose({}, {});
  const Verdict verdict = judge(service, report, fresh);
  const auto uptime = service.now() - service.started_at();
  Json json{{"status", verdict.status},
            {"reasons", verdict.reasons},
            {"engine", owners_json(fresh)},
            {"legacy", modules_json(report.legacy.modules)},
            {"refactored", modules_json(report.refactored.modules)},
            {"sessions",
             {{"total", report.sessions},
              {"cold", report.cold},
              {"by_engine", report.by_engine},
              {"by_status", report.by_status}}},
            {"admission", admission_json(service.admission().rules())},
            {"alerts", alerts_json(service.monitor())},
            {"guard", guard_json(service.monitor(), service.flips().flags().auto_rollback_on())},
            {"webhook", webhook_json(service.monitor())},
            {"store", store_json(service.persistence())},
            {"holder", holder_json(service.keeper())},
            {"memory", memory_json(service.operations().memory().status())},
            {"dual_write", parity_json(report.mirror)},
            {"cache", cache_json(service.cache().statistics())},
            {"uptime_ms", uptime.count()},
            {"started", iso_time(service.started_at())},
            {"version", service.version()}};
  co_return json_response(verdict.status == "unhealthy" ? 503 : 200, json);
}

/// The user port's health keeps the names of both earlier generations (origin 4.1).
Reply terminal_health(Service& service, Request) {
  const Report report = co_await gather_report(service, false);
  const Verdict verdict = judge(service, report, service.flips().flags().choose({}, {}));
  const auto usage = process_usage();
  const auto megabytes = static_cast<double>(usage.rss) / 1048576.0;
  const auto of = [&](const char* status) {
    const auto it = report.by_status.find(status);
    return it == report.by_status.end() ? std::size_t{0} : it->second;
  };
  Json lane{
      {"status", verdict.status}, {"activeSessions", of("attached")}, {"port", service.ws_port()}};
  Json json{{"status", verdict.status},
            {"metrics",
             {{"totalSessions", report.sessions},
              {"suspendedSessions", of("suspended")},
              {"activeSessions", of("attached")},
              {"projectsWithSessions", report.by_project.size()},
              {"memoryUsageMB", {{"rss", megabytes}}},
              {"uptime", (service.now() - service.started_at()).count() / 1000}}},
            {"sessionsByStatus", report.by_status},
            {"limits",
             {{"maxSessions", service.config().max_sessions},
              {"maxSessionsPerProject", service.config().max_sessions_per_project},
              {"maxFocused", service.config().max_focused_per_project}}},
            {"issues", verdict.reasons},
            {"warnings", Json::array()},
            {"recommendations", Json::array()},
            {"system", lane},
            {"claude", lane},
            {"timestamp", iso_time(service.now())}};
  co_return json_response(200, json);
}

Reply live(Service&, Request) { co_return json_response(200, {{"status", "live"}}); }

Reply ready(Service& service, Request) {
  const bool full = service.shards().total() >= service.config().max_sessions;
  co_return json_response(full ? 503 : 200, {{"status", full ? "full" : "ready"}});
}

}  // namespace

void add_health_routes(Router& router, Service& service) {
  router.add("GET", "/api/health/terminal",
             [&service](Request r) { return health(service, std::move(r)); });
  router.add("GET", "/api/health/live",
             [&service](Request r) { return live(service, std::move(r)); });
  router.add("GET", "/api/health/ready",
             [&service](Request r) { return ready(service, std::move(r)); });
}

void add_user_health_routes(Router& router, Service& service) {
  router.add("GET", "/api/terminal/health",
             [&service](Request r) { return terminal_health(service, std::move(r)); });
}

}  // namespace term::server
