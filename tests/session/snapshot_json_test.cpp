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

/// One value that a field may not have, and the name its refusal must carry.
struct Wrong {
  const char* pointer;  ///< Where, as a JSON pointer.
  json value;
  const char* named;
};

std::vector<Wrong> wrong_values() {
  const json text = "x";
  const json deep = [] {
    json inner = 1;
    for (int i = 0; i < 100; ++i) inner = json::array({inner});
    return inner;
  }();
  return {
      {"/id", 1, "id"},
      {"/id", "", "id"},
      {"/id", "..", "id"},
      {"/id", "a/b", "id"},
      {"/id", std::string(129, 'a'), "id"},
      {"/projectId", 1, "projectId"},
      {"/projectId", "a b", "projectId"},
      {"/userId", 1, "userId"},
      {"/type", false, "type"},
      {"/mode", "other", "mode"},
      {"/mode", 3, "mode"},
      {"/tabName", 1, "tabName"},
      {"/status", "asleep", "status"},
      {"/status", 1, "status"},
      {"/focused", "yes", "focused"},
      {"/createdAt", 1, "createdAt"},
      {"/updatedAt", "yesterday", "updatedAt"},
      {"/lastActivity", "2026-13-01T00:00:00.000Z", "lastActivity"},
      {"/shell", 1, "shell"},
      {"/shell", std::string("a\0b", 3), "shell"},
      {"/args", "x", "args"},
      {"/args", json::array({1}), "args[0]"},
      {"/args", json::array({std::string("a\0b", 3)}), "args"},
      {"/currentPath", 1, "currentPath"},
      {"/currentPath", std::string("/\0", 2), "currentPath"},
      {"/currentPathBytes", "***", "currentPathBytes"},
      {"/environment", text, "environment"},
      {"/environment", {{"A", 1}}, "environment.A"},
      {"/environment", {{"A=B", "1"}}, "environment.A=B"},
      {"/cols", 0, "cols"},
      {"/cols", 1001, "cols"},
      {"/rows", -1, "rows"},
      {"/rows", 24.5, "rows"},
      {"/rows", "24", "rows"},
      {"/rows", std::numeric_limits<std::uint64_t>::max(), "rows"},
      {"/layoutPosition", "1", "layoutPosition"},
      {"/layoutPosition", 1LL << 40, "layoutPosition"},
      {"/lifecycle", text, "lifecycle"},
      {"/lifecycle/state", "closed", "lifecycle.state"},
      {"/lifecycle/state", 1, "lifecycle.state"},
      {"/lifecycle/enteredAt", 1, "lifecycle.enteredAt"},
      {"/lifecycle/activeTime", -1, "lifecycle.activeTime"},
      {"/lifecycle/suspendedTime", "1", "lifecycle.suspendedTime"},
      {"/lifecycle/transitions", text, "lifecycle.transitions"},
      {"/lifecycle/transitions/0", 1, "lifecycle.transitions[0]"},
      {"/lifecycle/transitions/0/to", "up", "lifecycle.transitions[0].to"},
      {"/lifecycle/transitions/0/at", 1, "lifecycle.transitions[0].at"},
      {"/lifecycle/transitions/0/reason", 1, "lifecycle.transitions[0].reason"},
      {"/suspension", {{"before", "closed"}}, "suspension.before"},
      {"/suspension", {{"suspendedAt", 1}}, "suspension.suspendedAt"},
      {"/suspension", {{"expiresAt", "x"}}, "suspension.expiresAt"},
      {"/suspension", json::object(), "suspension"},
      {"/suspension", 1, "suspension"},
      {"/disconnect", 1, "disconnect"},
      {"/disconnect/lastCloseCode", -1, "disconnect.lastCloseCode"},
      {"/disconnect/keepAliveUntil", 1, "disconnect.keepAliveUntil"},
      {"/metadata", text, "metadata"},
      {"/metadata", {{"x", deep}}, "metadata"},
      {"/unknown", deep, "unknown"},
      {"/output", 1, "output"},
      {"/output/firstOffset", -1, "output.firstOffset"},
      {"/output/firstOffset", 1000, "output.firstOffset"},
      {"/output/nextOffset", kLargest + 1, "output.nextOffset"},
      {"/output/data", "a", "output.data"},
      {"/output/data", 1, "output.data"},
      {"/input", 1, "input"},
      {"/input", {{"tab", "7"}}, "input.tab"},
      {"/input", {{"tab", -7}}, "input.tab"},
      {"/input", {{"tab", {{"accepted", "1"}}}}, "input.tab.accepted"},
      {"/input", {{"tab", {{"accepted", 1}, {"written", 2}}}}, "input.tab.written"},
      {"/viewers", 1, "viewers"},
      {"/viewers/0", 1, "viewers[0]"},
      {"/viewers/1/id", 1, "viewers[1].id"},
      {"/viewers/0/id", -1, "viewers[0].id"},
      {"/viewers/0/client", 1, "viewers[0].client"},
      {"/viewers/0/dialect", 1, "viewers[0].dialect"},
      {"/viewers/0/role", "owner", "viewers[0].role"},
      {"/viewers/0/offset", 1000, "viewers[0].offset"},
      {"/viewers/0/acked", 4, "viewers[0].acked"},
      {"/viewers/0/window", -1, "viewers[0].window"},
      {"/viewers/0/acks", 1, "viewers[0].acks"},
      {"/viewers/0/exempt", 1, "viewers[0].exempt"},
      {"/viewers/0/wanted", {{"cols", 0}}, "viewers[0].wanted.cols"},
      {"/inputSuspended", 1, "inputSuspended"},
      {"/open", 1, "open"},
      {"/pid", -1, "pid"},
      {"/pid", 1LL << 31, "pid"},
      {"/streamWindow", {{"rows", 0}}, "streamWindow.rows"},
      {"/exit", {{"code", 256}}, "exit.code"},
      {"/exit", {{"signal", 9}}, "exit.signal"},
      {"/exit", {{"at", 9}}, "exit.at"},
      {"/inputBytes", -1, "inputBytes"},
      {"/outputBytes", "1", "outputBytes"},
      {"/errorCount", 1.5, "errorCount"},
      {"/cpuUsage", -1, "cpuUsage"},
      {"/cpuUsage", "1", "cpuUsage"},
      {"/memoryUsage", -1, "memoryUsage"},
      {"/responseTime", json::array(), "responseTime"},
      {"/commandCount", "1", "commandCount"},
      {"/commands", 1, "commands"},
      {"/commands/total", -1, "commands.total"},
      {"/commands/failed", "1", "commands.failed"},
      {"/commands/byCategory", 1, "commands.byCategory"},
      {"/commands/byCategory", {{"git", "1"}}, "commands.byCategory.git"},
      {"/commands/byHour", {1, 2}, "commands.byHour"},
      {"/commands/byHour/3", -1, "commands.byHour[3]"},
      {"/commands/pending", 1, "commands.pending"},
      {"/commands/pending", std::string(33, 'a'), "commands.pending"},
      {"/commands/pendingDone", 1, "commands.pendingDone"},
      {"/logPosition", -1, "logPosition"},
  };
}

json good() {
  SessionSnapshot snapshot;
  snapshot.session.id = "s1";
  snapshot.session.status = SessionState::attached;
  snapshot.session.lifecycle.state = SessionState::attached;
  snapshot.session.lifecycle.transitions.push_back(
      {SessionState::starting, SessionState::attached, WallTime{Millis{5}}, "viewer"});
  snapshot.stream.next_offset = 3;
  snapshot.stream.data = "abc";
  snapshot.stream.viewers = {{.id = 1, .client = "a", .sent = 3, .acked = 3},
                             {.id = 2, .client = "b", .sent = 3, .acked = 3}};
  return to_json(snapshot);
}

TEST(SnapshotJson, AWrongFieldIsRefusedAndNamed) {
  ASSERT_TRUE(snapshot_from_json(good()));
  for (const Wrong& wrong : wrong_values()) {
    json object = good();
    object[json::json_pointer(wrong.pointer)] = wrong.value;
    const auto read = snapshot_from_json(object);
    ASSERT_FALSE(read) << wrong.pointer;
    EXPECT_EQ(read.error().code, Errc::bad_snapshot);
    EXPECT_NE(read.error().detail.find(wrong.named + std::string(": expected ")), std::string::npos)
        << wrong.pointer << " gives: " << read.error().detail;
  }
}

TEST(SnapshotJson, WhateverReplacesAFieldNothingIsThrown) {
  const std::vector<json> values{nullptr,
                                 true,
                                 -1,
                                 0,
                                 1.5,
                                 std::numeric_limits<std::uint64_t>::max(),
                                 "",
                                 "\xff",
                                 json::array({nullptr}),
                                 1e300,
                                 json::object(),
                                 json{{"cols", nullptr}}};
  const json flat = good().flatten();
  for (const auto& [pointer, ignored] : flat.items()) {
    for (const json& value : values) {
      json object = good();
      object[json::json_pointer(pointer)] = value;
      EXPECT_NO_THROW((void)snapshot_from_json(object)) << pointer << " = " << value.type_name();
    }
  }
  for (const json& value : values) EXPECT_FALSE(snapshot_from_json(value));
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

TEST(SnapshotJson, AWrongFieldOfAProjectIsRefusedAndNamed) {
  const std::vector<std::pair<std::string, json>> wrong{{"id", 1},
                                                        {"id", "a b"},
                                                        {"sessions", 1},
                                                        {"sessions", json::array({"a b"})},
                                                        {"focused", json::array({1})},
                                                        {"layout", 1},
                                                        {"nameCounter", -1},
                                                        {"nameCounter", 1LL << 32},
                                                        {"recentCreations", json::array({"x"})},
                                                        {"breakerUntil", 1}};
  for (const auto& [field, value] : wrong) {
    json object{{"id", "p1"}};
    object[field] = value;
    const auto read = project_from_json(object);
    ASSERT_FALSE(read) << field;
    EXPECT_EQ(read.error().detail.rfind(field, 0), 0U) << read.error().detail;
  }
  EXPECT_FALSE(project_from_json(json::object()));
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

TEST(IsoTime, IsWrittenWithMillisecondsAndReadBack) {
  const WallTime time{Millis{1'795'341'600'007}};
  EXPECT_EQ(iso_time(time), "2026-11-22T10:00:00.007Z");
  EXPECT_EQ(*parse_iso_time("2026-11-22T10:00:00.007Z"), time);
  EXPECT_EQ(*parse_iso_time("2026-11-22T10:00:00.0071234Z"), time);
  EXPECT_EQ(*parse_iso_time("2026-11-22T11:30:00.007+01:30"), time);
  EXPECT_EQ(iso_time(*parse_iso_time("1969-12-31T23:59:59Z")), "1969-12-31T23:59:59.000Z");
  EXPECT_EQ(iso_time(WallTime::max()), "9999-12-31T23:59:59.999Z");
}

TEST(IsoTime, WhatIsNoTimeIsRefused) {
  for (const char* text :
       {"", "2026", "2026-11-22", "2026-02-30T10:00:00.000Z", "2026-11-22T24:00:00.000Z",
        "2026-11-22T10:60:00.000Z", "2026-11-22T10:00:00.000", "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00.000Zx", "2026-11-22 10:00:00.000Z", "-026-11-22T10:00:00.000Z",
        "2026-11-22T10:00:00.000+99:00"}) {
    const auto read = parse_iso_time(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::bad_argument);
  }
}

TEST(Base64, EveryLengthComesBack) {
  std::mt19937 random(7);
  for (const std::size_t size :
       {0U, 1U, 2U, 3U, 4U, 57U, 786'431U, 786'432U, 786'433U, 2'000'001U}) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string text = base64_encode(bytes);
    EXPECT_EQ(text.size(), (size + 2) / 3 * 4);
    const auto back = base64_decode(text);
    ASSERT_TRUE(back) << size << ": " << back.error().detail;
    EXPECT_EQ(*back, bytes) << size;
  }
  EXPECT_EQ(base64_encode("foob"), "Zm9vYg==");
}

TEST(Base64, OnlyTheOneSpellingIsAccepted) {
  for (const char* text : {"A", "AA", "AAA", "AA=", "AA==AAAA", "A===", "====", "AB==", "AAB=",
                           "AAAA\n", " AAA", "AA A", "AA-_", "A=AA"}) {
    const auto read = base64_decode(text);
    EXPECT_FALSE(read) << text;
  }
}

}  // namespace
}  // namespace term
