// /api/metrics/* as JSON and /metrics as Prometheus text.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "server/monitor.h"
#include "server/report.h"
#include "server/routes.h"
#include "server/service.h"

namespace term::server {

namespace {

using Json = nlohmann::json;
using Reply = net::awaitable<Response>;

Json sessions_json(const Report& report) {
  return {{"total", report.sessions},
          {"by_status", report.by_status},
          {"by_engine", report.by_engine},
          {"created", report.counts.created},
          {"adopted", report.counts.adopted},
          {"ended", report.counts.ended},
          {"failed", report.counts.failed},
          {"lost", report.counts.lost},
          {"cold", report.cold},
          {"reopened", report.counts.reopened},
          {"viewers", report.viewers}};
}

Json errors_json(const Report& report) {
  const auto telemetry = report.telemetry();
  return {{"rate", report.error_rate()},
          {"recent_operations", telemetry.recent_operations},
          {"recent_failed", telemetry.recent_failed},
          {"operations", telemetry.operations},
          {"failed", telemetry.failed_operations},
          {"bad_messages", report.connections.bad_messages},
          {"by_kind", telemetry.errors_by_kind}};
}

Json memory_json(const Report& report) {
  Json sizes = Json::object();
  for (const auto& size : report.sizes)
    sizes[size.id] = {{"ring", size.ring_bytes},
                      {"input_queue", size.queued_input},
                      {"shell_cpu_percent", size.cpu_percent},
                      {"shell_memory", size.memory_bytes}};
  return {{"rss", process_usage().rss}, {"rings", report.ring_bytes}, {"per_session", sizes}};
}

Json http_json(const HttpServer& port) {
  return {{"requests", port.counts().requests},
          {"refused_origins", port.counts().refused_origins},
          {"half_open", port.half_open()},
          {"half_open_dropped", port.counts().half_open_dropped},
          {"timeouts", port.counts().timeouts}};
}

Reply all(Service& service, Request) {
  const Report report = co_await gather_report(service, true);
  const auto telemetry = report.telemetry();
  const auto usage = process_usage();
  co_return json_response(
      200, {{"sessions", sessions_json(report)},
            {"errors", errors_json(report)},
            {"memory", memory_json(report)},
            {"connections",
             {{"open", report.open_connections},
              {"opened", report.connections.opened},
              {"closed", report.connections.closed},
              {"by_dialect", report.connections.by_dialect},
              {"user_port", http_json(service.user_port())},
              {"operator_port", http_json(service.operator_port())}}},
            {"bytes", {{"input", telemetry.input_bytes}, {"output", telemetry.output_bytes}}},
            {"commands", telemetry.commands},
            {"response_time_ms", telemetry.response_time_ms},
            {"cpu_seconds", usage.cpu_seconds},
            {"open_files", usage.open_files},
            {"uptime_ms", (service.now() - service.started_at()).count()}});
}

Reply sessions(Service& service, Request) {
  const Report report = co_await gather_report(service, false);
  co_return json_response(200, sessions_json(report));
}

Reply errors(Service& service, Request) {
  const Report report = co_await gather_report(service, false);
  co_return json_response(200, errors_json(report));
}

Reply memory(Service& service, Request) {
  const Report report = co_await gather_report(service, true);
  co_return json_response(200, memory_json(report));
}

/// Prometheus text format 0.0.4.
class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  template <class T>
  void sample(std::string_view name, T value) {
    text_ += fmt::format("{} {}\n", name, value);
  }
  template <class T>
  void sample(std::string_view name, std::string_view label, std::string_view label_value,
              T value) {
    text_ += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label, escape(label_value), value);
  }
  template <class T>
  void one(std::string_view name, std::string_view type, std::string_view help, T value) {
    family(name, type, help);
    sample(name, value);
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string escape(std::string_view value) {
    std::string out;
    for (const char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      if (c == '\n') {
        out += "\\n";
      } else {
        out += c;
      }
    }
    return out;
  }
  std::string text_;
};

void put_sessions(Exposition& out, const Report& report) {
  out.family("terminal_sessions", "gauge", "Live sessions by status.");
  for (const auto& [status, n] : report.by_status)
    out.sample("terminal_sessions", "status", status, n);
  out.family("terminal_sessions_by_engine", "gauge",
             "Live sessions by the engine of their stream.");
  for (const auto& [engine, n] : report.by_engine)
    out.sample("terminal_sessions_by_engine", "engine", engine, n);
  const auto attached = report.by_status.find("attached");
  out.one("terminal_sessions_total", "gauge", "Live sessions.", report.sessions);
  out.one("terminal_sessions_active", "gauge", "Live sessions with a viewer.",
          attached == report.by_status.end() ? std::size_t{0} : attached->second);
  out.one("terminal_sessions_adopted_total", "counter",
          "Sessions taken over from an earlier process.", report.counts.adopted);
  out.one("terminal_sessions_created_total", "counter", "Sessions started.", report.counts.created);
  out.one("terminal_sessions_ended_total", "counter", "Sessions ended.", report.counts.ended);
  out.one("terminal_sessions_failed_total", "counter", "Sessions without a shell.",
          report.counts.failed);
  out.one("terminal_sessions_cold", "gauge", "Sessions stored and not live.", report.cold);
  out.one("terminal_sessions_reopened_total", "counter", "Cold sessions that got a new shell.",
          report.counts.reopened);
  out.one("terminal_sessions_lost_total", "counter", "Sessions lost; must stay 0.",
          report.counts.lost);
}

void put_memory(Exposition& out, const MemoryStatus& memory) {
  out.one("terminal_memory_pressure", "gauge",
          "1: less memory is left than TERMINAL_MEMORY_RESERVE.", memory.pressure ? 1 : 0);
  out.one("terminal_scrollback_given_up_bytes_total", "counter",
          "Scrollback given up for want of memory.", memory.given_up_bytes);
  out.one("terminal_sessions_refused_for_memory_total", "counter",
          "New sessions refused for want of memory.", memory.sessions_refused);
}

void put_alerts(Exposition& out, const Monitor& monitor) {
  out.family("terminal_alert", "gauge", "1 while the signal is beyond its threshold.");
  for (const AlertKind kind : kAlertKinds)
    out.sample("terminal_alert", "signal", to_string(kind),
               monitor.alerts().state(kind).raised ? 1 : 0);
  out.family("terminal_alert_value", "gauge", "What the signal is compared with its threshold by.");
  for (const AlertKind kind : kAlertKinds)
    out.sample("terminal_alert_value", "signal", to_string(kind),
               monitor.alerts().state(kind).value);
  out.family("terminal_alerts_total", "counter", "Crossings of the threshold.");
  for (const AlertKind kind : kAlertKinds)
    out.sample("terminal_alerts_total", "signal", to_string(kind),
               monitor.alerts().state(kind).times_raised);
  out.one("terminal_guard_observing", "gauge", "1 while a flip is being observed.",
          monitor.guard().watch() ? 1 : 0);
  out.one("terminal_guard_rollbacks_total", "counter", "Flips that the guard took back.",
          monitor.guard().rollbacks());
  out.one("terminal_event_listeners", "gauge", "Connections to /api/events.",
          monitor.events().listeners());
  out.one("terminal_events_missed_total", "counter", "Events dropped for slow listeners.",
          monitor.events().missed());
  const WebhookStatus webhook = monitor.webhook();
  out.one("terminal_webhook_waiting", "gauge", "Messages to SLACK_WEBHOOK not delivered yet.",
          webhook.waiting);
  out.one("terminal_webhook_delivered_total", "counter", "Messages delivered.", webhook.delivered);
  out.one("terminal_webhook_failed_total", "counter", "Attempts that failed.",
          webhook.failed_attempts);
  out.one("terminal_webhook_dropped_total", "counter", "Messages given up.", webhook.dropped);
}

void put_store(Exposition& out, const Persistence* persistence) {
  if (persistence == nullptr) return;
  const store::WriterStatus status = persistence->status();
  out.one("terminal_store_available", "gauge", "1: the store takes what is written.",
          status.available ? 1 : 0);
  out.family("terminal_store_waiting", "gauge", "What is to be written still.");
  out.sample("terminal_store_waiting", "kind", "states", status.waiting_sessions);
  out.sample("terminal_store_waiting", "kind", "rows", status.waiting_rows);
  out.sample("terminal_store_waiting", "kind", "bytes", status.waiting_bytes);
  out.one("terminal_store_written_total", "counter", "Rows written.", status.written);
  out.one("terminal_store_batches_failed_total", "counter", "Transactions that failed.",
          status.failed_batches);
  out.one("terminal_store_superseded_total", "counter", "States that a newer one replaced.",
          status.superseded);
  out.one("terminal_store_dropped_total", "counter", "Commands given up for want of room.",
          status.dropped);
  out.one("terminal_store_lost_total", "counter", "Other rows given up; must stay 0.", status.lost);
  out.one("terminal_store_write_ms", "gauge", "How long the newest transaction took.",
          status.last_write.count());
}

void put_mirror(Exposition& out, const adapter::MirrorReport& mirror) {
  out.one("terminal_dual_write", "gauge", "1 while dual write is on.", mirror.on ? 1 : 0);
  out.one("terminal_dual_write_sessions", "gauge", "Sessions in shadow registries.",
          mirror.mirrored);
  out.one("terminal_dual_write_failures_total", "counter",
          "Operations that ended differently in the shadow registry.", mirror.failures);
  out.one("terminal_parity_compared_total", "counter", "Comparisons of both engines' records.",
          mirror.compared);
  out.one("terminal_parity_found_total", "counter", "Times that a session began to differ.",
          mirror.found);
  out.one("terminal_parity_differing", "gauge", "Sessions and projects that differ now.",
          mirror.differing);
}

void put_cache(Exposition& out, const CacheStatistics& cache) {
  out.one("terminal_cache_available", "gauge", "1 while the engine cache can be used.",
          cache.available ? 1 : 0);
  out.family("terminal_cache_lookups_total", "counter", "Lookups of the engine cache by result.");
  out.sample("terminal_cache_lookups_total", "result", "hit", cache.hits);
  out.sample("terminal_cache_lookups_total", "result", "miss", cache.misses);
  out.sample("terminal_cache_lookups_total", "result", "wrong", cache.wrong);
  out.one("terminal_cache_errors_total", "counter", "Failures of the engine cache.", cache.errors);
  out.one("terminal_cache_written_total", "counter", "Entries written.", cache.written);
  out.one("terminal_cache_dropped_total", "counter", "Entries given up for a bound.",
          cache.dropped);
}

void put_commands(Exposition& out, const TelemetryTotals& telemetry) {
  out.one("terminal_commands_total", "counter", "Commands entered.", telemetry.commands);
  out.one("terminal_commands_reported_total", "counter", "Commands whose end a shell reported.",
          telemetry.reported_commands);
  out.one("terminal_commands_failed_total", "counter", "Of these, with another status than 0.",
          telemetry.failed_commands);
  out.one("terminal_commands_dropped_total", "counter", "Commands that were not logged in time.",
          telemetry.dropped_commands);
}

Reply prometheus(Service& service, Request) {
  const Report report = co_await gather_report(service, false);
  const auto telemetry = report.telemetry();
  const auto usage = process_usage();
  Exposition out;
  put_sessions(out, report);
  put_store(out, service.persistence());
  put_mirror(out, report.mirror);
  put_cache(out, service.cache().statistics());
  put_commands(out, telemetry);
  out.one("terminal_streams_connected", "gauge", "Attached viewers.", report.viewers);
  out.one("terminal_connections_open", "gauge", "Open WebSockets.", report.open_connections);
  out.one("terminal_output_bytes_total", "counter", "Bytes read from ptys.",
          telemetry.output_bytes);
  out.one("terminal_input_bytes_total", "counter", "Bytes accepted from clients.",
          telemetry.input_bytes);
  out.one("terminal_operations_total", "counter", "Operations.", telemetry.operations);
  out.one("terminal_operations_failed_total", "counter", "Failed operations.",
          telemetry.failed_operations);
  out.family("terminal_errors_total", "counter", "Errors by kind.");
  for (const auto& [kind, n] : telemetry.errors_by_kind)
    out.sample("terminal_errors_total", "kind", kind, n);
  out.one("terminal_error_rate_percent", "gauge", "Failed operations, last 5 minutes.",
          report.error_rate());
  out.one("terminal_latency_ms", "gauge", "Mean response time, last 5 minutes.",
          telemetry.response_time_ms);
  out.one("terminal_bad_messages_total", "counter", "Messages that meant nothing.",
          report.connections.bad_messages);
  out.one("terminal_sessions_not_admitted_total", "counter",
          "New sessions refused by maintenance or the share of traffic.",
          report.connections.not_admitted);
  out.family("terminal_memory_usage", "gauge", "Bytes by kind.");
  out.sample("terminal_memory_usage", "type", "rss", usage.rss);
  out.sample("terminal_memory_usage", "type", "rings", report.ring_bytes);
  out.one("terminal_cpu_seconds_total", "counter", "CPU time of the service.", usage.cpu_seconds);
  out.one("terminal_open_files", "gauge", "Open descriptors.", usage.open_files);
  put_memory(out, service.operations().memory().status());
  put_alerts(out, service.monitor());
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = out.take();
  co_return response;
}

}  // namespace

void add_metrics_routes(Router& router, Service& service) {
  using Function = Reply (*)(Service&, Request);
  const auto add = [&](const char* path, Function function) {
    router.add("GET", path, [&service, function](Request request) {
      return function(service, std::move(request));
    });
  };
  add("/api/metrics/terminals", all);
  add("/api/metrics/terminals/sessions", sessions);
  add("/api/metrics/terminals/errors", errors);
  add("/api/metrics/errors", errors);
  add("/api/metrics/terminals/memory", memory);
  add("/metrics", prometheus);
}

}  // namespace term::server
