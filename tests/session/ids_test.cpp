#include "session/ids.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace term {
namespace {

const WallTime kNow{Millis{1'700'000'000'123}};

TEST(Ids, AnIdOfOursNamesItsTimeAndHasEightBase36Characters) {
  const SessionId id = make_session_id(kNow);
  ASSERT_EQ(id.size(), std::string("session_1700000000123_").size() + 8);
  EXPECT_EQ(id.substr(0, 22), "session_1700000000123_");
  EXPECT_EQ(id.substr(22).find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"),
            std::string::npos);
}

TEST(Ids, AnIdOfOursIsOneThatWeAccept) { EXPECT_TRUE(valid_session_id(make_session_id(kNow))); }

TEST(Ids, IdsOfTheSameMillisecondDiffer) {
  std::set<SessionId> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(make_session_id(kNow));
  EXPECT_EQ(ids.size(), 10'000u);
}

TEST(Ids, NoDigitIsFavoured) {
  std::map<char, int> seen;
  for (int i = 0; i < 20'000; ++i) {
    for (const char c : make_session_id(kNow).substr(22)) ++seen[c];
  }
  ASSERT_EQ(seen.size(), 36u);
  // 160,000 draws, 4,444 expected each, standard deviation 66: 8 of them never happen by chance,
  // and taking bytes modulo 36 would put the first four 625 above the others.
  for (const auto& [digit, count] : seen) EXPECT_NEAR(count, 4444, 8 * 66) << digit;
}

TEST(Ids, ClientsMayBringTheNamedCharactersUpTo128) {
  for (const std::string id : {"a", "A.b-c_9", "session_1", "..a", "-", "_"}) {
    EXPECT_TRUE(valid_session_id(id)) << id;
  }
  EXPECT_TRUE(valid_session_id(std::string(128, 'x')));
  EXPECT_FALSE(valid_session_id(std::string(129, 'x')));
}

TEST(Ids, WhatCouldBeAPathOrIsOutsideTheSetIsRefused) {
  for (const std::string id : {"", ".", "..", "...", "a/b", "../a", "a b", "a%2f", "a\n",
                               "\xC3\xA9", "a:b", "a;b", "a\\b"}) {
    EXPECT_FALSE(valid_session_id(id)) << id;
  }
  EXPECT_FALSE(valid_session_id(std::string("a\0b", 3)));
}

TEST(Ids, AProjectMayAlsoHaveNoName) {
  EXPECT_TRUE(valid_project_id(""));
  EXPECT_TRUE(valid_project_id("project-1"));
  EXPECT_FALSE(valid_project_id(".."));
  EXPECT_FALSE(valid_project_id("a/b"));
}

}  // namespace
}  // namespace term
