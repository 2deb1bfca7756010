#include <gtest/gtest.h>

#include <random>

#include "session/snapshot_json.h"

namespace term {
namespace {

TEST(Base64, EveryLengthComesBack) {
  std::mt19937 random(7);
  for (const std::size_t size :
       {0U, 1U, 2U, 3U, 4U, 57U, 786'431U, 786'432U, 786'433U, 2'000'001U}) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string text = base64_encode(bytes);
    EXPECT_EQ(text.size(), (size + 2) / 3 * 4);
    const auto back = base64_decode(text);
    ASSERT_TRUE(back) << size << ": " << back.error().detail;
    EXPECT_EQ(*back, bytes) << size;
  }
  EXPECT_EQ(base64_encode("foob"), "Zm9vYg==");
}

TEST(Base64, TheLastBytesAlone) {
  std::mt19937 random(7);
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 300U}) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    for (const std::size_t newest : {0U, 1U, 2U, 3U, 4U, 5U, 299U, 300U, 301U}) {
      const auto tail = base64_tail(base64_encode(bytes), newest);
      ASSERT_TRUE(tail) << size << " " << newest;
      EXPECT_EQ(tail->size, size);
      EXPECT_EQ(tail->bytes, bytes.substr(size - std::min(size, newest)));
    }
  }
  for (const char* text : {"A-AAAAAA", "AAAAAAB=", "AAAAA"}) EXPECT_FALSE(base64_tail(text, 1));
}

TEST(Base64, OnlyTheOneSpellingIsAccepted) {
  for (const char* text : {"A", "AA", "AAA", "AA=", "AA==AAAA", "A===", "====", "AB==", "AAB=",
                           "AAAA\n", " AAA", "AA A", "AA-_", "A=AA"}) {
    const auto read = base64_decode(text);
    EXPECT_FALSE(read) << text;
  }
}

}  // namespace
}  // namespace term
