// What stands in the columns of a row; that it comes back is in store_test.cpp.

#include "store/row_codec.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "session/snapshot_json.h"

namespace term::store {
namespace {

using Json = nlohmann::json;

StoredSession sample() {
  StoredSession stored{.owners = {Engine::legacy, Engine::refactored, Engine::legacy},
                       .snapshot = {}};
  SessionRecord& record = stored.snapshot.session;
  record.id = "a-session";
  record.project_id = "a-project";
  record.tab_name = "\xC3\xA9 \\u0000 \"quoted\"";
  record.environment["A"] = "b";
  record.created_at = record.updated_at = WallTime{Millis{1'700'000'000'000}};
  record.lifecycle.transitions.push_back(
      {SessionState::starting, SessionState::attached, record.created_at, "attached"});
  stored.snapshot.stream.next_offset = 5;
  stored.snapshot.stream.data = "bytes";
  stored.snapshot.telemetry.cpu_usage = 1.5;
  stored.snapshot.telemetry.response_time_ms = 100'000;
  return stored;
}

/// The snapshot without its output, and the owners.
Json state_of(const StoredSession& stored) {
  SessionSnapshot snapshot = stored.snapshot;
  snapshot.stream.data.reset();
  Json state = to_json(snapshot);
  state["owners"] = {{"sessions", "legacy"}, {"streams", "refactored"}, {"telemetry", "legacy"}};
  return state;
}

TEST(RowCodec, TheStateIsTheSnapshotWithItsOwners) {
  const StoredSession stored = sample();
  EXPECT_EQ(Json::parse(to_refactored(stored, std::nullopt).state), state_of(stored));
  EXPECT_EQ(Json::parse(to_legacy(stored, std::nullopt).metadata),
            Json({{"v2", state_of(stored)}}));
}

TEST(RowCodec, WhatOthersKeepInTheMetadataStaysBesideTheState) {
  StoredSession stored = sample();
  stored.snapshot.session.metadata = R"({"theirs":1.5})";
  const Json metadata = Json::parse(to_legacy(stored, std::nullopt).metadata);
  EXPECT_EQ(metadata, Json({{"theirs", 1.5}, {"v2", state_of(stored)}}));
}

TEST(RowCodec, WhatJsonbWouldChangeGoesAlongAsText) {
  const auto expect_exact = [](auto change) {
    StoredSession stored = sample();
    change(stored.snapshot);
    const Json state = Json::parse(to_refactored(stored, std::nullopt).state);
    ASSERT_TRUE(state.contains("exact")) << state;
    EXPECT_EQ(Json::parse(state["exact"].get<std::string>()), state_of(stored));
    EXPECT_EQ(state.dump().find("\\u0000\""), std::string::npos) << "jsonb refuses it";
  };
  expect_exact([](SessionSnapshot& some) { some.session.tab_name = std::string(1, '\0'); });
  expect_exact([](SessionSnapshot& some) { some.session.metadata = R"({"n":1e+20})"; });
}

}  // namespace
}  // namespace term::store
