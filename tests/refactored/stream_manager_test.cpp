#include "refactored/stream_manager.h"

#include <gmock/gmock.h>

#include "support/fake_time.h"

namespace term::refactored {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class StreamManagerTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(manager_.create("s1", {}, 0)); }

  void print(Offset first, std::size_t n, Offset ring_first = 0) {
    manager_.output("s1", first, std::string(n, 'x'), ring_first);
  }
  StreamRecord record() const { return *manager_.export_session("s1"); }
  ModuleHealth health() const {
    EXPECT_EQ(manager_.health().size(), 1U);
    return manager_.health().front();
  }

  FakeTime time_;
  StreamManager manager_{time_.clock(), {.breaker_failures = 2, .breaker_reset = 10s}};
};

TEST_F(StreamManagerTest, IsHealthyWhileItsStreamsAgreeWithThemselves) {
  print(0, 10);
  EXPECT_EQ(health().module, "StreamManager");
  EXPECT_TRUE(health().healthy);
}

TEST_F(StreamManagerTest, SaysWhenTheBreakerIsOpenAndNoMoreWhenItIsHalfOpen) {
  manager_.start_result(false);
  EXPECT_TRUE(health().healthy);
  manager_.start_result(false);
  EXPECT_FALSE(health().healthy);
  EXPECT_THAT(health().detail, HasSubstr("2 times in a row"));
  time_.advance(10s);
  EXPECT_TRUE(health().healthy);
}

TEST_F(StreamManagerTest, SaysWhenOutputDoesNotFollowOn) {
  print(0, 10);
  print(15, 10);
  EXPECT_FALSE(health().healthy);
  EXPECT_THAT(health().detail, HasSubstr("s1"));
  EXPECT_THAT(health().detail, HasSubstr("15"));
  ASSERT_TRUE(manager_.close("s1"));
  EXPECT_TRUE(health().healthy);
}

TEST_F(StreamManagerTest, OffsetsAreNeverGivenTwice) {
  print(0, 100);
  print(20, 10);
  EXPECT_EQ(record().next_offset, 100U);
  EXPECT_FALSE(health().healthy);
}

TEST_F(StreamManagerTest, AShrunkenRingCanBeToldWithoutOutput) {
  print(0, 100);
  print(100, 0, 60);
  EXPECT_EQ(record().first_offset, 60U);
  EXPECT_TRUE(health().healthy);
}

TEST_F(StreamManagerTest, AFailureUnderWayDoesNotKeepTheBreakerOpenForLonger) {
  manager_.start_result(false);
  manager_.start_result(false);
  time_.advance(9s);
  manager_.start_result(false);
  time_.advance(1s);
  EXPECT_TRUE(manager_.may_start());
}

TEST_F(StreamManagerTest, ItTakesNoBytes) {
  StreamRecord bytes = record();
  bytes.data = "";
  const auto refused = manager_.import_session("s2", bytes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_snapshot);
  EXPECT_THAT(refused.error().detail, HasSubstr("output.data"));
}

TEST_F(StreamManagerTest, AFullViewerThatFellBehindWaitsForItsAckAndIsToldThen) {
  ViewerState viewer{.id = 1, .client = "tab", .window = 100, .acks = true};
  ASSERT_TRUE(manager_.attach("s1", viewer));
  print(0, 100);
  manager_.sent("s1", 1, 100);
  print(100, 900, 800);
  Delivery d = manager_.next_delivery("s1", 1, 1000);
  EXPECT_EQ(d.first, d.end);
  EXPECT_EQ(d.gap_from, std::nullopt) << "nothing could follow a gap told now";
  ASSERT_TRUE(manager_.acked("s1", 1, 70));
  d = manager_.next_delivery("s1", 1, 1000);
  EXPECT_EQ(d.gap_from, 100U);
  EXPECT_EQ(d.first, 800U);
  EXPECT_EQ(d.end, 870U);
}

TEST_F(StreamManagerTest, ASecondAttachReplacesTheFirst) {
  ASSERT_TRUE(manager_.attach("s1", {.id = 1, .client = "a", .window = 10}));
  ASSERT_TRUE(manager_.attach("s1", {.id = 1, .client = "b", .window = 10}));
  ASSERT_EQ(record().viewers.size(), 1U);
  EXPECT_EQ(record().viewers[0].client, "b");
}

TEST_F(StreamManagerTest, AnAttachMayNotClaimMoreThanItWasSent) {
  print(0, 10);
  ViewerState viewer{.id = 1, .sent = 5, .acked = 6, .acks = true};
  EXPECT_EQ(manager_.attach("s1", viewer).error().code, Errc::bad_argument);
  viewer.acked = 5;
  viewer.wanted = WindowSize{0, 0};
  EXPECT_EQ(manager_.attach("s1", viewer).error().code, Errc::bad_argument);
}

TEST_F(StreamManagerTest, WrittenInputNeverPassesWhatWasAccepted) {
  ASSERT_TRUE(manager_.attach("s1", {.id = 1, .client = "tab"}));
  ASSERT_TRUE(manager_.input("s1", 1, 0, 10, 100));
  manager_.input_written("s1", "tab", 8);
  manager_.input_written("s1", "tab", 5);
  EXPECT_EQ(manager_.input_offsets("s1", "tab"), (InputOffsets{10, 8}));
  manager_.input_written("s1", "tab", 99);
  EXPECT_EQ(manager_.input_offsets("s1", "tab"), (InputOffsets{10, 10}));
  manager_.input_written("s1", "stranger", 99);
  EXPECT_EQ(record().input.size(), 1U);
}

TEST_F(StreamManagerTest, ASecondShellForgetsHowTheFirstEnded) {
  ASSERT_TRUE(manager_.opened("s1", 1));
  ASSERT_TRUE(manager_.exited("s1", {.code = 0}));
  ASSERT_TRUE(manager_.opened("s1", 2));
  EXPECT_EQ(record().exit, std::nullopt);
  EXPECT_EQ(record().pid, 2);
  EXPECT_TRUE(manager_.may_write("s1"));
}

}  // namespace
}  // namespace term::refactored
