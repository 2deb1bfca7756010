#include "server/report.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "server/cold_sessions.h"

namespace term::server {

namespace {

void add(TelemetryTotals& into, const TelemetryTotals& from) {
  const auto responses = into.responses + from.responses;
  if (responses > 0)
    into.response_time_ms = (into.response_time_ms * static_cast<double>(into.responses) +
                             from.response_time_ms * static_cast<double>(from.responses)) /
                            static_cast<double>(responses);
  into.responses = responses;
  into.input_bytes += from.input_bytes;
  into.output_bytes += from.output_bytes;
  into.commands += from.commands;
  into.failed_commands += from.failed_commands;
  into.reported_commands += from.reported_commands;
  into.dropped_commands += from.dropped_commands;
  into.operations += from.operations;
  into.operations_ms += from.operations_ms;
  into.failed_operations += from.failed_operations;
  into.recent_operations += from.recent_operations;
  into.recent_failed += from.recent_failed;
  for (const auto& [kind, count] : from.errors_by_kind) into.errors_by_kind[kind] += count;
}

void add(std::vector<ModuleHealth>& into, std::vector<ModuleHealth> from) {
  for (auto& module : from) {
    const auto it = std::ranges::find(into, module.module, &ModuleHealth::module);
    if (it == into.end()) {
      into.push_back(std::move(module));
    } else if (it->healthy && !module.healthy) {
      *it = std::move(module);  // The first that is unwell speaks for all.
    }
  }
}

void add(adapter::MirrorReport& into, adapter::MirrorReport from) {
  into.on = into.on || from.on;
  into.mirrored += from.mirrored;
  into.compared += from.compared;
  into.found += from.found;
  into.differing += from.differing;
  into.failures += from.failures;
  if (!from.newest_failure.empty()) into.newest_failure = std::move(from.newest_failure);
  std::ranges::move(from.differences, std::back_inserter(into.differences));
  add(into.shadows, std::move(from.shadows));
}

void add_engine(EngineReport& into, const EnginePorts& ports) {
  add(into.modules, ports.sessions->health());
  add(into.modules, ports.streams->health());
  add(into.modules, ports.telemetry->health());
  add(into.telemetry, ports.telemetry->totals());
}

SessionSize size_of(Session& session) {
  SessionSize size{session.id(), session.ring().size(), session.queued_input()};
  if (const auto telemetry = session.telemetry().export_session(session.id())) {
    size.cpu_percent = telemetry->cpu_usage;
    size.memory_bytes = telemetry->memory_usage;
  }
  return size;
}

void add(adapter::SessionCounts& into, const adapter::SessionCounts& from) {
  into.created += from.created;
  into.adopted += from.adopted;
  into.ended += from.ended;
  into.failed += from.failed;
  into.lost += from.lost;
  into.reopened += from.reopened;
}

double error_rate_of(const TelemetryTotals& telemetry) {
  if (telemetry.recent_operations == 0) return 0;
  return 100.0 * static_cast<double>(telemetry.recent_failed) /
         static_cast<double>(telemetry.recent_operations);
}

Report report_of(Shard& shard, bool with_sizes) {
  Report report;
  const adapter::Sessions& sessions = *shard.sessions;
  add_engine(report.legacy, sessions.engines().legacy);
  add_engine(report.refactored, sessions.engines().refactored);
  for (const auto& session : sessions.live()) {
    ++report.sessions;
    const Owners owners = session->owners();
    for (const Port port : adapter::kPorts)
      (adapter::owner_at(owners, port) == Engine::legacy ? report.legacy : report.refactored)
          .in_use = true;
    ++report.by_engine[std::string(to_string(owners.streams))];
    report.ring_bytes += session->ring().size();
    report.viewers += session->viewers().size();
    if (with_sizes) report.sizes.push_back(size_of(*session));
  }
  for (const auto& record : sessions.records(std::nullopt)) {
    ++report.by_status[std::string(to_string(record.status))];
    ++report.by_project[record.project_id];
  }
  report.counts = sessions.counts();
  report.connections = shard.counts;
  report.open_connections = shard.connections.size();
  report.mirror = sessions.mirror_report();
  return report;
}

void merge(Report& into, Report from) {
  add(into.mirror, std::move(from.mirror));
  add(into.legacy.modules, std::move(from.legacy.modules));
  add(into.legacy.telemetry, from.legacy.telemetry);
  add(into.refactored.modules, std::move(from.refactored.modules));
  add(into.refactored.telemetry, from.refactored.telemetry);
  into.legacy.in_use = into.legacy.in_use || from.legacy.in_use;
  into.refactored.in_use = into.refactored.in_use || from.refactored.in_use;
  into.sessions += from.sessions;
  for (const auto& [name, n] : from.by_status) into.by_status[name] += n;
  for (const auto& [name, n] : from.by_engine) into.by_engine[name] += n;
  for (const auto& [name, n] : from.by_project) into.by_project[name] += n;
  add(into.counts, from.counts);
  into.connections.opened += from.connections.opened;
  into.connections.closed += from.connections.closed;
  into.connections.bad_messages += from.connections.bad_messages;
  into.connections.not_admitted += from.connections.not_admitted;
  for (const auto& [name, n] : from.connections.by_dialect) into.connections.by_dialect[name] += n;
  into.open_connections += from.open_connections;
  into.viewers += from.viewers;
  into.ring_bytes += from.ring_bytes;
  into.sizes.insert(into.sizes.end(), from.sizes.begin(), from.sizes.end());
}

}  // namespace

TelemetryTotals Report::telemetry() const {
  TelemetryTotals both = legacy.telemetry;
  add(both, refactored.telemetry);
  return both;
}

double Report::error_rate() const { return error_rate_of(telemetry()); }

double Vitals::error_rate() const { return error_rate_of(telemetry); }

net::awaitable<Vitals> gather_vitals(Service& service) {
  auto look = [](Shard& shard) {
    Vitals vitals;
    const adapter::Engines& engines = shard.sessions->engines();
    vitals.telemetry = engines.legacy.telemetry->totals();
    add(vitals.telemetry, engines.refactored.telemetry->totals());
    vitals.counts = shard.sessions->counts();
    vitals.sessions = shard.sessions->size();
    return vitals;
  };
  Vitals all;
  for (const Vitals& part : co_await service.shards().gather(std::move(look))) {
    add(all.telemetry, part.telemetry);
    add(all.counts, part.counts);
    all.sessions += part.sessions;
  }
  co_return all;
}

net::awaitable<Report> gather_report(Service& service, bool with_sizes) {
  auto look = [with_sizes](Shard& shard) { return report_of(shard, with_sizes); };
  auto parts = co_await service.shards().gather(std::move(look));
  Report all;
  all.by_engine = {{"legacy", 0}, {"refactored", 0}};
  for (auto& part : parts) merge(all, std::move(part));
  if (const ColdSessions* cold = service.cold()) all.cold = cold->size();
  co_return all;
}

ProcessUsage process_load() {
  ProcessUsage usage;
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  if (statm >> size >> resident)
    usage.rss = resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  }
  return usage;
}

ProcessUsage process_usage() {
  ProcessUsage usage = process_load();
  const auto count = [](const char* path) {
    std::error_code ec;
    std::size_t n = 0;
    for (std::filesystem::directory_iterator it(path, ec), end; !ec && it != end; it.increment(ec))
      ++n;
    return n;
  };
  usage.open_files = count("/proc/self/fd");
  usage.threads = count("/proc/self/task");
  return usage;
}

}  // namespace term::server
