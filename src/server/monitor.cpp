#include "server/monitor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <thread>

#include "server/service.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

constexpr auto kInterval = std::chrono::seconds(1);

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

/// As many as its event loops can keep busy at once.
double usable_cores(const Config& config) {
  const unsigned cores = std::max(std::thread::hardware_concurrency(), 1U);
  return static_cast<double>(std::min(config.shards, cores));
}

GuardFigures figures_of(const Vitals& vitals) {
  return {.operations = vitals.telemetry.operations,
          .failed = vitals.telemetry.failed_operations,
          .operations_ms = vitals.telemetry.operations_ms,
          .lost = vitals.counts.lost};
}

bool towards_legacy(const adapter::FlagChange& change) {
  return change.refactor == false || change.services.sessions == false ||
         change.services.streams == false || change.services.telemetry == false;
}

constexpr const char* kGuard = "guard";

Json flip_event(const adapter::FlipEntry& entry) {
  Json json{{"id", entry.id},
            {"who", entry.who},
            {"reason", entry.reason},
            {"from", entry.from},
            {"to", entry.to},
            {"force", entry.force},
            {"sessions", entry.sessions},
            {"moved", entry.moved},
            {"failed", entry.failed.size()},
            {"lost", entry.lost},
            {"good", entry.good},
            {"duration_ms", nullptr}};
  if (entry.ended) json["duration_ms"] = (*entry.ended - entry.started).count();
  return json;
}

}  // namespace

Monitor::Monitor(Service& service)
    : service_(service),
      alerts_(alert_thresholds(service.config())),
      guard_(guard_rules(service.config())),
      webhook_({.url = service.config().slack_webhook.value_or("")}),
      events_(service.shards().first().get_executor()),
      host_(host_name()) {
  service.flips().on_flip([this](adapter::FlagChange change,
                                 std::shared_ptr<const adapter::Flags> before,
                                 adapter::FlipEntry entry) {
    return flipped(std::move(change), std::move(before), std::move(entry));
  });
}

std::string Monitor::who_we_are() const {
  return "terminal-service on " + host_ + ":" + std::to_string(service_.http_port());
}

net::awaitable<void> Monitor::run() {
  maintenance_ = service_.admission().rules().maintenance;
  net::steady_timer timer(service_.shards().first());
  for (;;) {
    timer.expires_after(kInterval);
    co_await timer.async_wait(kNoThrow);
    if (service_.handover().running()) continue;
    co_await look();
    co_await service_.operations().memory().look();
  }
}

net::awaitable<void> Monitor::look() {
  const Vitals vitals = co_await gather_vitals(service_);
  const ProcessUsage usage = process_load();
  announce(vitals);
  const AlertSample sample{.at = service_.now(),
                           .cpu_seconds = usage.cpu_seconds,
                           .cores = usable_cores(service_.config()),
                           .memory_bytes = static_cast<double>(usage.rss),
                           .error_percent = vitals.error_rate(),
                           .lost = vitals.counts.lost,
                           .response_ms = vitals.telemetry.response_time_ms};
  for (const AlertEvent& event : alerts_.look(sample)) announce(event);
  guard_.look(figures_of(vitals), service_.now());
  const auto why = guard_.verdict();
  const bool may = service_.flips().flags().auto_rollback_on() && !service_.flips().running() &&
                   !service_.handover().running();
  if (why && may) co_await roll_back(*why);
}

void Monitor::announce(const Vitals& vitals) {
  const bool same = vitals.counts == counts_ && vitals.sessions == sessions_;
  counts_ = vitals.counts;
  sessions_ = vitals.sessions;
  if (same) return;
  events_.publish("sessions", {{"total", vitals.sessions},
                               {"created", counts_.created},
                               {"adopted", counts_.adopted},
                               {"ended", counts_.ended},
                               {"failed", counts_.failed},
                               {"lost", counts_.lost}});
}

void Monitor::announce(const AlertEvent& event) {
  const std::string what = describe(event);
  events_.publish("alert", {{"signal", to_string(event.kind)},
                            {"raised", event.raised},
                            {"value", event.value},
                            {"threshold", event.threshold},
                            {"text", what},
                            {"advice", advice(event.kind)},
                            {"at", iso_time(event.at)}});
  if (!event.raised)
    spdlog::info("alert.cleared signal={} what=\"{}\"", to_string(event.kind), what);
  else if (severe(event.kind))
    spdlog::error("alert.raised signal={} ERROR {}; {}", to_string(event.kind), what,
                  advice(event.kind));
  else
    spdlog::warn("alert.raised signal={} what=\"{}\" advice=\"{}\"", to_string(event.kind), what,
                 advice(event.kind));
  post({.text = who_we_are() + ": " + (event.raised ? "" : "over: ") + what,
        .phase = event.raised ? "alert" : "alert cleared",
        .reason = what,
        .impact = event.raised ? std::string(advice(event.kind)) : "back to normal"});
}

net::awaitable<void> Monitor::flipped(adapter::FlagChange change,
                                      std::shared_ptr<const adapter::Flags> before,
                                      adapter::FlipEntry entry) {
  const bool by_guard = change.who == kGuard;
  events_.publish("flip", flip_event(entry));
  if (by_guard || (change.force && towards_legacy(change))) report_rollback(entry, by_guard);
  if (by_guard) co_return;
  guard_.cancel();
  auto back = way_back(change, *before);
  if (!back) co_return;
  back->who = kGuard;
  GuardFigures figures = figures_of(co_await gather_vitals(service_));
  figures.lost = counts_.lost;  // What the flip itself lost counts against it.
  guard_.begin(entry.id, std::move(*back), service_.now(), figures);
  spdlog::info("guard.observing flip={} ms={} acts={}", entry.id,
               service_.config().observation_time.count(),
               service_.flips().flags().auto_rollback_on());
}

void Monitor::report_rollback(const adapter::FlipEntry& entry, bool by_guard) {
  const std::string impact =
      fmt::format("{} of {} sessions moved, {} failed, {} lost; shells go on", entry.moved,
                  entry.sessions, entry.failed.size(), entry.lost);
  post({.text = who_we_are() + ": " + (by_guard ? "the guard" : "an operator") +
                " flipped back to " + entry.to,
        .phase = by_guard ? "automatic rollback" : "rollback",
        .reason = entry.reason.empty() ? "none given" : entry.reason,
        .eta = "done",
        .impact = impact});
}

net::awaitable<void> Monitor::roll_back(std::string why) {
  spdlog::error("guard.rollback ERROR {}; flipping back", why);
  adapter::FlagChange back = guard_.take_back();
  back.reason = why;
  const auto outcome = co_await service_.flips().change(std::move(back));
  if (auto* const persistence = service_.persistence())
    persistence->audit(kGuard, "", "rollback", why, outcome ? "done" : outcome.error().detail);
  if (outcome) co_return;
  spdlog::error("guard.rollback ERROR could not flip back: {}", outcome.error().detail);
  post({.text = who_we_are() + ": the guard could not flip back",
        .phase = "automatic rollback",
        .reason = why + "; but " + outcome.error().detail,
        .impact = "roll back by hand"});
}

void Monitor::admission_changed() {
  const adapter::AdmissionRules& rules = service_.admission().rules();
  events_.publish("admission", admission_json(rules));
  const bool was = maintenance_;
  maintenance_ = rules.maintenance;
  if (was == rules.maintenance) return;
  post({.text = who_we_are() + (was ? ": maintenance is over" : ": maintenance began"),
        .phase = was ? "maintenance over" : "maintenance",
        .reason = rules.message,
        .eta = rules.eta,
        .impact = was ? "new terminals are let in again"
                      : "new terminals are refused; those that exist go on"});
}

std::vector<Monitor::Reason> Monitor::reasons() const {
  std::vector<Reason> reasons;
  for (const AlertKind kind : kAlertKinds) {
    const AlertState& state = alerts_.state(kind);
    if (!state.raised) continue;
    const AlertEvent event{kind, true, std::max(state.value, state.threshold), state.threshold,
                           state.since};
    reasons.push_back({kind, describe(event) + ": " + std::string(advice(kind))});
  }
  return reasons;
}

Json alerts_json(const Monitor& monitor) {
  Json json = Json::object();
  for (const AlertKind kind : kAlertKinds) {
    const AlertState& state = monitor.alerts().state(kind);
    Json& alert = json[std::string(to_string(kind))];
    alert = {{"raised", state.raised},
             {"value", state.value},
             {"threshold", state.threshold},
             {"since", nullptr},
             {"times_raised", state.times_raised}};
    if (state.since != WallTime{}) alert["since"] = iso_time(state.since);
  }
  return json;
}

Json guard_json(const Monitor& monitor, bool enabled) {
  Json json{
      {"enabled", enabled}, {"observing", nullptr}, {"rollbacks", monitor.guard().rollbacks()}};
  if (const auto& watch = monitor.guard().watch())
    json["observing"] = {{"flip", watch->flip},
                         {"until", iso_time(watch->until)},
                         {"operations", watch->now.operations},
                         {"failed", watch->now.failed},
                         {"lost", watch->now.lost}};
  return json;
}

Json webhook_json(const Monitor& monitor) {
  const WebhookStatus status = monitor.webhook();
  return {{"configured", status.configured}, {"waiting", status.waiting},
          {"delivered", status.delivered},   {"failed_attempts", status.failed_attempts},
          {"dropped", status.dropped},       {"last_error", status.last_error}};
}

}  // namespace term::server
