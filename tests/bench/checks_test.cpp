// The measurements' own eyes: what is wrong must be seen, and what is right must not be blamed.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "content.h"
#include "load/json_text.h"

namespace term::bench {
namespace {

constexpr Content kContents[] = {Content::plain, Content::colour, Content::binary,
                                 Content::long_lines, Content::cjk};

/// As bench-source prints it into a session: a shell's words, the marker, the bytes, the marker.
std::string printed(const Pattern& pattern, std::uint64_t bytes) {
  std::string out = "$ exec bench-source bytes\r\n" + std::string(kStart);
  for (std::uint64_t at = 0; at < bytes;) {
    const std::string_view piece = pattern.at(at, static_cast<std::size_t>(bytes - at));
    out += piece;
    at += piece.size();
  }
  return out += kEnd;
}

/// Fed in pieces of many sizes, so that markers and the pattern's end are cut everywhere.
StreamCheck fed(const Pattern& pattern, std::uint64_t total, std::string_view stream) {
  StreamCheck check(pattern, total);
  for (std::size_t n = 1; !stream.empty(); n = n * 3 % 70'001) {
    check.feed(stream.substr(0, n));
    stream.remove_prefix(std::min(n, stream.size()));
  }
  return check;
}

TEST(StreamCheck, TakesWhatWasPrinted) {
  for (const Content content : kContents) {
    const Pattern pattern(content, 7, true);
    const std::uint64_t total = pattern.periods(0.3) * pattern.period();
    const StreamCheck check = fed(pattern, total, printed(pattern, total));
    EXPECT_TRUE(check.done());
    EXPECT_EQ(check.wrong(), std::nullopt);
    EXPECT_EQ(check.received(), total);
  }
}

TEST(StreamCheck, SeesOneByteMissingDoubledOrChanged) {
  const Pattern pattern(Content::plain, 7, false);
  const std::uint64_t total = 2 * pattern.period();
  const std::string right = printed(pattern, total);
  for (const std::size_t at : {std::size_t{60}, right.size() / 2, right.size() - kEnd.size() - 1}) {
    std::string changed = right;
    changed[at] ^= 1;
    EXPECT_NE(fed(pattern, total, changed).wrong(), std::nullopt) << at;
    std::string missing = right;
    EXPECT_NE(fed(pattern, total, missing.erase(at, 1)).wrong(), std::nullopt) << at;
    std::string doubled = right;
    EXPECT_NE(fed(pattern, total, doubled.insert(at, 1, right[at])).wrong(), std::nullopt) << at;
  }
}

TEST(StreamCheck, SeesALostOrRepeatedPeriod) {
  const Pattern pattern(Content::colour, 7, false);
  const std::uint64_t total = 4 * pattern.period();
  EXPECT_NE(fed(pattern, total, printed(pattern, total - pattern.period())).wrong(), std::nullopt);
  EXPECT_NE(fed(pattern, total, printed(pattern, total + pattern.period())).wrong(), std::nullopt);
}

TEST(StreamCheck, IsNotDoneBeforeTheEndNorRightAfterIt) {
  const Pattern pattern(Content::plain, 7, false);
  const std::string right = printed(pattern, pattern.period());
  EXPECT_FALSE(fed(pattern, pattern.period(), right.substr(0, right.size() - 1)).done());
  EXPECT_NE(fed(pattern, pattern.period(), right + "x").wrong(), std::nullopt);
}

TEST(Pattern, OfAnotherSeedIsAnother) {
  const Pattern one(Content::binary, 1, false);
  const Pattern other(Content::binary, 2, false);
  EXPECT_NE(one.at(0, 64), other.at(0, 64));
  EXPECT_GE(one.periods(1) * one.period(), 1024 * 1024U);
}

/// As JSON libraries write it: nlohmann's ways with and without ASCII alone.
TEST(JsonText, ReadsTheStringThatALibraryWrote) {
  for (const Content content : kContents) {
    if (content == Content::binary) continue;
    const Pattern pattern(content, 3, true);
    const std::string text = std::string(pattern.at(0, pattern.period())) + "\t\\\"\b\f\\\\";
    for (const bool ascii : {false, true}) {
      std::string out;
      const nlohmann::json object{
          {"a", {{"data", "nested"}, {"n", 1}}}, {"data", text}, {"n", 17}, {"type", "stream"}};
      const std::string message = object.dump(-1, ' ', ascii);
      EXPECT_EQ(raw_member(message, "type"), "stream");
      unescape(raw_member(message, "data"), out);
      EXPECT_EQ(out, text);
      EXPECT_EQ(raw_member(message, "none"), "");

      const std::string array = nlohmann::json{"stdout", text}.dump(-1, ' ', ascii);
      EXPECT_EQ(raw_element(array, 0), "stdout");
      unescape(raw_element(array, 1), out);
      EXPECT_EQ(out, text);
    }
    EXPECT_EQ(nlohmann::json::parse(bench::quoted(text)), nlohmann::json(text));
  }
}

TEST(JsonText, SurvivesAnEscapeThatIsCut) {
  for (const std::string cut : {"a\\", "a\\u", "a\\u00", "\\ud83d\\u", "\\ud83d\\"}) {
    std::string out;
    unescape(cut, out);
    EXPECT_LE(out.size(), cut.size());
  }
}

}  // namespace
}  // namespace term::bench
