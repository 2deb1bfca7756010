// memory pool: objects are used again, belong to one session at a time, and leak nothing.

#include "legacy/memory_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "support.h"

namespace term::legacy {
namespace {

class MemoryPoolTest : public testing::Test {
 protected:
  static SessionRecord record(const SessionId& id) {
    return {.id = id,
            .shell = "/bin/" + id,
            .args = {"-l", id},
            .current_path = "/home/" + id,
            .environment = {{"SECRET", id}},
            .window = {.rows = 50, .cols = 132},
            .layout_position = 3,
            .metadata = R"({"of":")" + id + R"("})"};
  }

  EventBus bus_;
  MemoryPool pool_{bus_};
};

TEST_F(MemoryPoolTest, FollowsSessionsByTheirEvents) {
  const SessionRecord fresh = record("s1");
  bus_.session_created.publish({.record = fresh});
  SessionRecord described{.id = "s1"};
  pool_.describe("s1", described);
  EXPECT_EQ(described, fresh);
  bus_.session_closed.publish({.id = fresh.id, .reason = "exit"});
  EXPECT_EQ(pool_.get_session("s1"), nullptr);
  EXPECT_EQ(pool_.stats().recycled_available, 1u);
}

TEST_F(MemoryPoolTest, ARecycledObjectShowsNothingOfItsLastSession) {
  PooledSession* first = &pool_.allocate_session(record("s1"));
  pool_.deallocate_session("s1");
  PooledSession& second = pool_.allocate_session({.id = "s2"});
  EXPECT_EQ(first, &second) << "the object is used again";
  SessionRecord described{.id = "s2"};
  pool_.describe("s2", described);
  EXPECT_EQ(described, (SessionRecord{.id = "s2"}));
  EXPECT_EQ(pool_.stats().pool_hits, 1u);
  EXPECT_EQ(pool_.stats().pool_misses, 1u);
}

TEST_F(MemoryPoolTest, NoTwoSessionsEverShareAnObject) {
  for (int round = 0; round < 5; ++round) {
    std::set<const void*> objects;
    for (int i = 0; i < 60; ++i) {
      objects.insert(&pool_.allocate_session(record("s" + std::to_string(i))));
    }
    EXPECT_EQ(objects.size(), 60u);
    for (int i = 0; i < 60; ++i) {
      const SessionId id = "s" + std::to_string(i);
      EXPECT_EQ(pool_.get_session(id)->current_path, "/home/" + id);
      pool_.deallocate_session(id);
      pool_.deallocate_session(id);  // Twice gives it back once.
    }
    EXPECT_EQ(pool_.stats().recycled_available, MemoryPool::kMaxRecycled);
  }
}

TEST_F(MemoryPoolTest, HealthNoticesAnObjectWithTheWrongOwner) {
  pool_.allocate_session(record("s1"));
  const std::vector<SessionStatus> memory{{"s1", MemoryStatus::active}};
  EXPECT_TRUE(pool_.health(memory).healthy);
  pool_.get_session("s1")->id = "s2";
  EXPECT_FALSE(pool_.health(memory).healthy);
}

TEST_F(MemoryPoolTest, HealthNoticesSessionsAndObjectsThatDoNotMatch) {
  pool_.allocate_session(record("s1"));
  EXPECT_FALSE(pool_.health({}).healthy);
  const std::vector<SessionStatus> memory{{"s1", MemoryStatus::active},
                                          {"s2", MemoryStatus::active}};
  EXPECT_FALSE(pool_.health(memory).healthy);
}

}  // namespace
}  // namespace term::legacy
