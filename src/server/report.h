#pragma once
// What the whole service looks like now: gathered from all shards for health and metrics.

#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>
#include <vector>

#include "server/service.h"

namespace term::server {

struct EngineReport {
  std::vector<ModuleHealth> modules;  ///< One per module, unhealthy if it is so on any shard.
  TelemetryTotals telemetry;
  bool in_use = false;  ///< It keeps the books of a live session at some port.
};

struct SessionSize {
  SessionId id;
  std::size_t ring_bytes = 0;
  std::size_t queued_input = 0;
  double cpu_percent = 0;          ///< Newest sample of its shell and what runs in front of it.
  std::uint64_t memory_bytes = 0;  ///< The same.
};

struct Report {
  EngineReport legacy;
  EngineReport refactored;
  std::size_t sessions = 0;
  std::size_t cold = 0;                          ///< Stored and not live.
  std::map<std::string, std::size_t> by_status;  ///< Canonical names.
  std::map<std::string, std::size_t> by_engine;  ///< By who serves the streams.
  std::map<ProjectId, std::size_t> by_project;
  adapter::SessionCounts counts;
  ConnectionCounts connections;
  std::size_t open_connections = 0;
  std::size_t viewers = 0;
  std::size_t ring_bytes = 0;
  std::vector<SessionSize> sizes;
  adapter::MirrorReport mirror;

  TelemetryTotals telemetry() const;  ///< Both engines together.
  /// Failed operations of the last 5 minutes in percent; 0 when there were none.
  double error_rate() const;
};

/// Thread: the first shard's; visits them all. `with_sizes`: also each session's memory.
net::awaitable<Report> gather_report(Service& service, bool with_sizes);

/// The few figures that alerts and the guard look at each second: no session is visited for them,
/// so that 10,000 of them cost nothing.
struct Vitals {
  TelemetryTotals telemetry;  ///< Both engines together.
  adapter::SessionCounts counts;
  std::size_t sessions = 0;
  double error_rate() const;
};
/// Thread: the first shard's; visits them all.
net::awaitable<Vitals> gather_vitals(Service& service);

/// Memory of this process in bytes, and its CPU time.
struct ProcessUsage {
  std::size_t rss = 0;
  double cpu_seconds = 0;
  std::size_t open_files = 0;
  std::size_t threads = 0;
};
ProcessUsage process_usage();
/// Memory and CPU time alone: counting ten thousand descriptors takes milliseconds.
ProcessUsage process_load();

}  // namespace term::server
