#include "session/differences.h"

#include <gtest/gtest.h>

namespace term {
namespace {

SessionRecord record() {
  SessionRecord record;
  record.id = "s";
  record.args = {"-l"};
  record.environment = {{"TOKEN", "hunter2"}};
  record.tab_name = "one";
  return record;
}

TEST(Differences, EqualBooksHaveNone) {
  EXPECT_TRUE(differences(record(), record()).empty());
  EXPECT_TRUE(differences(SessionSnapshot{}, SessionSnapshot{}).empty());
  EXPECT_TRUE(differences(ProjectRecord{}, ProjectRecord{}).empty());
}

TEST(Differences, EachFieldIsNamedAsInTheExportWithBothValues) {
  SessionRecord other = record();
  other.tab_name = "two";
  other.window.cols = 100;
  other.user_id = "u";
  const auto found = differences(record(), other);
  const std::vector<FieldDifference> expected{
      {"cols", "80", "100"}, {"tabName", "one", "two"}, {"userId", "null", "u"}};
  EXPECT_EQ(found, expected);
}

TEST(Differences, AFieldThatOneSideLacksIsEmptyThere) {
  SessionRecord other = record();
  other.args = {"-l", "-i"};
  EXPECT_EQ(differences(record(), other), (std::vector<FieldDifference>{{"args.1", "", "-i"}}));
  EXPECT_EQ(differences(other, record()), (std::vector<FieldDifference>{{"args.1", "-i", ""}}));
}

TEST(Differences, ValuesOfTheEnvironmentAreNeverShown) {
  SessionRecord other = record();
  other.environment["TOKEN"] = "hunter3";
  const auto found = differences(record(), other);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].field, "environment.TOKEN");
  EXPECT_EQ(found[0].left.find("hunter"), std::string::npos);
  EXPECT_EQ(found[0].right.find("hunter"), std::string::npos);
}

TEST(Differences, ALongValueIsCutAndBytesThatAreNoTextAreReplaced) {
  SessionRecord other = record();
  other.tab_name = std::string(1000, 'x') + "\xff";
  const auto found = differences(record(), other);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_LE(found[0].right.size(), kMaxDifferenceBytes);
  other.tab_name = "\xff";
  EXPECT_EQ(differences(record(), other).at(0).right, "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace term
