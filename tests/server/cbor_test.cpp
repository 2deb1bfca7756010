// CBOR as nlohmann's library writes and reads it, and what is damaged refused with its place.

#include "server/cbor.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace term::server {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kEdges[] = {0,           1,
                                    23,          24,
                                    255,         256,
                                    65535,       65536,
                                    4294967295,  4294967296ULL,
                                    1ULL << 52U, (1ULL << 53U) - 1};

std::string cbor(const Json& json) {
  std::string out;
  Json::to_cbor(json, out);
  return out;
}

TEST(Cbor, IsWrittenAsTheLibraryReadsIt) {
  Json expected = Json::object();
  std::string out;
  CborWriter writer(out);
  writer.map(std::size(kEdges) + 5);
  for (const auto value : kEdges) {
    writer.count(std::to_string(value), value);
    expected[std::to_string(value)] = value;
  }
  writer.text("text", std::string(300, 'x'));
  expected["text"] = std::string(300, 'x');
  writer.bytes("bytes", "\xff\x01");
  expected["bytes"] = Json::binary({0xff, 0x01});
  writer.boolean("yes", true);
  writer.boolean("no", false);
  expected["yes"] = true;
  expected["no"] = false;
  writer.text("list");
  writer.array(2);
  writer.null();
  writer.raw(cbor(Json{{"a", -1.5}}));
  expected["list"] = Json::array({nullptr, {{"a", -1.5}}});
  EXPECT_EQ(Json::from_cbor(out), expected);
}

TEST(Cbor, IsReadAsTheLibraryWritesIt) {
  for (const auto value : kEdges) {
    const std::string bytes =
        cbor({{"before", {1, -2, 2.5, {{"deep", nullptr}}}}, {"count", value}, {"z", "text"}});
    std::uint64_t count = 0;
    std::string text;
    CborReader in(bytes, "it.");
    in.map([&](std::string_view key) {
      if (key == "count") in.count(count);
      if (key == "z") in.text(text);
    });
    in.end();
    ASSERT_TRUE(in.ok()) << in.error()->detail;
    EXPECT_EQ(count, value);
    EXPECT_EQ(text, "text");
  }
}

TEST(Cbor, LeavesTheTargetWhereNothingIsSaid) {
  std::uint64_t count = 7;
  bool yes = true;
  std::string text = "as it was";
  const std::string bytes = cbor({{"count", nullptr}, {"yes", nullptr}, {"text", nullptr}});
  CborReader in(bytes, "");
  in.map([&](std::string_view key) {
    if (key == "count") in.count(count);
    if (key == "yes") in.boolean(yes);
    if (key == "text") in.text(text);
  });
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(count, 7U);
  EXPECT_TRUE(yes);
  EXPECT_EQ(text, "as it was");
}

/// What is said to a document of which `outer.inner` is to be a number up to 9.
std::string refusal(const std::string& bytes) {
  CborReader in(bytes, "it.");
  in.map([&](std::string_view key) {
    if (key != "outer") return;
    in.object([&](std::string_view inner) {
      std::uint64_t count = 0;
      if (inner == "inner") in.count(count, 9);
    });
  });
  in.end();
  return in.ok() ? "" : in.error()->detail;
}

TEST(Cbor, NamesThePlaceOfWhatIsWrong) {
  EXPECT_EQ(refusal(cbor({{"outer", {{"inner", 9}}}})), "");
  for (const Json& bad : {Json(10), Json(-1), Json("9"), Json(9.0), Json::array({9})})
    EXPECT_EQ(refusal(cbor({{"outer", {{"inner", bad}}}})),
              "it.outer.inner: expected a whole number from 0 to 9")
        << bad;
  EXPECT_EQ(refusal(cbor({{"outer", 3}})), "it.outer.: expected a map");
  EXPECT_EQ(refusal(cbor(Json::array())), "it.: expected a map");
  EXPECT_EQ(refusal(cbor({{"outer", nullptr}}) + "x"), "it.: expected nothing behind it");
}

TEST(Cbor, EveryCutIsRefused) {
  const std::string bytes = cbor({{"outer", {{"inner", 5}, {"more", std::string(300, 'x')}}},
                                  {"unknown", {1, {{"a", Json::binary({1, 2, 3})}}, 2.5}}});
  ASSERT_EQ(refusal(bytes), "");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(refusal(bytes.substr(0, size)), "") << size;
}

TEST(Cbor, LengthsThatAreLiesEndWithTheBytes) {
  for (const char* head : {"\x9b", "\xbb", "\x5b", "\x7b"})
    EXPECT_NE(refusal("\xa1\x61z" + std::string(head) + std::string(8, '\xff')), "");
  EXPECT_NE(refusal("\xbf\xff"), "") << "of unknown length";
  std::string deep = "\xa1\x61z";
  for (int i = 0; i < 100'000; ++i) deep += '\x81';
  EXPECT_NE(refusal(deep + '\x01'), "");
}

}  // namespace
}  // namespace term::server
