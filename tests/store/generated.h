#pragma once
// Sessions that an engine, a file or a legacy program could leave, made by RapidCheck.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>
#include <string>

#include "store/store.h"

namespace term::test {

inline std::string some_text(std::size_t most = 20) {
  static const std::vector<std::string> kPieces{
      "a", "Z",  "7",           " ", "\"", "\\", "é", "終", "\n", std::string(1, '\0'),
      "'", "$1", "\xEF\xBF\xBD"};
  std::string made;
  for (auto n = *rc::gen::inRange<std::size_t>(0, most); n > 0; --n)
    made += *rc::gen::elementOf(kPieces);
  return made;
}
inline std::uint64_t up_to(std::uint64_t most) {
  return *rc::gen::inRange<std::uint64_t>(0, most + 1);
}
inline bool coin() { return *rc::gen::arbitrary<bool>(); }
inline WallTime some_time() { return WallTime{Millis{up_to(4'000'000'000'000)}}; }
inline WindowSize some_window() {
  return {.rows = static_cast<std::uint16_t>(1 + up_to(999)),
          .cols = static_cast<std::uint16_t>(1 + up_to(999))};
}
constexpr std::uint64_t kMost = (1ULL << 53U) - 1;

inline SessionRecord some_record(const SessionId& id) {
  SessionRecord made{.id = id, .type = some_text(), .tab_name = some_text()};
  made.status = static_cast<SessionState>(up_to(5));
  if (coin()) made.project_id = "project-" + std::to_string(up_to(9));
  if (coin()) made.user_id = coin() ? "system" : some_text();
  made.mode = *rc::gen::elementOf(std::vector<std::string>{"normal", "claude", "system"});
  made.focused = coin();
  made.created_at = some_time();
  made.updated_at = some_time();
  made.last_activity = some_time();
  made.shell = "/bin/sh";
  for (auto n = up_to(3); n > 0; --n) made.args.push_back("-c" + std::to_string(n));
  made.current_path = coin() ? "/tmp/終" : "/tmp/\xff\xfe";
  if (coin()) made.environment["A"] = "b é";
  made.window = some_window();
  if (coin()) made.layout_position = static_cast<int>(up_to(9)) - 4;
  made.lifecycle = {.state = made.status, .transitions = {}, .entered_at = some_time()};
  made.lifecycle.active_time = Millis{up_to(kMost)};
  for (auto n = up_to(3); n > 0; --n)
    made.lifecycle.transitions.push_back(
        {SessionState::starting, SessionState::attached, some_time(), some_text()});
  if (made.status == SessionState::suspended)
    made.suspension = Suspension{some_time(), some_time(), SessionState::detached};
  if (coin()) made.disconnect.last_close_code = static_cast<int>(up_to(4999));
  if (coin()) made.disconnect.keep_alive_until = some_time();
  if (coin())
    made.metadata =
        nlohmann::json{{"kept", some_text()}, {"v2", 1}, {"n", coin() ? 1e20 : 1.5}}.dump();
  return made;
}

/// With data or without.
inline StreamRecord some_stream() {
  StreamRecord made;
  made.first_offset = up_to(kMost - 1000);
  std::string bytes;
  for (auto n = up_to(400); n > 0; --n) bytes += static_cast<char>(up_to(255));
  made.next_offset = made.first_offset + bytes.size();
  if (coin()) made.data = bytes;
  for (auto n = up_to(2); n > 0; --n) {
    const auto accepted = up_to(kMost);
    made.input[some_text()] = {accepted, up_to(accepted)};
  }
  made.open = coin();
  made.pid = static_cast<pid_t>(up_to(4'000'000));
  made.window = some_window();
  if (coin()) made.exit = ExitStatus{.signal = "SIGKILL", .at = some_time()};
  return made;
}

inline store::StoredSession some_session(const SessionId& id) {
  store::StoredSession made;
  const auto engine = [] { return coin() ? Engine::legacy : Engine::refactored; };
  made.owners = {engine(), engine(), engine()};
  made.snapshot.session = some_record(id);
  made.snapshot.stream = some_stream();
  TelemetryRecord& telemetry = made.snapshot.telemetry;
  telemetry.input_bytes = up_to(kMost);
  telemetry.output_bytes = up_to(kMost);
  telemetry.cpu_usage = static_cast<double>(up_to(1000)) / 7;
  telemetry.response_time_ms = coin() ? 1e-7 : 3.25;
  telemetry.commands.total = up_to(kMost);
  telemetry.commands.by_category["git"] = up_to(kMost);
  telemetry.log_position = up_to(kMost);
  return made;
}

}  // namespace term::test
