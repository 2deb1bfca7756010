#include <gmock/gmock.h>

#include "contract/engines.h"

namespace term::contract {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr StreamLimits kLimits{.viewer_window = 1000,
                               .turn_bytes = 640,
                               .shared_turn_bytes = 80,
                               .breaker_failures = 3,
                               .breaker_reset = 30s};

class StreamContract : public EngineTest {
 protected:
  void SetUp() override {
    restart({}, kLimits);
    ASSERT_TRUE(streams().create("s1", {}, 0));
    ASSERT_TRUE(streams().opened("s1", 42));
  }

  /// The shell prints n bytes into a ring of `ring` bytes.
  void print(std::size_t n, std::size_t ring = 1U << 20U) {
    const std::string bytes(n, 'x');
    const Offset first = record().next_offset;
    const Offset end = first + n;
    streams().output("s1", first, bytes, end > ring ? end - ring : 0);
  }
  StreamRecord record(const SessionId& id = "s1") {
    auto exported = streams().export_session(id);
    EXPECT_TRUE(exported);
    return exported ? *exported : StreamRecord{};
  }
  void attach(ViewerState viewer) {
    auto attached = streams().attach("s1", viewer);
    ASSERT_TRUE(attached) << attached.error().detail;
  }
  ViewerState viewer(ViewerId id) {
    for (const auto& one : record().viewers) {
      if (one.id == id) return one;
    }
    ADD_FAILURE() << "no viewer " << id;
    return {};
  }
  std::size_t budget() { return streams().read_budget("s1", false); }
  Delivery next(ViewerId id, std::size_t max = 1U << 20U) {
    return streams().next_delivery("s1", id, max);
  }
  /// Delivers all that may be delivered; returns how much.
  std::size_t drain(ViewerId id, std::size_t max = 1U << 20U) {
    std::size_t total = 0;
    for (Delivery d = next(id, max); d.first < d.end; d = next(id, max)) {
      total += d.end - d.first;
      streams().sent("s1", id, d.end);
    }
    return total;
  }
};

ViewerState acking(ViewerId id, Offset from = 0) {
  return {.id = id,
          .client = "tab" + std::to_string(id),
          .dialect = "native",
          .sent = from,
          .acked = from,
          .window = 1000,
          .acks = true};
}

ViewerState plain(ViewerId id, Offset from = 0) {
  ViewerState viewer = acking(id, from);
  viewer.dialect = "raw";
  viewer.acks = false;
  return viewer;
}

TEST_P(StreamContract, ANewStreamIsEmptyWhereItStarts) {
  ASSERT_TRUE(streams().create("s2", {.rows = 30, .cols = 100}, 500));
  StreamRecord expected{
      .first_offset = 500, .next_offset = 500, .window = {.rows = 30, .cols = 100}};
  EXPECT_EQ(record("s2"), expected);
  EXPECT_EQ(streams().create("s2", {}, 0).error().code, Errc::session_exists);
  EXPECT_EQ(record("s2"), expected);
}

TEST_P(StreamContract, AnUnknownIdIsNamedByEveryCallAndDoesNoHarm) {
  const auto expect_unknown = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::no_such_session);
    EXPECT_THAT(result.error().detail, HasSubstr("nobody"));
  };
  expect_unknown(streams().opened("nobody", 1));
  expect_unknown(streams().exited("nobody", {}));
  expect_unknown(streams().close("nobody"));
  expect_unknown(streams().attach("nobody", plain(1)));
  expect_unknown(streams().acked("nobody", 1, 0));
  expect_unknown(streams().input("nobody", 1, 0, 1, 1));
  expect_unknown(streams().set_suspended("nobody", true));
  expect_unknown(streams().resize("nobody", 1, WindowSize{}));
  expect_unknown(streams().resize("nobody", WindowSize{}));
  expect_unknown(streams().export_session("nobody"));
  expect_unknown(streams().release("nobody"));
  streams().output("nobody", 0, {}, 0);
  streams().detach("nobody", 1);
  streams().sent("nobody", 1, 1);
  streams().set_exempt("nobody", 1, true);
  streams().input_written("nobody", "tab", 1);
  const Delivery none = streams().next_delivery("nobody", 1, 100);
  EXPECT_EQ(none.first, none.end);
  EXPECT_FALSE(streams().may_write("nobody"));
  EXPECT_EQ(streams().input_offsets("nobody", "tab"), InputOffsets{});
}

TEST_P(StreamContract, WithNobodyWatchingThePumpGoesOn) {
  EXPECT_EQ(budget(), kLimits.turn_bytes);
  print(5000);
  EXPECT_EQ(budget(), kLimits.turn_bytes);
  EXPECT_EQ(streams().read_budget("s1", true), kLimits.shared_turn_bytes);
  EXPECT_EQ(record().next_offset, 5000U);
}

TEST_P(StreamContract, OutputIsDeliveredInOrderAndOnce) {
  attach(plain(7));
  print(100);
  Delivery d = next(7, 60);
  EXPECT_EQ(d.first, 0U);
  EXPECT_EQ(d.end, 60U);
  EXPECT_EQ(d.gap_from, std::nullopt);
  EXPECT_EQ(next(7, 60).first, 0U) << "only sent() moves a viewer";
  streams().sent("s1", 7, 60);
  d = next(7, 60);
  EXPECT_EQ(d.first, 60U);
  EXPECT_EQ(d.end, 100U);
  streams().sent("s1", 7, 100);
  d = next(7, 60);
  EXPECT_EQ(d.first, d.end);
  EXPECT_EQ(d.gap_from, std::nullopt);
}

TEST_P(StreamContract, AViewerStartsWhereItSaysAndNotBeyondTheEnd) {
  print(100);
  attach(plain(1, 100));
  const auto refused = streams().attach("s1", plain(2, 101));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_argument);
  EXPECT_THAT(refused.error().detail, HasSubstr("101"));
  EXPECT_EQ(record().viewers.size(), 1U);
}

TEST_P(StreamContract, ViewersAreKeptInOrderOfTheirIds) {
  attach(plain(5));
  attach(plain(2));
  attach(plain(9));
  ASSERT_EQ(record().viewers.size(), 3U);
  EXPECT_EQ(record().viewers[0].id, 2U);
  EXPECT_EQ(record().viewers[2].id, 9U);
  streams().detach("s1", 5);
  streams().detach("s1", 5);
  EXPECT_EQ(record().viewers.size(), 2U);
}

TEST_P(StreamContract, AFullViewerHoldsThePumpUntilItTakesSomething) {
  attach(plain(1));
  print(999);
  EXPECT_NE(budget(), 0U);
  print(1);
  EXPECT_EQ(budget(), 0U);
  streams().sent("s1", 1, 1);
  EXPECT_EQ(viewer(1).acked, 1U) << "a dialect without acks acknowledges by taking";
  EXPECT_NE(budget(), 0U);
}

TEST_P(StreamContract, WhereADialectAcknowledgesOnlyTheAckMakesRoom) {
  attach(acking(1));
  print(1000);
  EXPECT_EQ(drain(1), 1000U);
  EXPECT_EQ(budget(), 0U);
  ASSERT_TRUE(streams().acked("s1", 1, 300));
  EXPECT_EQ(viewer(1).acked, 300U);
  EXPECT_NE(budget(), 0U);
  ASSERT_TRUE(streams().acked("s1", 1, 200)) << "an old acknowledgement is no error";
  EXPECT_EQ(viewer(1).acked, 300U);
}

TEST_P(StreamContract, AnAckBeyondWhatWasSentIsRefusedAndChangesNothing) {
  attach(acking(1));
  print(100);
  streams().sent("s1", 1, 50);
  const auto refused = streams().acked("s1", 1, 51);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_argument);
  EXPECT_EQ(viewer(1).acked, 0U);
  EXPECT_EQ(viewer(1).sent, 50U);
}

TEST_P(StreamContract, OneViewerWithRoomIsEnoughToGoOn) {
  attach(plain(1));
  attach(plain(2));
  print(1000);
  EXPECT_EQ(budget(), 0U);
  streams().sent("s1", 2, 1000);
  EXPECT_NE(budget(), 0U);
  streams().detach("s1", 2);
  EXPECT_EQ(budget(), 0U);
  streams().detach("s1", 1);
  EXPECT_NE(budget(), 0U);
}

TEST_P(StreamContract, AnExemptViewerNeitherHoldsBackNorHelps) {
  attach(acking(1));
  print(1000);
  EXPECT_EQ(drain(1), 1000U);
  EXPECT_EQ(budget(), 0U);
  streams().set_exempt("s1", 1, true);
  EXPECT_NE(budget(), 0U) << "all are exempt";
  print(3000);
  EXPECT_EQ(next(1, 2500).end - next(1, 2500).first, 2500U) << "limited by max only";
  attach(acking(2));
  EXPECT_EQ(budget(), 0U) << "the other one is full, and only it counts";
  streams().set_exempt("s1", 1, false);
  EXPECT_EQ(budget(), 0U);
}

TEST_P(StreamContract, AnAckingViewerNeverGetsMoreThanItsWindow) {
  attach(acking(1));
  print(5000);
  EXPECT_EQ(drain(1, 300), 1000U);
  ASSERT_TRUE(streams().acked("s1", 1, 250));
  EXPECT_EQ(drain(1, 300), 250U);
  EXPECT_EQ(viewer(1).sent - viewer(1).acked, 1000U);
}

TEST_P(StreamContract, AViewerThatFellOutOfTheRingIsTold) {
  attach(plain(1));
  print(100, 50);
  const Delivery d = next(1, 20);
  ASSERT_TRUE(d.gap_from);
  EXPECT_EQ(*d.gap_from, 0U);
  EXPECT_EQ(d.first, 50U);
  EXPECT_EQ(d.end, 70U);
  EXPECT_EQ(viewer(1).sent, 0U) << "only sent() moves a viewer";
  streams().sent("s1", 1, 70);
  EXPECT_EQ(next(1).gap_from, std::nullopt);
  EXPECT_EQ(next(1).first, 70U);
  EXPECT_EQ(record().first_offset, 50U);
}

TEST_P(StreamContract, WhatAViewerNeverGotDoesNotFillItsWindow) {
  attach(acking(1));
  attach(plain(2));
  print(400);
  EXPECT_EQ(drain(1), 400U);
  for (int i = 0; i < 10; ++i) {
    print(1000, 2000);
    drain(2);
  }
  // 10,400 bytes were printed, the ring holds 2,000; 400 of the window are still on their way.
  const Delivery d = next(1);
  EXPECT_EQ(d.gap_from, 400U);
  EXPECT_EQ(d.first, 8400U);
  EXPECT_EQ(d.end, 9000U);
  streams().sent("s1", 1, d.end);
  EXPECT_LE(viewer(1).sent - viewer(1).acked, 1000U);
  const auto more = drain(1);
  EXPECT_GE(more, 400U) << "else it waits for an ack that never comes";
  EXPECT_LE(viewer(1).sent - viewer(1).acked, 1000U);
  ASSERT_TRUE(streams().acked("s1", 1, 400)) << "of what came before the gap";
  ASSERT_TRUE(streams().acked("s1", 1, viewer(1).sent));
  EXPECT_GT(drain(1), 0U);
}

TEST_P(StreamContract, AWindowOfZeroTakesTheDefault) {
  ViewerState viewer = plain(1);
  viewer.window = 0;
  attach(viewer);
  EXPECT_EQ(record().viewers.at(0).window, kLimits.viewer_window);
  EXPECT_NE(budget(), 0U);
}

TEST_P(StreamContract, OutputGoesOnWhileSuspended) {
  ASSERT_TRUE(streams().set_suspended("s1", true));
  attach(plain(1));
  EXPECT_NE(budget(), 0U);
  print(10);
  EXPECT_EQ(drain(1), 10U);
}

TEST_P(StreamContract, FailedStartsOpenTheBreakerAndOneSuccessClosesIt) {
  for (int i = 0; i < 2; ++i) streams().start_result(false);
  EXPECT_TRUE(streams().may_start());
  streams().start_result(false);
  auto refused = streams().may_start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::breaker_open);
  EXPECT_EQ(refused.error().retry_after, 30s);
  time_.advance(10s);
  EXPECT_EQ(streams().may_start().error().retry_after, 20s);
  time_.advance(20s);
  EXPECT_TRUE(streams().may_start()) << "half-open: a trial";
  EXPECT_TRUE(streams().may_start()) << "asking changes nothing";
  streams().start_result(false);
  EXPECT_FALSE(streams().may_start()) << "one failure opens it again";
  time_.advance(30s);
  streams().start_result(true);
  EXPECT_TRUE(streams().may_start());
  streams().start_result(false);
  EXPECT_TRUE(streams().may_start()) << "closed: it counts from the start";
}

TEST_P(StreamContract, ASuccessInBetweenStartsTheCountAnew) {
  for (int i = 0; i < 10; ++i) {
    streams().start_result(false);
    streams().start_result(false);
    streams().start_result(true);
  }
  EXPECT_TRUE(streams().may_start());
}

TEST_P(StreamContract, AClosedStreamIsGoneAndItsIdFree) {
  attach(plain(1));
  ASSERT_TRUE(streams().close("s1"));
  EXPECT_FALSE(streams().export_session("s1"));
  ASSERT_TRUE(streams().create("s1", {}, 0));
  EXPECT_THAT(record().viewers, IsEmpty());
}

TEST_P(StreamContract, ManyViewersOfOneFloodGetEveryByteOfTheirWindow) {
  for (ViewerId id = 1; id <= 20; ++id) attach(id % 2 == 0 ? plain(id) : acking(id));
  std::size_t delivered = 0;
  for (int turn = 0; turn < 200; ++turn) {
    if (const auto n = budget()) print(n, 100'000);
    for (ViewerId id = 1; id <= 20; ++id) {
      delivered += drain(id, 100);
      ASSERT_TRUE(streams().acked("s1", id, viewer(id).sent));
    }
  }
  EXPECT_EQ(delivered, 20 * record().next_offset);
  EXPECT_EQ(record().next_offset, 200 * kLimits.turn_bytes);
}

TERM_BOTH_ENGINES(StreamContract);

}  // namespace
}  // namespace term::contract
