#include "session/snapshot_json.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "session/json_fields.h"

namespace term {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLargest = kMaxJsonInteger;

/// Snapshots that an engine could have exported, with every field set or not by chance.
class SnapshotMaker {
 public:
  explicit SnapshotMaker(std::uint64_t seed) : random_(seed) {}

  SessionSnapshot make() {
    SessionSnapshot made{session(), {}, telemetry()};
    made.stream = stream();
    return made;
  }

 private:
  std::uint64_t up_to(std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(0, most)(random_);
  }
  int number(int most) { return static_cast<int>(up_to(static_cast<std::uint64_t>(most))); }
  bool coin() { return up_to(1) == 1; }
  WallTime time() { return WallTime{Millis{up_to(4'000'000'000'000)}}; }
  WindowSize window() {
    return {.rows = static_cast<std::uint16_t>(1 + up_to(999)),
            .cols = static_cast<std::uint16_t>(1 + up_to(999))};
  }
  std::string text(std::size_t most = 12) {
    static const std::vector<std::string> kPieces{"a", "Z", "0", " ", "\"", "\\", "é", "終", "\n"};
    std::string made;
    for (auto n = up_to(most); n > 0; --n) made += kPieces.at(up_to(kPieces.size() - 1));
    return made;
  }
  std::string id() { return "session_" + std::to_string(up_to(99999)) + "_ab.C-1"; }
  std::string bytes() {
    std::string made;
    for (auto n = up_to(600); n > 0; --n) made += static_cast<char>(up_to(255));
    return made;
  }
  SessionState state() { return static_cast<SessionState>(up_to(5)); }

  SessionRecord session() {
    SessionRecord made{.id = id(), .type = text(), .tab_name = text(), .status = state()};
    if (coin()) made.project_id = "project-" + std::to_string(up_to(9));
    if (coin()) made.user_id = text();
    static const std::vector<std::string> kModes{"normal", "claude", "system"};
    made.mode = kModes.at(up_to(2));
    made.focused = coin();
    made.created_at = time();
    made.updated_at = time();
    made.last_activity = time();
    made.shell = "/bin/sh";
    for (auto n = up_to(3); n > 0; --n) made.args.push_back(text());
    made.current_path = coin() ? "/tmp/" + text() : "/tmp/\xff\xfe" + text();
    for (auto n = up_to(3); n > 0; --n) made.environment["V" + text(2)] = text();
    made.window = window();
    if (coin()) made.layout_position = number(8) - 4;
    made.lifecycle = lifecycle(made.status);
    if (made.status == SessionState::suspended) {
      made.suspension =
          Suspension{time(), time(), coin() ? SessionState::attached : SessionState::detached};
    }
    if (coin()) made.disconnect.last_close_code = number(4999);
    if (coin()) made.disconnect.keep_alive_until = time();
    if (coin()) made.metadata = json{{"a", 1}, {"kept", {1, "two", nullptr}}}.dump();
    return made;
  }

  Lifecycle lifecycle(SessionState now) {
    Lifecycle made{.state = now, .entered_at = time()};
    made.active_time = Millis{up_to(kLargest)};
    made.suspended_time = Millis{up_to(kLargest)};
    for (auto n = up_to(kMaxTransitions); n > 0; --n) {
      made.transitions.push_back({state(), state(), time(), text()});
    }
    return made;
  }

  StreamRecord stream() {
    StreamRecord made;
    made.first_offset = up_to(kLargest - 1000);
    made.next_offset = made.first_offset;
    if (coin()) made.data = bytes();
    made.next_offset += made.data ? made.data->size() : up_to(1000);
    for (auto n = up_to(3); n > 0; --n) {
      const auto accepted = up_to(kLargest);
      made.input[text()] = {accepted, up_to(accepted)};
    }
    ViewerId viewer = 0;
    for (auto n = up_to(3); n > 0; --n) {
      ViewerState one{.id = viewer += 1 + up_to(4), .client = text(), .dialect = text()};
      one.role = coin() ? ViewerRole::writer : ViewerRole::viewer;
      one.sent = up_to(made.next_offset);
      one.acked = up_to(one.sent);
      one.window = up_to(1U << 20U);
      one.acks = coin();
      one.exempt = coin();
      if (coin()) one.wanted = window();
      made.viewers.push_back(one);
    }
    made.suspended = coin();
    made.open = coin();
    made.pid = number(std::numeric_limits<int>::max());
    made.window = window();
    if (coin()) made.exit = ExitStatus{.signal = coin() ? "SIGKILL" : "", .at = time()};
    if (made.exit && coin()) made.exit->code = number(255);
    return made;
  }

  TelemetryRecord telemetry() {
    TelemetryRecord made{.input_bytes = up_to(kLargest), .output_bytes = up_to(kLargest)};
    made.error_count = up_to(kLargest);
    made.cpu_usage = static_cast<double>(up_to(100000)) / 7;
    made.memory_usage = up_to(kLargest);
    made.response_time_ms = static_cast<double>(up_to(100000)) / 3;
    made.commands.total = up_to(kLargest);
    made.commands.failed = up_to(kLargest);
    for (auto n = up_to(3); n > 0; --n)
      made.commands.by_category["git" + text(1)] = up_to(kLargest);
    for (auto& hour : made.commands.by_hour) hour = up_to(kLargest);
    made.commands.pending = std::string(up_to(32), 'g');
    made.commands.pending_done = coin();
    made.commands.reported = up_to(kLargest);
    made.commands.hidden = coin();
    made.commands.line = std::string(up_to(kMaxCommandText), 'l');
    if (coin())
      made.commands.running =
          RunningCommand{up_to(kLargest), time(), "git", std::string(up_to(9), 't')};
    made.log_position = up_to(kLargest);
    return made;
  }

  std::mt19937_64 random_;
};

/// Through text and back, as a file would take it.
Result<SessionSnapshot> reread(const SessionSnapshot& snapshot) {
  return snapshot_from_json(json::parse(to_json(snapshot).dump()));
}

TEST(SnapshotJson, EverySnapshotComesBackAsItWas) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const SessionSnapshot snapshot = SnapshotMaker(seed).make();
    const auto read = reread(snapshot);
    ASSERT_TRUE(read) << "seed " << seed << ": " << read.error().detail;
    EXPECT_EQ(read->session, snapshot.session) << "seed " << seed;
    EXPECT_EQ(read->stream, snapshot.stream) << "seed " << seed;
    EXPECT_EQ(read->telemetry, snapshot.telemetry) << "seed " << seed;
  }
}

TEST(SnapshotJson, DataKeepsEveryByteValue) {
  SessionSnapshot snapshot = SnapshotMaker(1).make();
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  snapshot.stream.data = all;
  snapshot.stream.next_offset = snapshot.stream.first_offset + all.size();
  snapshot.stream.viewers.clear();
  const auto read = reread(snapshot);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->stream.data, all);
}

TEST(SnapshotJson, ABareObjectWithAnIdIsEnough) {
  const auto read = snapshot_from_json({{"id", "s1"}});
  ASSERT_TRUE(read) << read.error().detail;
  SessionSnapshot expected;
  expected.session.id = "s1";
  EXPECT_EQ(*read, expected);
}

TEST(SnapshotJson, WhatOriginWroteIsUnderstood) {
  const auto read = snapshot_from_json({{"id", "session_1723550000000_abcd1234"},
                                        {"projectId", "p1"},
                                        {"type", "terminal"},
                                        {"mode", "claude"},
                                        {"tabName", "Terminal 3"},
                                        {"status", "active"},
                                        {"active", true},
                                        {"isFocused", true},
                                        {"createdAt", "2024-08-13T10:00:00.000Z"},
                                        {"updatedAt", "2024-08-13T10:05:00.250Z"},
                                        {"currentPath", "/home/me"},
                                        {"wsConnected", true},
                                        {"metadata", json::object()}});
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->session.status, SessionState::attached);
  EXPECT_EQ(read->session.lifecycle.state, SessionState::attached);
  EXPECT_TRUE(read->session.focused);
  EXPECT_EQ(read->session.mode, "claude");
  EXPECT_EQ(iso_time(read->session.last_activity), "2024-08-13T10:05:00.250Z");
  EXPECT_EQ(read->session.metadata, "{}") << "nothing in it is unknown";
}

TEST(SnapshotJson, UnknownFieldsAreKeptInTheMetadata) {
  const auto read = snapshot_from_json(
      {{"id", "s1"}, {"metadata", {{"colour", "red"}}}, {"later", {1, 2}}, {"colour", "blue"}});
  ASSERT_TRUE(read) << read.error().detail;
  const json again = to_json(*read);
  EXPECT_EQ(again["metadata"], (json{{"colour", "red"}, {"later", {1, 2}}}));
  EXPECT_EQ(reread(*read)->session.metadata, read->session.metadata);
}

TEST(SnapshotJson, OneOffsetForAClientsInputMeansAcceptedAndWritten) {
  const auto read = snapshot_from_json({{"id", "s1"}, {"input", {{"tab", 7}}}});
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->stream.input.at("tab"), (InputOffsets{7, 7}));
}

TEST(SnapshotJson, OnlyTheNewestTransitionsAreKept) {
  json steps = json::array();
  for (int i = 0; i < 40; ++i) {
    steps.push_back({{"from", "attached"},
                     {"to", "detached"},
                     {"at", "2026-11-22T10:00:00.000Z"},
                     {"reason", std::to_string(i)}});
  }
  const auto read = snapshot_from_json({{"id", "s1"}, {"lifecycle", {{"transitions", steps}}}});
  ASSERT_TRUE(read) << read.error().detail;
  ASSERT_EQ(read->session.lifecycle.transitions.size(), kMaxTransitions);
  EXPECT_EQ(read->session.lifecycle.transitions.back().reason, "39");
}

TEST(SnapshotJson, DataAndOffsetsMustAgree) {
  const auto read = snapshot_from_json(
      {{"id", "s1"}, {"output", {{"firstOffset", 5}, {"nextOffset", 9}, {"data", "YWJj"}}}});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::bad_snapshot);
  EXPECT_NE(read.error().detail.find("output.data"), std::string::npos) << read.error().detail;
}

TEST(SnapshotJson, TextThatIsNotUtf8CanStillBeWritten) {
  SessionSnapshot snapshot = SnapshotMaker(3).make();
  snapshot.session.tab_name = "\xc3";
  snapshot.session.metadata = "not json";
  EXPECT_NO_THROW((void)to_json(snapshot).dump());
  EXPECT_EQ(to_json(snapshot)["tabName"], "\xef\xbf\xbd");
  EXPECT_EQ(to_json(snapshot)["metadata"], json::object());
}

TEST(SnapshotJson, AProjectComesBackAsItWas) {
  const ProjectRecord project{.id = "p1",
                              .sessions = {"s1", "s2"},
                              .focused = {"s2"},
                              .layout = R"({"currentLayout":"2x2"})",
                              .name_counter = 7,
                              .recent_creations = {WallTime{Millis{1000}}, WallTime{Millis{2001}}},
                              .breaker_until = WallTime{Millis{99999}}};
  const auto read = project_from_json(json::parse(to_json(project).dump()));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(*read, project);
  EXPECT_EQ(*project_from_json(to_json(ProjectRecord{})), ProjectRecord{});
}

TEST(SnapshotJson, ASessionIsShownWithTheNamesOfTheDialects) {
  SessionRecord record{.id = "s1", .status = SessionState::detached, .focused = true};
  const json shown = to_json(record);
  EXPECT_EQ(shown["status"], "inactive");
  EXPECT_EQ(shown["userId"], nullptr);
  EXPECT_FALSE(shown.contains("output"));
  EXPECT_EQ(dialect_status(SessionState::starting), "connecting");
  EXPECT_EQ(dialect_status(SessionState::failed), "error");
}

TEST(SnapshotJson, StatisticsShowNothingThatIsBeingTyped) {
  CommandStatistics statistics{.total = 2, .by_category = {{"git", 2}}, .pending = "passw"};
  EXPECT_EQ(to_json(statistics).dump().find("passw"), std::string::npos);
  EXPECT_EQ(to_json(statistics)["byCategory"]["git"], 2);
}

}  // namespace
}  // namespace term
