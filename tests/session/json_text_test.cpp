#include "session/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace term {
namespace {

std::string json_string(std::string_view text) {
  std::string out = "x";
  append_json_string(out, text);
  return out.substr(1);
}

TEST(JsonText, IsWhatTheLibraryWritesForEveryByteOfAscii) {
  for (int c = 0; c < 0x80; ++c) {
    const std::string text = "a" + std::string(1, static_cast<char>(c)) + "b";
    EXPECT_EQ(json_string(text), nlohmann::json(text).dump()) << c;
  }
}

TEST(JsonText, IsWhatTheLibraryWritesForTextOfTerminals) {
  const std::string pieces[] = {
      "\x1B[31m",           "\r\n", "ä", "漢字", "😀", "\"", "\\", "plain text ",
      std::string(1, '\0'), "\x7F"};
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (unsigned n = random() % 40; n > 0; --n) text += pieces[random() % std::size(pieces)];
    EXPECT_EQ(json_string(text), nlohmann::json(text).dump());
  }
  EXPECT_EQ(json_string(""), "\"\"");
}

TEST(JsonText, IsWhatTheLibraryWritesWhereverInALongTextItIs) {
  for (std::size_t at = 0; at < 200; ++at) {
    for (const char* piece : {"\"", "\n", "\x1B", "é", "\\\r"}) {
      std::string text(200, 'x');
      text.insert(at, piece);
      ASSERT_EQ(json_string(text), nlohmann::json(text).dump()) << at;
      text.insert(at + std::string_view(piece).size() + at % 70 % (200 - at), piece);
      ASSERT_EQ(json_string(text), nlohmann::json(text).dump()) << at;
    }
  }
}

}  // namespace
}  // namespace term
