// Every byte, in both directions, on both engines: what goes in comes out, and nothing else.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/any_client.h"

namespace term::test {
namespace {

std::string every_byte() {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (int byte = 255; byte >= 0; --byte) all += static_cast<char>(byte);
  return all;
}

/// Text without a byte that JSON would have to escape, never the same twice.
std::string long_text(std::size_t bytes) {
  std::string text;
  for (std::size_t n = 0; text.size() < bytes; ++n) text += std::to_string(n) + " ";
  text.resize(bytes);
  return text;
}

class Bytes : public BothEngines {};
TERM_WITH_BOTH_ENGINES(Bytes);

TEST_P(Bytes, AllValuesComeOutUntouched) {
  const TempFile file(every_byte());
  for (const Speaks dialect : {Speaks::native, Speaks::raw}) {
    AnyClient client(server(), id(to_string(dialect)), dialect);
    client.type(marked("cat " + file.path()));
    ASSERT_TRUE(client.sees("DONE")) << client.tail();
    EXPECT_TRUE(same_bytes(between_marks(client.output()), every_byte())) << to_string(dialect);
  }
}

TEST_P(Bytes, AllValuesGoInUntouched) {
  for (const Speaks dialect : {Speaks::native, Speaks::raw}) {
    const TempFile file;
    AnyClient client(server(), id(to_string(dialect)), dialect);
    client.type(marked("head -c 512 >" + file.path()));
    ASSERT_TRUE(client.sees("READY")) << client.tail();
    client.type(every_byte());
    ASSERT_TRUE(client.sees("DONE")) << client.tail();
    EXPECT_TRUE(same_bytes(file.read(), every_byte())) << to_string(dialect);
  }
}

TEST_P(Bytes, APercentSignAtTheEndOfALineStays) {
  for (const Speaks dialect : {Speaks::native, Speaks::raw, Speaks::json}) {
    AnyClient client(server(), id(to_string(dialect)), dialect);
    client.type("printf 'REA''DY'; echo 50%; echo '100%  '; printf 'DO''NE'\n");
    ASSERT_TRUE(client.sees("DONE")) << client.tail();
    EXPECT_EQ(between_marks(client.output()), "50%\r\n100%  \r\n") << to_string(dialect);
  }
}

// One, two, three and four bytes.
const std::string kText = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";

TEST_P(Bytes, CharactersSplitBetweenTwoWritesArriveWholeInTextFrames) {
  const TempFile file(kText);
  AnyClient json(server(), id(), Speaks::json);
  AnyClient native(server(), id(), Speaks::native);
  // The program waits for a key after each write; the native viewer sees when it is out.
  std::string split;
  for (std::size_t i = 1; i < kText.size(); ++i) {
    split += " " + std::to_string(i);
  }
  json.type(marked("for i in" + split + "; do head -c $i " + file.path() +
                   "; head -c 1 >/dev/null; tail -c +$((i+1)) " + file.path() +
                   "; head -c 1 >/dev/null; done"));
  ASSERT_TRUE(native.sees("READY")) << native.tail();
  std::size_t seen = native.output().find("READY") + 5;
  std::string expected;
  for (std::size_t i = 1; i < kText.size(); ++i) {
    ASSERT_TRUE(native.has(seen + i)) << native.tail();
    native.type(".");
    seen += kText.size();
    ASSERT_TRUE(native.has(seen)) << native.tail();
    native.type(".");
    expected += kText;
  }
  ASSERT_TRUE(json.sees("DONE")) << json.tail();
  EXPECT_TRUE(same_bytes(between_marks(json.output()), expected));
}

TEST_P(Bytes, CharactersWrittenByteByByteArriveWholeInTextFrames) {
  const TempFile file(kText);
  AnyClient json(server(), id(), Speaks::json);
  AnyClient native(server(), id(), Speaks::native);
  json.type(marked("for i in $(seq " + std::to_string(kText.size()) + "); do tail -c +$i " +
                   file.path() + " | head -c 1; head -c 1 >/dev/null; done"));
  ASSERT_TRUE(native.sees("READY")) << native.tail();
  const std::size_t start = native.output().find("READY") + 5;
  for (std::size_t i = 1; i <= kText.size(); ++i) {
    ASSERT_TRUE(native.has(start + i)) << native.tail();
    native.type(".");
  }
  ASSERT_TRUE(json.sees("DONE")) << json.tail();
  EXPECT_EQ(between_marks(json.output()), kText);
}

TEST_P(Bytes, OnlyWhatIsTrulyInvalidIsReplacedInTextFrames) {
  const TempFile file("\xff\xfe|\xc3(|\xe2\x82z|\xed\xa0\x80|\xf4\x90\x80\x80|\xf0\x9f\x98\x80");
  const std::string bad = "\xef\xbf\xbd";
  AnyClient client(server(), id(), Speaks::json);
  client.type(marked("cat " + file.path()));
  ASSERT_TRUE(client.sees("DONE")) << client.tail();
  // One for each maximal part that no character begins with (Unicode 15, 3.9).
  EXPECT_EQ(between_marks(client.output()), bad + bad + "|" + bad + "(|" + bad + "z|" + bad + bad +
                                                bad + "|" + bad + bad + bad + bad +
                                                "|\xf0\x9f\x98\x80");
}

TEST_P(Bytes, WhatWasHeldBackIsSentWhenTheShellExits) {
  AnyClient client(server(), id(), Speaks::json);
  client.type("exec printf 'la''st\\342\\202'\n");
  EXPECT_TRUE(client.sees("last\xef\xbf\xbd")) << client.tail();
  EXPECT_TRUE(client.ws().wait_text("\"exit\""));
}

TEST_P(Bytes, TenMebibytesPastedAtOnceArriveComplete) {
  for (const Speaks dialect : {Speaks::native, Speaks::raw, Speaks::json}) {
    // A message is 10 MiB at most, and JSON needs some of it for itself.
    static const std::string text = long_text(10 * 1024 * 1024);
    const std::string paste = text.substr(dialect == Speaks::json ? 64 : 0);
    const TempFile file;
    AnyClient client(server(), id(to_string(dialect)), dialect);
    client.type(marked("head -c " + std::to_string(paste.size()) + " >" + file.path()));
    ASSERT_TRUE(client.sees("READY")) << client.tail();
    if (dialect == Speaks::json) {
      client.ws().text(R"({"type":"input","data":")" + paste + "\"}");
    } else {
      client.type(paste);
    }
    ASSERT_TRUE(client.sees("DONE"))
        << client.tail() << file.read().size() << " of " << paste.size() << " bytes arrived, "
        << server().get("/api/metrics/terminals/memory").body;
    EXPECT_TRUE(same_bytes(file.read(), paste)) << to_string(dialect);
  }
}

TEST_P(Bytes, APasteGoesOnWhenThePtyEmptiesTheQueueAtOnce) {
  // So small that the pty takes all of it in the same turn.
  TestServer narrow([](server::Config& config) { config.input_queue_bytes = 1024; });
  serve_with(narrow, adapter::all(GetParam()));
  const std::string paste = long_text(100'000);
  const TempFile file;
  AnyClient client(narrow, "s", Speaks::raw);
  client.type(marked("head -c 100000 >" + file.path()));
  ASSERT_TRUE(client.sees("READY")) << client.tail();
  client.type(paste);
  ASSERT_TRUE(client.sees("DONE")) << file.read().size() << " bytes arrived";
  EXPECT_TRUE(same_bytes(file.read(), paste));
}

TEST_P(Bytes, TenMebibytesPastedIntoAProgramThatEchoesComeBackComplete) {
  const std::string paste = long_text(10 * 1024 * 1024);
  AnyClient client(server(), id(), Speaks::native);
  client.type(marked("head -c " + std::to_string(paste.size())));
  ASSERT_TRUE(client.sees("READY")) << client.tail();
  client.type(paste);
  ASSERT_TRUE(client.sees("DONE", paste.size())) << client.tail();
  EXPECT_TRUE(same_bytes(between_marks(client.output()), paste));
}

}  // namespace
}  // namespace term::test
