// Work on all shards: its results in their order, and what one of them throws.

#include "server/shards.h"

#include <gtest/gtest.h>

#include <boost/asio/use_future.hpp>
#include <stdexcept>

namespace term::server {
namespace {

constexpr unsigned kShards = 3;

class Gather : public testing::Test {
 protected:
  Gather() { shards_.start(); }
  ~Gather() override { shards_.stop(); }

  /// What the work gives, asked from the first shard.
  template <class R>
  R result(net::awaitable<R> work) {
    return net::co_spawn(shards_.first(), std::move(work), net::use_future).get();
  }

  LocalPtySource source_{monotonic_wall_clock()};
  Shards shards_{kShards, {.source = &source_, .clock = monotonic_wall_clock()}};
  std::atomic<unsigned> ended_{0};
};

/// Two turns, the second of which may fail.
net::awaitable<unsigned> turns(Shard& shard, std::atomic<unsigned>& ended, unsigned fails) {
  co_await net::post(shard.io, kNoThrow);
  if (shard.index == fails) throw std::runtime_error("shard " + std::to_string(shard.index));
  ++ended;
  co_return shard.index * 10;
}

TEST_F(Gather, GivesTheResultsInTheShardsOrder) {
  auto index = [](Shard& shard) { return shard.index; };
  EXPECT_EQ(result(shards_.gather(index)), (std::vector<unsigned>{0, 1, 2}));
  auto work = [this](Shard& shard) { return turns(shard, ended_, kShards); };
  EXPECT_EQ(result(shards_.gather_work(work)), (std::vector<unsigned>{0, 10, 20}));
}

TEST_F(Gather, ThrowsWhatOnePartThrowsOnceAllHaveEnded) {
  for (unsigned fails = 0; fails < kShards; ++fails) {
    ended_ = 0;
    auto part = [this, fails](Shard& shard) {
      if (shard.index == fails) throw std::runtime_error("shard " + std::to_string(shard.index));
      return ++ended_;
    };
    auto work = [this, fails](Shard& shard) { return turns(shard, ended_, fails); };
    for (const bool of_turns : {false, true}) {
      ended_ = 0;
      try {
        if (of_turns)
          (void)result(shards_.gather_work(work));
        else
          (void)result(shards_.gather(part));
        ADD_FAILURE() << "nothing was thrown";
      } catch (const std::runtime_error& e) {
        EXPECT_EQ(e.what(), "shard " + std::to_string(fails));
      }
      EXPECT_EQ(ended_, kShards - 1) << "thrown before all had ended";
    }
    // The shard that threw goes on.
    auto index = [](Shard& shard) { return shard.index; };
    EXPECT_EQ(result(shards_.gather(index)).at(fails), fails);
  }
}

}  // namespace
}  // namespace term::server
