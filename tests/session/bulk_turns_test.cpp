#include "session/bulk_turns.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace term {
namespace {

class BulkTurnsTest : public testing::Test {
 protected:
  bool take(Signal& mine) { return turns_.take(mine); }
  void end_of_the_slice() {
    io_.restart();
    io_.run();
  }

  net::io_context io_;
  BulkTurns& turns_ = net::use_service<BulkTurns>(io_);
  Signal a_{io_.get_executor()};
  Signal b_{io_.get_executor()};
  Signal c_{io_.get_executor()};
};

TEST_F(BulkTurnsTest, WhoIsAloneHasEachTurn) {
  EXPECT_TRUE(take(a_));
  end_of_the_slice();
  EXPECT_TRUE(take(a_));
  end_of_the_slice();
  EXPECT_TRUE(take(b_));
}

TEST_F(BulkTurnsTest, TheOthersWaitInOrderAndNobodyOvertakes) {
  EXPECT_TRUE(take(a_));
  EXPECT_FALSE(take(b_));
  EXPECT_FALSE(take(c_));
  EXPECT_FALSE(take(a_)) << "behind those who have not had one";
  for (Signal* next : {&b_, &c_, &a_}) {
    end_of_the_slice();
    EXPECT_TRUE(take(*next));
  }
  end_of_the_slice();
  EXPECT_TRUE(take(b_)) << "nobody waits any more";
}

net::awaitable<void> wait(Signal& mine, bool& woken) {
  co_await mine.wait();
  woken = true;
}

TEST_F(BulkTurnsTest, WhoIsNextIsTold) {
  bool told = false;
  net::co_spawn(io_, wait(b_, told), net::detached);
  io_.poll();
  EXPECT_TRUE(take(a_));
  EXPECT_FALSE(take(b_));
  EXPECT_FALSE(told);
  end_of_the_slice();
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace term
