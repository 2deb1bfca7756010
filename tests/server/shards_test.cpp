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

  /// What the work throws, caught on the loop: libstdc++ counts an exception's holders where TSan
  /// cannot see it, so none may cross to this thread.
  template <class R>
  std::string thrown(net::awaitable<R> work) {
    return result(caught(std::move(work)));
  }

  LocalPtySource source_{monotonic_wall_clock()};
  Shards shards_{kShards, {.source = &source_, .clock = monotonic_wall_clock()}};
  std::atomic<unsigned> ended_{0};

 private:
  template <class R>
  static net::awaitable<std::string> caught(net::awaitable<R> work) {
    try {
      (void)co_await std::move(work);
    } catch (const std::runtime_error& e) {
      co_return e.what();
    }
    co_return "nothing";
  }
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
    auto part = [this, fails](Shard& shard) {
      if (shard.index == fails) throw std::runtime_error("shard " + std::to_string(shard.index));
      return ++ended_;
    };
    auto work = [this, fails](Shard& shard) { return turns(shard, ended_, fails); };
    for (const bool of_turns : {false, true}) {
      ended_ = 0;
      EXPECT_EQ(of_turns ? thrown(shards_.gather_work(work)) : thrown(shards_.gather(part)),
                "shard " + std::to_string(fails));
      EXPECT_EQ(ended_, kShards - 1) << "thrown before all had ended";
    }
    // The shard that threw goes on.
    auto index = [](Shard& shard) { return shard.index; };
    EXPECT_EQ(result(shards_.gather(index)).at(fails), fails);
  }
}

}  // namespace
}  // namespace term::server
