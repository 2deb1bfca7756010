#include "store/packer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <vector>

#include "store/databases.h"

namespace term::test {
namespace {

using namespace store;

/// Packs when it is told to.
class PackerTest : public testing::Test {
 protected:
  PackerTest()
      : packer_(
            mutex_, [this](std::string_view bytes, Offset next) { return wait(bytes, next); },
            [this](Batch::Session session) { given_.push_back(std::move(session)); }) {}
  ~PackerTest() override { release(); }

  Scrollback wait(std::string_view bytes, Offset next) {
    priority_ = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
    std::unique_lock lock(gate_);
    in_hand_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return pack(bytes, next);
  }
  void until_in_hand() {
    std::unique_lock lock(gate_);
    changed_.wait(lock, [this] { return in_hand_; });
  }
  void release() {
    const std::lock_guard lock(gate_);
    open_ = true;
    changed_.notify_all();
  }
  /// True if it took the place of another.
  bool put(const SessionId& id, const std::string& tab, const std::string& data) {
    const std::lock_guard lock(mutex_);
    return packer_.put(Batch::Session{with_data(session_of(id, tab), data, data.size() + 10)});
  }
  void until_nothing_waits() {
    std::unique_lock lock(mutex_);
    packer_.hand_out(lock);
    EXPECT_EQ(packer_.sessions(), 0U);
    EXPECT_EQ(packer_.bytes(), 0U);
  }
  static std::string tab_of(const Batch::Session& session) {
    return session.stored.snapshot.session.tab_name;
  }
  static std::string packed_in(const Batch::Session& session) {
    return session.packed ? unpack(*session.packed).value() : "nothing packed";
  }

  std::mutex gate_;
  std::condition_variable changed_;
  bool in_hand_ = false;
  bool open_ = false;
  std::atomic<int> priority_ = 0;
  std::mutex mutex_;
  std::vector<Batch::Session> given_;
  Packer packer_;
};

TEST_F(PackerTest, GivesWayToEverythingElse) {
  put("s", "t", "abc");
  until_in_hand();
  EXPECT_EQ(priority_, 10);
}

TEST_F(PackerTest, ANewerStateFollowsTheScrollbackThatItCameAfter) {
  EXPECT_FALSE(put("s", "older", "abc"));
  until_in_hand();
  {
    const std::lock_guard lock(mutex_);
    packer_.newer(Batch::Session{session_of("s", "newer"), true});
    packer_.newer(Batch::Session{session_of("other")});
    EXPECT_EQ(packer_.bytes(), 3U);
  }
  release();
  until_nothing_waits();
  ASSERT_EQ(given_.size(), 2U);
  EXPECT_EQ(tab_of(given_[0]), "older");
  EXPECT_EQ(packed_in(given_[0]), "abc");
  EXPECT_EQ(given_[0].packed->first, 10U);
  EXPECT_EQ(given_[0].packed->next, 13U);
  EXPECT_FALSE(given_[0].stored.snapshot.stream.data);
  EXPECT_EQ(tab_of(given_[1]), "newer");
  EXPECT_TRUE(given_[1].both_tables);
  EXPECT_FALSE(given_[1].has_data());
}

TEST_F(PackerTest, WhatEndsWhileItIsPackedDoesNotComeBack) {
  put("s", "t", "abc");
  until_in_hand();
  {
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(packer_.ended("s"));
    EXPECT_FALSE(packer_.ended("s"));
    EXPECT_EQ(packer_.bytes(), 0U);
  }
  release();
  until_nothing_waits();
  EXPECT_TRUE(given_.empty());
}

TEST_F(PackerTest, OfASessionOnlyTheNewestScrollbackIsGiven) {
  put("s", "older", "abc");
  until_in_hand();
  EXPECT_TRUE(put("s", "newer", "abcdef"));
  release();
  until_nothing_waits();
  ASSERT_EQ(given_.size(), 1U);
  EXPECT_EQ(tab_of(given_[0]), "newer");
}

TEST_F(PackerTest, WhoCannotWaitGetsWhatIsNotInHandAsItWasPut) {
  put("a", "in hand", "abc");
  until_in_hand();
  put("b", "waits", "def");
  put("c", "waits", "ghi");
  std::unique_lock lock(mutex_);
  // Released only once hand_out() waits and has given the others.
  std::thread later([this] {
    while (true) {
      const std::lock_guard guard(mutex_);
      if (given_.size() == 2) break;
    }
    release();
  });
  packer_.hand_out(lock);
  lock.unlock();
  later.join();
  ASSERT_EQ(given_.size(), 3U);
  EXPECT_EQ(given_[0].stored.snapshot.stream.data, "def");
  EXPECT_EQ(given_[1].stored.snapshot.stream.data, "ghi");
  EXPECT_EQ(packed_in(given_[2]), "abc");
}

}  // namespace
}  // namespace term::test
