// orchestrator: windows and gaps, backpressure, input numbering, the breaker; and that it moves.

#include "legacy/orchestrator.h"

#include <gtest/gtest.h>

#include "session/input_clients.h"
#include "support.h"

namespace term::legacy {
namespace {

using namespace std::chrono_literals;

class OrchestratorTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(streams_.create("s1", {.rows = 24, .cols = 80}, 0)); }

  /// The pty prints `n` bytes and the ring keeps the newest `ring`.
  void print(std::size_t n, std::size_t ring = 1000) {
    const std::string bytes(n, 'x');
    const Offset end = end_ + n;
    streams_.output("s1", end_, bytes, end > ring ? end - ring : 0);
    end_ = end;
  }
  void attach(ViewerId id, ViewerState state = {}) {
    state.id = id;
    if (state.client.empty()) state.client = "c" + std::to_string(id);
    if (state.window == 0) state.window = 100;
    ASSERT_TRUE(streams_.attach("s1", state));
  }
  std::size_t budget(bool contended = false) { return streams_.read_budget("s1", contended); }
  Delivery next(ViewerId id, std::size_t max = 10'000) {
    return streams_.next_delivery("s1", id, max);
  }
  ViewerState viewer(ViewerId id) {
    const StreamRecord record = *streams_.export_session("s1");
    return *std::ranges::find(record.viewers, id, &ViewerState::id);
  }

  FakeClock time_;
  EventBus bus_;
  StreamLimits limits_{
      .turn_bytes = 64, .shared_turn_bytes = 8, .breaker_failures = 3, .breaker_reset = 30s};
  Orchestrator streams_{time_.clock(), bus_, limits_};
  Offset end_ = 0;
};

TEST_F(OrchestratorTest, WithNobodyWatchingThePumpGoesOn) {
  print(5000);
  EXPECT_EQ(budget(), 64u);
  EXPECT_EQ(budget(true), 8u);
}

TEST_F(OrchestratorTest, ThePumpStopsOnlyWhenEveryViewerIsFull) {
  attach(1, {.acks = true});
  attach(2);
  print(99);
  EXPECT_EQ(budget(), 64u);
  print(1);
  EXPECT_EQ(budget(), 0u);
  streams_.sent("s1", 2, 1);
  EXPECT_EQ(budget(), 64u) << "one that has room is enough";
  streams_.detach("s1", 2);
  EXPECT_EQ(budget(), 0u);
  streams_.sent("s1", 1, 100);
  EXPECT_EQ(budget(), 0u) << "sent is not parsed";
  ASSERT_TRUE(streams_.acked("s1", 1, 1));
  EXPECT_EQ(budget(), 64u);
}

TEST_F(OrchestratorTest, AnExemptViewersWindowDoesNotCount) {
  attach(1, {.acks = true});
  attach(2, {.acks = true});
  print(100);
  streams_.set_exempt("s1", 1, true);
  EXPECT_EQ(budget(), 0u) << "the other one is still full";
  streams_.set_exempt("s1", 2, true);
  EXPECT_EQ(budget(), 64u) << "with all exempt reading goes on";
  print(100);
  EXPECT_EQ(next(1).end, 200u) << "and so does delivery, beyond the window";
  streams_.set_exempt("s1", 1, false);
  EXPECT_EQ(next(1).end, 100u);
}

TEST_F(OrchestratorTest, DeliversOnFromWhatWasSentWithinTheWindow) {
  attach(1, {.acks = true});
  print(250);
  EXPECT_EQ(next(1, 30).end, 30u);
  streams_.sent("s1", 1, 30);
  EXPECT_EQ(next(1).first, 30u);
  EXPECT_EQ(next(1).end, 100u);
  streams_.sent("s1", 1, 100);
  EXPECT_EQ(next(1).first, next(1).end);
  ASSERT_TRUE(streams_.acked("s1", 1, 60));
  EXPECT_EQ(next(1).end, 160u);
}

TEST_F(OrchestratorTest, AViewerWithoutAcknowledgementsIsBoundByTheSocketOnly) {
  attach(1);
  print(250);
  EXPECT_EQ(next(1).end, 250u);
  streams_.sent("s1", 1, 250);
  EXPECT_EQ(viewer(1).acked, 250u);
}

TEST_F(OrchestratorTest, WhoFallsOutOfTheRingIsToldOfTheGapOnce) {
  attach(1);
  print(50);
  streams_.sent("s1", 1, 50);
  print(2000);
  const Delivery gap = next(1, 10);
  EXPECT_EQ(gap.gap_from, Offset{50});
  EXPECT_EQ(gap.first, 1050u);
  EXPECT_EQ(gap.end, 1060u);
  EXPECT_EQ(next(1, 10).gap_from, Offset{50}) << "asking alone changes nothing";
  streams_.sent("s1", 1, 1060);
  EXPECT_FALSE(next(1).gap_from);
  EXPECT_EQ(next(1).first, 1060u);
}

TEST_F(OrchestratorTest, BehindAGapAnAcknowledgingViewersWindowBeginsAnew) {
  attach(1, {.acks = true});
  print(50);
  streams_.sent("s1", 1, 50);  // Never acknowledged: the page was asleep.
  print(2000);
  const Delivery gap = next(1);
  EXPECT_EQ(gap.first, 1050u);
  EXPECT_EQ(gap.end, 1100u) << "50 are in flight already";
  streams_.sent("s1", 1, gap.end);
  EXPECT_GT(next(1).end, next(1).first) << "what it never got it cannot acknowledge";
  ASSERT_TRUE(streams_.acked("s1", 1, 50)) << "late, but not wrong";
  ASSERT_TRUE(streams_.acked("s1", 1, 1100));
  streams_.sent("s1", 1, 1200);
  EXPECT_EQ(viewer(1).acked, 1100u);
}

TEST_F(OrchestratorTest, ADrainingViewerAlwaysGetsToTheEnd) {
  attach(1, {.acks = true});
  print(3000);
  Offset seen = 0;
  for (int turn = 0; turn < 100 && seen < end_; ++turn) {
    const Delivery delivery = next(1, 64);
    ASSERT_LT(delivery.first, delivery.end);
    EXPECT_LE(delivery.end - delivery.first, 64u);
    streams_.sent("s1", 1, delivery.end);
    ASSERT_TRUE(streams_.acked("s1", 1, delivery.end));
    seen = delivery.end;
  }
  EXPECT_EQ(seen, end_);
  EXPECT_EQ(budget(), 64u);
}

TEST_F(OrchestratorTest, OffsetsThatCannotBeAreRefusedAndChangeNothing) {
  print(10);
  EXPECT_EQ(streams_.attach("s1", {.id = 1, .sent = 11}).error().code, Errc::bad_argument);
  EXPECT_EQ(streams_.attach("s1", {.id = 1, .sent = 5, .acked = 6, .acks = true}).error().code,
            Errc::bad_argument);
  EXPECT_EQ(streams_.attach("s2", {.id = 1}).error().code, Errc::no_such_session);
  attach(1, {.acks = true});
  streams_.sent("s1", 1, 5);
  EXPECT_EQ(streams_.acked("s1", 1, 6).error().code, Errc::bad_argument);
  EXPECT_EQ(viewer(1).acked, 0u);
  streams_.sent("s1", 1, 9999);
  EXPECT_EQ(viewer(1).sent, 10u) << "nobody was sent what was never printed";
}

TEST_F(OrchestratorTest, InputIsTakenOnceAndInOrder) {
  attach(1);
  auto verdict = streams_.input("s1", 1, 0, 10, 6);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->take, 6u) << "as much as there is room for";
  verdict = streams_.input("s1", 1, 0, 10, 100);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->skip, 6u);
  EXPECT_EQ(verdict->take, 4u);
  verdict = streams_.input("s1", 1, 2, 5, 100);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->skip, 5u);
  EXPECT_EQ(verdict->take, 0u);
  EXPECT_EQ(streams_.input_offsets("s1", "c1"), (InputOffsets{.accepted = 10, .written = 0}));

  const auto hole = streams_.input("s1", 1, 12, 1, 100);
  ASSERT_FALSE(hole);
  EXPECT_EQ(hole.error().code, Errc::bad_argument);
  EXPECT_NE(hole.error().detail.find("12"), std::string::npos);
  EXPECT_NE(hole.error().detail.find("10"), std::string::npos);

  streams_.input_written("s1", "c1", 7);
  streams_.input_written("s1", "c1", 3);
  EXPECT_EQ(streams_.input_offsets("s1", "c1").written, 7u);
  streams_.input_written("s1", "c1", 99);
  EXPECT_EQ(streams_.input_offsets("s1", "c1").written, 10u);
}

TEST_F(OrchestratorTest, AWatcherMayNeitherTypeNorResize) {
  attach(1, {.role = ViewerRole::viewer});
  EXPECT_EQ(streams_.input("s1", 1, 0, 1, 10).error().code, Errc::not_permitted);
  EXPECT_EQ(streams_.resize("s1", 1, {.rows = 9, .cols = 9}).error().code, Errc::not_permitted);
  EXPECT_EQ(streams_.input("s1", 7, 0, 1, 10).error().code, Errc::bad_argument);
}

TEST_F(OrchestratorTest, TheSizeIsThatOfTheWriterWhoTypedOrResizedLast) {
  attach(1);
  attach(2);
  const WindowSize small{.rows = 10, .cols = 40};
  const WindowSize large{.rows = 50, .cols = 200};
  EXPECT_EQ(*streams_.resize("s1", 1, small), small);
  EXPECT_EQ(*streams_.resize("s1", 2, large), large);
  EXPECT_EQ(*streams_.resize("s1", 2, large), std::nullopt) << "it is that size already";
  EXPECT_EQ(streams_.input("s1", 1, 0, 1, 10)->resize, small);
  EXPECT_EQ(streams_.input("s1", 1, 1, 1, 10)->resize, std::nullopt);
  EXPECT_EQ(streams_.input("s1", 2, 0, 1, 10)->resize, large);
  EXPECT_EQ(streams_.resize("s1", 1, {.rows = 0, .cols = 80}).error().code, Errc::bad_argument);
  EXPECT_EQ(streams_.resize("s1", WindowSize{.rows = 24, .cols = 1001}).error().code,
            Errc::bad_argument);
  EXPECT_EQ(*streams_.resize("s1", WindowSize{.rows = 24, .cols = 80}),
            (WindowSize{.rows = 24, .cols = 80}));
}

TEST_F(OrchestratorTest, InputIsWrittenOnlyWhileTheShellIsThereAndNotSuspended) {
  EXPECT_FALSE(streams_.may_write("s1"));
  ASSERT_TRUE(streams_.opened("s1", 42));
  EXPECT_TRUE(streams_.may_write("s1"));
  ASSERT_TRUE(streams_.set_suspended("s1", true));
  EXPECT_FALSE(streams_.may_write("s1"));
  ASSERT_TRUE(streams_.set_suspended("s1", false));
  ASSERT_TRUE(streams_.exited("s1", {.code = 7}));
  EXPECT_FALSE(streams_.may_write("s1"));
  EXPECT_FALSE(streams_.may_write("nobody"));
}

TEST_F(OrchestratorTest, NumberingOfClientsThatWillNotComeBackIsForgotten) {
  for (ViewerId id = 1; id <= 2 * kMaxInputClients; ++id) {
    attach(id);
    ASSERT_TRUE(streams_.input("s1", id, 0, 3, 10));
    if (id == 1) continue;  // Its input waits.
    streams_.input_written("s1", "c" + std::to_string(id), 3);
    if (id != 2) streams_.detach("s1", id);
  }
  EXPECT_LE(streams_.export_session("s1")->input.size(), kMaxInputClients);
  EXPECT_EQ(streams_.input_offsets("s1", "c1").accepted, 3u);
  EXPECT_EQ(streams_.input_offsets("s1", "c2").accepted, 3u);
}

TEST_F(OrchestratorTest, ASessionMovesAsItIs) {
  attach(1, {.acks = true, .wanted = WindowSize{.rows = 30, .cols = 90}});
  attach(9, {.role = ViewerRole::viewer, .exempt = true});
  print(2000);
  streams_.sent("s1", 1, 1100);
  ASSERT_TRUE(streams_.input("s1", 1, 0, 5, 10));
  ASSERT_TRUE(streams_.opened("s1", 42));
  ASSERT_TRUE(streams_.set_suspended("s1", true));
  const StreamRecord moved = *streams_.export_session("s1");
  EXPECT_EQ(moved.first_offset, 1000u);
  EXPECT_EQ(moved.next_offset, 2000u);
  EXPECT_FALSE(moved.data);

  Orchestrator other(time_.clock(), bus_, limits_);
  time_.advance(1h);
  ASSERT_TRUE(other.import_session("s1", moved));
  EXPECT_EQ(*other.export_session("s1"), moved);
  EXPECT_EQ(other.import_session("s1", moved).error().code, Errc::session_exists);
  ASSERT_TRUE(streams_.release("s1"));
  EXPECT_EQ(streams_.release("s1").error().code, Errc::no_such_session);
  EXPECT_EQ(streams_.export_session("s1").error().code, Errc::no_such_session);
}

TEST_F(OrchestratorTest, ARecordThatContradictsItselfIsRefused) {
  const auto refused = [this](const StreamRecord& record) {
    return streams_.import_session("s2", record).error().code == Errc::bad_snapshot;
  };
  EXPECT_TRUE(refused({.first_offset = 2, .next_offset = 1}));
  EXPECT_TRUE(refused({.next_offset = 1, .data = "x"}));
  EXPECT_TRUE(refused({.input = {{"c", {.accepted = 1, .written = 2}}}}));
  EXPECT_TRUE(refused({.viewers = {{.id = 1, .sent = 1}}}));
  EXPECT_TRUE(refused({.next_offset = 9, .viewers = {{.id = 2}, {.id = 1}}}));
  EXPECT_TRUE(refused({.window = {.rows = 0, .cols = 1}}));
  EXPECT_TRUE(streams_.import_session("s2", {}));
}

TEST_F(OrchestratorTest, TheBreakerOpensAfterFailuresInARowAndTriesOnceMore) {
  streams_.start_result(false);
  streams_.start_result(false);
  streams_.start_result(true);
  streams_.start_result(false);
  streams_.start_result(false);
  EXPECT_TRUE(streams_.may_start());
  EXPECT_TRUE(streams_.health()[0].healthy);
  streams_.start_result(false);
  time_.advance(10s);
  const auto refused = streams_.may_start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::breaker_open);
  EXPECT_EQ(refused.error().retry_after, Millis{20s});
  EXPECT_EQ(streams_.health()[0].module, "orchestrator");
  EXPECT_FALSE(streams_.health()[0].healthy);

  time_.advance(20s);
  EXPECT_TRUE(streams_.may_start());
  EXPECT_TRUE(streams_.may_start()) << "asking changes nothing";
  streams_.start_result(false);
  EXPECT_FALSE(streams_.may_start()) << "one failure is enough now";
  time_.advance(30s);
  streams_.start_result(true);
  EXPECT_TRUE(streams_.may_start());
  EXPECT_TRUE(streams_.health()[0].healthy);
}

TEST_F(OrchestratorTest, HealthNoticesOutputThatDoesNotFollowOn) {
  print(10);
  EXPECT_TRUE(streams_.health()[0].healthy);
  streams_.output("s1", 5, std::string("12345"), 0);
  EXPECT_FALSE(streams_.health()[0].healthy);
  EXPECT_EQ(streams_.export_session("s1")->next_offset, 10u) << "no offset is given out twice";
  ASSERT_TRUE(streams_.close("s1"));
  EXPECT_TRUE(streams_.health()[0].healthy);
}

}  // namespace
}  // namespace term::legacy
