#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "session/json_fields.h"
#include "session/snapshot_json.h"

namespace term {
namespace {

using nlohmann::json;

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
      {"/output/nextOffset", kMaxJsonInteger + 1, "output.nextOffset"},
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

TEST(SnapshotJsonRefusal, AWrongFieldIsRefusedAndNamed) {
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

TEST(SnapshotJsonRefusal, WhateverReplacesAFieldNothingIsThrown) {
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

TEST(SnapshotJsonRefusal, AWrongFieldOfAProjectIsRefusedAndNamed) {
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

}  // namespace
}  // namespace term
