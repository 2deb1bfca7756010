// A session's text with its output beside the JSON library: the same as through it, in every form.

#include "session/snapshot_json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "session/snapshot_json.h"

namespace term {
namespace {

using nlohmann::json;

std::string noise(std::size_t size) {
  std::mt19937 random(11);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

SessionSnapshot sample(std::size_t bytes) {
  SessionSnapshot snapshot;
  snapshot.session.id = "a-session";
  snapshot.session.tab_name = "not utf8: \xff, \"output\":{\"data\":\"AAAA\"}";
  snapshot.session.metadata = R"({"output":{"data":"BBBB","firstOffset":1},"data":"CCCC"})";
  snapshot.stream.data = noise(bytes);
  snapshot.stream.first_offset = 1000;
  snapshot.stream.next_offset = 1000 + bytes;
  return snapshot;
}

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

TEST(SnapshotText, SaysWhatTheJsonSays) {
  for (const std::size_t bytes : {0U, 1U, 2U, 3U, 100'000U}) {
    std::string text = "before";
    append_json(text, sample(bytes));
    EXPECT_EQ(json::parse(text.substr(6)), json::parse(text_of(to_json(sample(bytes)))));
  }
  SessionSnapshot without = sample(5);
  without.stream.data.reset();
  std::string text;
  append_json(text, without);
  EXPECT_EQ(json::parse(text), json::parse(text_of(to_json(without))));
}

TEST(SnapshotText, SaysOfARecordWhatItsJsonSaysUnderTheStatusWanted) {
  const SessionRecord record = sample(0).session;
  std::string text;
  append_json(text, record, "attached");
  json expected = json::parse(text_of(to_json(record)));
  expected["status"] = "attached";
  EXPECT_EQ(json::parse(text), expected);
}

TEST(SnapshotText, LeavesTheOutputOutWhereItIsNotWanted) {
  SessionSnapshot snapshot = sample(5);
  std::string text;
  append_json(text, snapshot, /*with_data=*/false);
  snapshot.stream.data.reset();
  EXPECT_EQ(json::parse(text), json::parse(text_of(to_json(snapshot))));
}

/// Reads a text, and checks that what is to be read again later says the same.
Result<TextSnapshot> read(const std::string& text, std::size_t newest) {
  auto got = snapshot_from_text(text, newest);
  const auto whole = snapshot_from_json(json::parse(text, nullptr, false));
  EXPECT_EQ(got.has_value(), whole.has_value());
  if (!got || !whole) {
    if (!got && !whole) EXPECT_EQ(got.error().detail, whole.error().detail);
    return got;
  }
  SessionSnapshot expected = *whole;
  const std::string all = expected.stream.data.value_or("");
  EXPECT_EQ(got->output_bytes, all.size());
  if (expected.stream.data)
    expected.stream.data = all.substr(all.size() - std::min(all.size(), newest));
  EXPECT_EQ(got->snapshot, expected);
  expected.stream.data.reset();
  const auto plain = snapshot_from_json(json::parse(got->plain, nullptr, false));
  EXPECT_TRUE(plain && *plain == expected) << got->plain;
  return got;
}

TEST(SnapshotText, TheNewestOutputIsReadAndAllOfItChecked) {
  for (const std::size_t newest : {0U, 1U, 2U, 3U, 4U, 64U, 9'998U, 9'999U, 10'000U, 10'001U}) {
    const auto got = read(text_of(to_json(sample(10'000))), newest);
    ASSERT_TRUE(got);
    EXPECT_LT(got->plain.size(), 5'000U);
  }
  // Its begin is not kept; it has to be right nevertheless.
  std::string text = text_of(to_json(sample(10'000)));
  const auto data = text.find(base64_encode(noise(10'000)));
  text[data] = '-';
  const auto got = read(text, 100);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().detail, "session a-session: output.data: expected base64");
}

TEST(SnapshotText, EveryOtherFormIsReadTheSlowWay) {
  for (
      const char* text : {
          R"({"id":"a","output":{"data":"QUJD"}})",
          R"({"id":"a","output":{"data":"QUJD","nextOffset":3}})",
          R"({"id":"a","output":{"firstOffset":7,"nextOffset":10,"data":"QUJD"}})",
          R"({ "id" : "a" , "output" : { "data" : "QUJD" , "firstOffset" : 7 , "nextOffset" : 10 } })",
          R"({"id":"a","output":{"data":"QUJD","nextOffset":3},"viewers":[{"offset":3}]})",
          R"({"id":"a","output":{"data":"QUJD"},"output":{"data":"QUJDREVG"}})",
          R"({"id":"a","output":{"data":"QUJD"},"\u006futput":{"data":"QUJDREVG"}})",
          R"({"id":"a","output":{"data":"QUJD","\u0064ata":"QUJDREVG"}})",
          R"({"id":"a","output":{"data":"QUJD","data":"QUJDREVG"}})",
          R"({"id":"a","output":{"data":"QUJ\u0044"}})",
          R"({"id":"a","output":{"data":null,"AAAA":{"data":"QUJD"}}})",
          R"({"id":"a","x":{"output":{"data":"QUJD"}}})",
          R"({"id":"a","x":["{","output","\"",{"output":{"data":"QUJD"}}],"output":{"data":""}})",
          R"({"id":"a","output":{"data":{"data":"QUJD"}}})",
          R"({"id":"a","output":{"data":["QUJD"],"AAAA":1}})",
          R"({"id":"a","output":["data","QUJD"]})",
          R"({"id":"a","output":{"data":"QUJD","firstOffset":0,"nextOffset":4}})",
          R"({"id":"a","output":{"data":"QUJD","firstOffset":4,"nextOffset":3}})",
          R"({"id":"a","output":{"data":"QUJ","firstOffset":0,"nextOffset":2}})",
          R"({"id":"/","output":{"data":"QUJD","firstOffset":0,"nextOffset":3}})",
          R"({"id":"a","output":{"data":"QUJD","firstOffset":0,"nextOffset":3})",
          R"({"id":"a","output":{"data":"QUJD)",
          R"({"id":"a"})",
          "[]",
          "{",
      }) {
    SCOPED_TRACE(text);
    (void)read(text, 2);
  }
}

}  // namespace
}  // namespace term
