// The codecs of the dialects, and what JSON and UTF-8 cost in them.

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <string>

#include "content.h"
#include "server/dialect.h"
#include "server/frame_scan.h"
#include "session/utf8.h"

namespace term::server {
namespace {

using bench::Content;

std::string some(Content content) {
  const bench::Pattern pattern(content, 1, true);
  return std::string(pattern.at(0, pattern.period()));
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

/// Output as the dialect sends it: UTF-8 made valid, escaped, put into a message.
void dress_legacy(benchmark::State& state, Content content) {
  const auto dialect = make_legacy_dialect();
  const std::string bytes = some(content);
  for (auto _ : state) benchmark::DoNotOptimize(dialect->dress(bytes));
  count_bytes(state, bytes.size());
}
BENCHMARK_CAPTURE(dress_legacy, plain, Content::plain);
BENCHMARK_CAPTURE(dress_legacy, colour, Content::colour);
BENCHMARK_CAPTURE(dress_legacy, cjk, Content::cjk);
BENCHMARK_CAPTURE(dress_legacy, binary, Content::binary);

void make_utf8_valid(benchmark::State& state, Content content) {
  Utf8Stream utf8;
  const std::string bytes = some(content);
  for (auto _ : state) benchmark::DoNotOptimize(utf8.feed(bytes));
  count_bytes(state, bytes.size());
}
BENCHMARK_CAPTURE(make_utf8_valid, plain, Content::plain);
BENCHMARK_CAPTURE(make_utf8_valid, cjk, Content::cjk);
BENCHMARK_CAPTURE(make_utf8_valid, binary, Content::binary);

/// The escaping alone.
void escape_json(benchmark::State& state, Content content) {
  const nlohmann::json text = some(content);
  for (auto _ : state) benchmark::DoNotOptimize(text.dump());
  count_bytes(state, text.get_ref<const std::string&>().size());
}
BENCHMARK_CAPTURE(escape_json, plain, Content::plain);
BENCHMARK_CAPTURE(escape_json, colour, Content::colour);
BENCHMARK_CAPTURE(escape_json, cjk, Content::cjk);

void decode_key_legacy(benchmark::State& state) {
  const auto dialect = make_legacy_dialect();
  const std::string message = R"({"type":"input","data":"x"})";
  for (auto _ : state) benchmark::DoNotOptimize(dialect->decode(true, message));
}
BENCHMARK(decode_key_legacy);

void decode_key_native(benchmark::State& state) {
  const auto dialect = make_native_dialect();
  for (auto _ : state) benchmark::DoNotOptimize(dialect->decode(false, "x"));
}
BENCHMARK(decode_key_native);

void decode_ack_native(benchmark::State& state) {
  const auto dialect = make_native_dialect();
  const std::string message = R"({"type":"ack","output":123456789})";
  for (auto _ : state) benchmark::DoNotOptimize(dialect->decode(true, message));
}
BENCHMARK(decode_ack_native);

void encode_ack_native(benchmark::State& state) {
  const auto dialect = make_native_dialect();
  Dialect::Frames frames;
  for (auto _ : state) {
    dialect->input_written(123456789, frames);
    benchmark::DoNotOptimize(frames.data());
    frames.clear();
  }
}
BENCHMARK(encode_ack_native);

/// What remembering received frames for a hand-over costs a keystroke: Beast is given the frame,
/// asks for more, has it handled.
void remember_key_frame(benchmark::State& state) {
  ReceivedFrames received(1024 * 1024);
  const std::string frame("\x82\x81\x01\x02\x03\x04\x79", 7);
  for (auto _ : state) {
    received.given(frame);
    received.came();
    received.delivered();
  }
  if (!received.bytes().empty()) state.SkipWithError("something is remembered");
}
BENCHMARK(remember_key_frame);

}  // namespace
}  // namespace term::server
