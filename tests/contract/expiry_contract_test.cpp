// A time to live of 0 is none: what it would end never ends by itself.

#include "contract/engines.h"

namespace term::contract {
namespace {

using namespace std::chrono_literals;

using ExpiryContract = EngineTest;

TEST_P(ExpiryContract, ASuspensionWithoutATimeToLiveNeverEndsTheSession) {
  restart({.suspension_ttl = 0ms});
  ASSERT_TRUE(sessions().create({.id = "s1"}));
  ASSERT_TRUE(sessions().transition("s1", SessionState::attached, "test"));
  ASSERT_TRUE(sessions().suspend("s1"));
  time_.advance(Millis(365LL * 24 * 3600 * 1000));
  EXPECT_TRUE(sessions().expired().empty());
}

TEST_P(ExpiryContract, ADetachedSessionWithoutATimeToLiveNeverEnds) {
  restart({.detached_ttl = 0ms});
  ASSERT_TRUE(sessions().create({.id = "s1"}));
  ASSERT_TRUE(sessions().transition("s1", SessionState::detached, "test"));
  time_.advance(Millis(365LL * 24 * 3600 * 1000));
  EXPECT_TRUE(sessions().expired().empty());
}

TERM_BOTH_ENGINES(ExpiryContract);

}  // namespace
}  // namespace term::contract
