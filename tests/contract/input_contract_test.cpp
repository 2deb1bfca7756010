#include <gmock/gmock.h>

#include "contract/engines.h"
#include "session/input_clients.h"

namespace term::contract {
namespace {

using testing::HasSubstr;

class InputContract : public EngineTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(streams().create("s1", {}, 0));
    ASSERT_TRUE(streams().opened("s1", 42));
  }
  StreamRecord record(const SessionId& id = "s1") {
    auto exported = streams().export_session(id);
    EXPECT_TRUE(exported);
    return exported ? *exported : StreamRecord{};
  }
  void attach(const ViewerState& viewer) {
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
};

ViewerState plain(ViewerId id) {
  return {.id = id, .client = "tab" + std::to_string(id), .dialect = "raw", .window = 1000};
}

TEST_P(InputContract, InputIsTakenOnceAndInOrder) {
  attach(plain(1));
  auto verdict = streams().input("s1", 1, 0, 10, 100);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->skip, 0U);
  EXPECT_EQ(verdict->take, 10U);
  EXPECT_EQ(verdict->resize, std::nullopt);
  verdict = streams().input("s1", 1, 4, 10, 100);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->skip, 6U) << "sent again after a reconnect";
  EXPECT_EQ(verdict->take, 4U);
  verdict = streams().input("s1", 1, 0, 5, 100);
  EXPECT_EQ(verdict->skip, 5U);
  EXPECT_EQ(verdict->take, 0U);
  EXPECT_EQ(streams().input_offsets("s1", "tab1"), (InputOffsets{14, 0}));
}

TEST_P(InputContract, OnlyAsMuchInputIsTakenAsThereIsRoomFor) {
  attach(plain(1));
  const auto verdict = streams().input("s1", 1, 0, 10, 3);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->take, 3U);
  EXPECT_EQ(streams().input_offsets("s1", "tab1").accepted, 3U);
  EXPECT_EQ(streams().input("s1", 1, 3, 7, 0)->take, 0U);
  EXPECT_EQ(streams().input_offsets("s1", "tab1").accepted, 3U);
}

TEST_P(InputContract, MissingInputIsRefusedNamingBothOffsets) {
  attach(plain(1));
  ASSERT_TRUE(streams().input("s1", 1, 0, 10, 100));
  const auto before = record();
  const auto refused = streams().input("s1", 1, 12, 1, 100);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_argument);
  EXPECT_THAT(refused.error().detail, HasSubstr("12"));
  EXPECT_THAT(refused.error().detail, HasSubstr("10"));
  EXPECT_EQ(record(), before);
}

TEST_P(InputContract, AClientNeverHeardOfBeginsWhereItSays) {
  attach(plain(1));
  const auto verdict = streams().input("s1", 1, 40, 2, 100);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->skip, 0U);
  EXPECT_EQ(verdict->take, 2U);
  EXPECT_EQ(streams().input_offsets("s1", "tab1"), (InputOffsets{42, 40}));
}

TEST_P(InputContract, NumberingOfManyClientsIsBoundedAndKeepsThoseWhoCount) {
  for (ViewerId id = 1; id <= 2 * kMaxInputClients; ++id) {
    ViewerState viewer = plain(id);
    viewer.client = "c" + std::to_string(id);
    attach(viewer);
    ASSERT_TRUE(streams().input("s1", id, 0, 3, 10));
    if (id > 1) streams().input_written("s1", viewer.client, 3);
    if (id > 2) streams().detach("s1", id);
  }
  EXPECT_LE(record().input.size(), kMaxInputClients);
  EXPECT_EQ(streams().input_offsets("s1", "c1").accepted, 3U) << "its input waits";
  EXPECT_EQ(streams().input_offsets("s1", "c2").accepted, 3U) << "it is attached";
}

TEST_P(InputContract, AViewerThatOnlyWatchesMayNeitherTypeNorResize) {
  ViewerState watcher = plain(1);
  watcher.role = ViewerRole::viewer;
  attach(watcher);
  const auto before = record();
  EXPECT_EQ(streams().input("s1", 1, 0, 1, 1).error().code, Errc::not_permitted);
  EXPECT_EQ(streams().resize("s1", 1, {.rows = 9, .cols = 9}).error().code, Errc::not_permitted);
  EXPECT_EQ(record(), before);
  EXPECT_FALSE(streams().input("s1", 99, 0, 1, 1)) << "nor does one that is not there";
}

TEST_P(InputContract, EachClientHasItsOwnNumbering) {
  attach(plain(1));
  attach(plain(2));
  ASSERT_TRUE(streams().input("s1", 1, 0, 10, 100));
  ASSERT_TRUE(streams().input("s1", 2, 0, 4, 100));
  streams().input_written("s1", "tab1", 6);
  EXPECT_EQ(streams().input_offsets("s1", "tab1"), (InputOffsets{10, 6}));
  EXPECT_EQ(streams().input_offsets("s1", "tab2"), (InputOffsets{4, 0}));
  EXPECT_EQ(streams().input_offsets("s1", "tab3"), InputOffsets{});
  streams().detach("s1", 1);
  EXPECT_EQ(streams().input_offsets("s1", "tab1"), (InputOffsets{10, 6})) << "it may come back";
}

TEST_P(InputContract, TheSizeFollowsWhoTypedOrResizedLast) {
  const WindowSize wide{.rows = 50, .cols = 200};
  const WindowSize small{.rows = 20, .cols = 60};
  attach(plain(1));
  attach(plain(2));
  EXPECT_EQ(*streams().resize("s1", 1, wide), wide);
  EXPECT_EQ(*streams().resize("s1", 2, small), small);
  EXPECT_EQ(*streams().resize("s1", 2, small), std::nullopt) << "it is that size already";
  EXPECT_EQ(streams().input("s1", 1, 0, 1, 10)->resize, wide);
  EXPECT_EQ(record().window, wide);
  EXPECT_EQ(streams().input("s1", 1, 1, 1, 10)->resize, std::nullopt);
  EXPECT_EQ(viewer(2).wanted, small);
}

TEST_P(InputContract, ASizeOutsideItsLimitsIsRefused) {
  attach(plain(1));
  for (const WindowSize size : {WindowSize{0, 80}, WindowSize{24, 1001}}) {
    EXPECT_EQ(streams().resize("s1", 1, size).error().code, Errc::bad_argument);
    EXPECT_EQ(streams().resize("s1", size).error().code, Errc::bad_argument);
  }
  EXPECT_EQ(record().window, WindowSize{});
  EXPECT_EQ(*streams().resize("s1", WindowSize{10, 10}), (WindowSize{10, 10}));
}

TEST_P(InputContract, InputIsWrittenOnlyToAnOpenStreamThatIsNotSuspended) {
  ASSERT_TRUE(streams().create("s2", {}, 0));
  EXPECT_FALSE(streams().may_write("s2"));
  ASSERT_TRUE(streams().opened("s2", 43));
  EXPECT_TRUE(streams().may_write("s2"));
  EXPECT_EQ(record("s2").pid, 43);
  ASSERT_TRUE(streams().set_suspended("s2", true));
  EXPECT_FALSE(streams().may_write("s2"));
  ASSERT_TRUE(streams().set_suspended("s2", true));
  ASSERT_TRUE(streams().set_suspended("s2", false));
  EXPECT_TRUE(streams().may_write("s2"));
  const ExitStatus killed{.signal = "SIGKILL", .at = time_.now()};
  ASSERT_TRUE(streams().exited("s2", killed));
  EXPECT_FALSE(streams().may_write("s2"));
  EXPECT_EQ(record("s2").exit, killed);
  EXPECT_FALSE(record("s2").open);
}

TEST_P(InputContract, InputIsAcceptedBeforeTheShellIsThereAndWhileSuspended) {
  ASSERT_TRUE(streams().create("s2", {}, 0));
  ASSERT_TRUE(streams().attach("s2", plain(1)));
  EXPECT_EQ(streams().input("s2", 1, 0, 5, 100)->take, 5U);
  ASSERT_TRUE(streams().opened("s2", 1));
  ASSERT_TRUE(streams().set_suspended("s2", true));
  EXPECT_EQ(streams().input("s2", 1, 5, 5, 100)->take, 5U);
  EXPECT_EQ(streams().input_offsets("s2", "tab1"), (InputOffsets{10, 0}));
}

TERM_BOTH_ENGINES(InputContract);

}  // namespace
}  // namespace term::contract
