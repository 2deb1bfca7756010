// The parts below the dialects: ring, cursors through the ports, the snapshot's codec.

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "adapter/engines.h"
#include "content.h"
#include "refactored/metrics_collector.h"
#include "refactored/stream_manager.h"
#include "session/output_ring.h"
#include "session/snapshot_json.h"

namespace term {
namespace {

constexpr std::size_t kRing = 1024 * 1024;
constexpr std::size_t kTurn = 64 * 1024;
constexpr std::size_t kRead = 4096;  // What a pty gives at once.
constexpr ViewerId kViewer = 1;

WallTime wall_clock() {
  return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

void ring_append(benchmark::State& state) {
  OutputRing ring(kRing);
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) ring.append(bytes);
  count_bytes(state, bytes.size());
}
BENCHMARK(ring_append)->Arg(64)->Arg(4096)->Arg(65536);

void ring_write_in_place(benchmark::State& state) {
  OutputRing ring(kRing);
  for (auto _ : state) {
    const auto place = ring.writable(4096);
    benchmark::DoNotOptimize(place.data());
    ring.commit(place.size());
  }
}
BENCHMARK(ring_write_in_place);

void ring_read(benchmark::State& state) {
  OutputRing ring(kRing);
  ring.append(std::string(kRing + 4096, 'x'));
  Offset at = ring.first();
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.read(at, kTurn));
    if ((at += 4096) + kTurn > ring.next()) at = ring.first();
  }
}
BENCHMARK(ring_read);

ViewerState viewer_state() {
  return {.id = kViewer, .client = "bench", .dialect = "native", .window = 0, .acks = true};
}

/// What a session asks its engine for each turn of the pump and of one viewer (session.cpp).
template <typename Streams, typename Telemetry>
void turn(Streams& streams, Telemetry& telemetry, const SessionId& id, std::string_view bytes,
          Offset& next) {
  benchmark::DoNotOptimize(streams.read_budget(id, false));
  for (std::size_t at = 0; at < bytes.size(); at += kRead) {
    const std::string_view piece = bytes.substr(at, kRead);
    streams.output(id, next, piece, next > kRing ? next - kRing : 0);
    next += piece.size();
  }
  telemetry.output(id, bytes.size());
  const Delivery delivery = streams.next_delivery(id, kViewer, kTurn);
  streams.sent(id, kViewer, delivery.end);
  benchmark::DoNotOptimize(streams.acked(id, kViewer, delivery.end));
}

template <typename Streams, typename Telemetry>
void run_turns(benchmark::State& state, Streams& streams, Telemetry& telemetry) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  const SessionId id = "session_1795341600000_abcd1234";
  benchmark::DoNotOptimize(streams.create(id, {}, 0));
  benchmark::DoNotOptimize(streams.opened(id, 1));
  benchmark::DoNotOptimize(telemetry.opened(id, "bench"));
  if (!streams.attach(id, viewer_state())) return state.SkipWithError("attach was refused");
  Offset next = 0;
  for (auto _ : state) turn(streams, telemetry, id, bytes, next);
  if (streams.next_delivery(id, kViewer, kTurn).end != next)
    state.SkipWithError("the cursor is not at the end");
}

/// As the service does it: through ports that the adapter picked.
void turn_through_ports(benchmark::State& state, Engine engine) {
  const adapter::Engines engines = adapter::make_engines(wall_clock, {}, {});
  const EnginePorts ports = engines.of(adapter::all(engine));
  run_turns(state, *ports.streams, *ports.telemetry);
}
BENCHMARK_CAPTURE(turn_through_ports, refactored, Engine::refactored)->Arg(1)->Arg(65536);
BENCHMARK_CAPTURE(turn_through_ports, legacy, Engine::legacy)->Arg(1)->Arg(65536);

/// The same engine with nothing in between: what being able to flip costs is the difference.
void turn_called_directly(benchmark::State& state) {
  refactored::StreamManager streams(wall_clock, {});
  refactored::MetricsCollector telemetry(wall_clock);
  run_turns(state, streams, telemetry);
}
BENCHMARK(turn_called_directly)->Arg(1)->Arg(65536);

void input_through_ports(benchmark::State& state, Engine engine) {
  const adapter::Engines engines = adapter::make_engines(wall_clock, {}, {});
  const EnginePorts ports = engines.of(adapter::all(engine));
  const SessionId id = "session_1795341600000_abcd1234";
  benchmark::DoNotOptimize(ports.streams->create(id, {}, 0));
  benchmark::DoNotOptimize(ports.streams->opened(id, 1));
  benchmark::DoNotOptimize(ports.telemetry->opened(id, "bench"));
  if (!ports.streams->attach(id, viewer_state())) return state.SkipWithError("attach was refused");
  const std::string key = "x";
  Offset at = 0;
  for (auto _ : state) {
    const auto verdict = ports.streams->input(id, kViewer, at, 1, kRing);
    if (!verdict || verdict->take != 1) return state.SkipWithError("a key was not taken");
    ports.telemetry->input(id, key, true);
    ports.streams->input_written(id, "bench", ++at);
  }
}
BENCHMARK_CAPTURE(input_through_ports, refactored, Engine::refactored);
BENCHMARK_CAPTURE(input_through_ports, legacy, Engine::legacy);

SessionSnapshot snapshot_of(std::size_t scrollback) {
  const bench::Pattern pattern(bench::Content::colour, 1, true);
  SessionSnapshot snapshot;
  snapshot.session.id = "session_1795341600000_abcd1234";
  snapshot.session.project_id = "bench";
  snapshot.session.shell = "/bin/bash";
  snapshot.session.current_path = "/root";
  std::string data;
  while (data.size() < scrollback) data += pattern.at(data.size(), scrollback - data.size());
  snapshot.stream.next_offset = data.size();
  snapshot.stream.data = std::move(data);
  snapshot.stream.viewers.push_back(viewer_state());
  return snapshot;
}

void snapshot_to_json(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const SessionSnapshot snapshot = snapshot_of(bytes);
  for (auto _ : state) benchmark::DoNotOptimize(to_json(snapshot).dump());
  count_bytes(state, bytes);
}
BENCHMARK(snapshot_to_json)->Arg(0)->Arg(kRing);

void snapshot_from_text(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const SessionSnapshot snapshot = snapshot_of(bytes);
  const std::string text = to_json(snapshot).dump();
  for (auto _ : state) {
    const auto read = snapshot_from_json(nlohmann::json::parse(text, nullptr, false));
    if (!read || *read != snapshot) return state.SkipWithError("not the same snapshot");
  }
  count_bytes(state, bytes);
}
BENCHMARK(snapshot_from_text)->Arg(0)->Arg(kRing);

/// What an export is held against (GOALS.md 1).
void plain_base64(benchmark::State& state) {
  const std::string bytes = *snapshot_of(kRing).stream.data;
  for (auto _ : state) benchmark::DoNotOptimize(base64_encode(bytes));
  count_bytes(state, bytes.size());
}
BENCHMARK(plain_base64);

}  // namespace
}  // namespace term

BENCHMARK_MAIN();
