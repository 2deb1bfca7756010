// The export document: what is written is read back; what is damaged, foreign or endless is
// refused.

#include "store/document.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "store/store.h"

namespace term::store {
namespace {

using Json = nlohmann::json;

SessionSnapshot sample(const SessionId& id, const std::string& data) {
  SessionSnapshot snapshot;
  SessionRecord& record = snapshot.session;
  record.id = id;
  record.project_id = "p";
  record.tab_name = "Terminal \"1\" \xc3\xa4";
  record.status = record.lifecycle.state = SessionState::detached;
  record.current_path = "/tmp";
  record.environment["NAME"] = "va]l}u{e[\\";
  record.metadata = R"({"unknown":[1,{"a":"\\\""}]})";
  snapshot.stream.data = data;
  snapshot.stream.first_offset = 5;
  snapshot.stream.next_offset = 5 + data.size();
  snapshot.stream.window = record.window;
  snapshot.stream.viewers.push_back({.id = 3, .client = "c", .dialect = "native"});
  snapshot.telemetry.commands.by_category["git"] = 2;
  return snapshot;
}

std::string document(const std::vector<SessionSnapshot>& sessions) {
  DocumentWriter writer(
      {.service = "1", .host = "h", .pid = 7, .mode = "legacy", .reason = "test"});
  std::string text = writer.begin();
  text += writer.project({.id = "p", .layout = "{\"a\":1}", .name_counter = 4});
  for (const auto& session : sessions) text += writer.session(session);
  return text + writer.end();
}

DocumentReader reader() {
  auto spool = Spool::open(std::filesystem::temp_directory_path());
  return DocumentReader(std::move(*spool));
}

/// Fed `step` bytes at a time.
Result<CheckedDocument> read(std::string_view text, std::size_t step = 1 << 20) {
  auto in = reader();
  for (std::size_t at = 0; at < text.size(); at += step)
    if (auto fed = in.feed(text.substr(at, step)); !fed) return fed.error();
  return in.finish();
}

/// A session of it, with its output.
SessionSnapshot session_of(const CheckedDocument& document, std::size_t nth) {
  auto session = document.session(nth);
  EXPECT_TRUE(session) << session.error().detail;
  EXPECT_FALSE(session->snapshot.stream.data);
  if (session->scrollback) session->snapshot.stream.data = unpack(*session->scrollback).value();
  return std::move(session->snapshot);
}

std::string refusal(std::string_view text) {
  const auto got = read(text);
  return got ? "accepted" : got.error().detail;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

std::string all_bytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

TEST(Document, ReadsBackWhatWasWrittenHoweverItIsCut) {
  const std::vector<SessionSnapshot> sessions{
      sample("a", all_bytes()), sample("b", ""), sample("c", std::string(100'000, 'x')),
      sample("d", std::string(70'000, 'y')), sample("e", "end")};
  const std::string text = document(sessions);
  for (const std::size_t step : {1U, 3U, 4096U, 1U << 20U}) {
    const auto got = read(text, step);
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_FALSE(got->bare);
    EXPECT_EQ(got->bytes, 170'259U);
    ASSERT_EQ(got->sessions.size(), sessions.size());
    for (std::size_t i = 0; i < sessions.size(); ++i) EXPECT_EQ(session_of(*got, i), sessions[i]);
    ASSERT_EQ(got->projects.size(), 1U);
    EXPECT_EQ(got->project(0)->layout, "{\"a\":1}");
  }
  const Json json = Json::parse(text);  // And for everybody else it is plain JSON.
  EXPECT_EQ(json.at("counts").at("sessions"), 5);
  EXPECT_EQ(json.at("connections").size(), 5U);
  EXPECT_EQ(json.at("reason"), "test");
}

TEST(Document, TheChecksumIsThatOfTheSessionsTextsInOrder) {
  const std::string text = document({sample("a", "x"), sample("b", "y")});
  Sha256 hash;
  int sessions = 0;
  for (std::size_t at = text.find("\"sessions\":[\n") + 13; text[at] == '{'; ++sessions) {
    const auto end = text.find('\n', at);
    hash.update(std::string_view(text).substr(at, text.rfind('}', end) + 1 - at));
    at = end + 1;
  }
  EXPECT_EQ(sessions, 2);
  EXPECT_EQ(Json::parse(text).at("sha256"), hash.hex());
}

TEST(Document, CutAtAnyByteItIsRefused) {
  const std::string text = document({sample("a", "some output")});
  for (std::size_t n = 0; n + 2 < text.size(); ++n)
    ASSERT_FALSE(read(text.substr(0, n))) << "cut after byte " << n;
  EXPECT_TRUE(read(text));
}

TEST(Document, WithAnyBitFlippedItIsRefused) {
  const std::string text = document({sample("a", "some output")});
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const std::size_t bit : {at * 5 % 8, (at * 5 + 3) % 8, (at * 5 + 6) % 8}) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const auto got = read(damaged);
      ASSERT_FALSE(got) << "bit " << bit << " of byte " << at << ": " << damaged.substr(at, 40);
      ASSERT_FALSE(got.error().detail.empty());
    }
  }
}

TEST(Document, AnotherFormatOrVersionIsRefusedByName) {
  const std::string text = document({sample("a", "x")});
  EXPECT_NE(refusal(replaced(text, "\"version\":1", "\"version\":2")).find("version 2"),
            std::string::npos);
  EXPECT_NE(refusal(replaced(text, "terminal-state", "something")).find("no export"),
            std::string::npos);
  EXPECT_NE(refusal(replaced(text, "\"format\":", "\"fromat\":")).find("no format"),
            std::string::npos);
}

TEST(Document, ContradictionsAreRefusedByName) {
  const std::string twice = document({sample("same", "x"), sample("same", "y")});
  EXPECT_EQ(refusal(twice), "the document has session same twice");
  const std::string text = document({sample("a", "x")});
  EXPECT_NE(refusal(replaced(text, "\"id\":\"a\"", "\"id\":\"..\"")).find("id"), std::string::npos);
  EXPECT_NE(refusal(replaced(text, "\"nextOffset\":6", "\"nextOffset\":9")).find("output.data"),
            std::string::npos);
  EXPECT_NE(refusal(replaced(text, "\"bytes\":1", "\"bytes\":2")).find("counts.bytes"),
            std::string::npos);
  EXPECT_NE(refusal(text + "{}").find("nothing more"), std::string::npos);
  EXPECT_NE(refusal(replaced(text, "\"reason\":\"test\"", "\"reason\":\"tesT\"")).find("envelope"),
            std::string::npos);
}

TEST(Document, OfMuchOutputTheNewestIsKept) {
  std::string data(kMaxScrollback, 'n');
  const auto just = read(document({sample("a", data)}));
  ASSERT_TRUE(just) << just.error().detail;
  EXPECT_FALSE(just->session(0)->trimmed);
  EXPECT_EQ(session_of(*just, 0).stream.first_offset, 5U);
  const auto more = read(document({sample("a", "old" + data)}));
  ASSERT_TRUE(more) << more.error().detail;
  EXPECT_TRUE(more->session(0)->trimmed);
  EXPECT_EQ(more->bytes, data.size() + 3);
  const SessionSnapshot kept = session_of(*more, 0);
  EXPECT_EQ(kept.stream.data, data);
  EXPECT_EQ(kept.stream.first_offset, 8U);
  EXPECT_EQ(kept.stream.next_offset, 8U + data.size());
}

TEST(Document, ABareFileWithOnlySessionsIsAcceptedAndKeepsUnknownFields) {
  const auto got = read(R"({"sessions": [ {"id": "one", "mine": {"x": 1}}, {"id":"two"} ]})");
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_TRUE(got->bare);
  ASSERT_EQ(got->sessions.size(), 2U);
  EXPECT_EQ(Json::parse(session_of(*got, 0).session.metadata).at("mine").at("x"), 1);
  EXPECT_NE(refusal(R"({"sessions":[{"name":"x"}]})").find("id"), std::string::npos);
  EXPECT_NE(refusal(R"({"projects":[]})").find("no sessions"), std::string::npos);
}

TEST(Document, NonsenseIsRefusedEarly) {
  struct Endless {
    std::string begin, more;
  };
  const std::vector<Endless> all{
      {"", std::string(65536, ' ')},
      {"", std::string(65536, 'x')},
      {"", std::string(65536, '\0')},
      {"{", std::string(65536, '\n')},
      {"{\"sessions\":[", std::string(65536, '[')},
      {"{\"sessions\":[{\"a\":", std::string(65536, '{')},
      {"{\"reason\":\"", std::string(65536, 'a')},
      {"{\"reason\":", std::string(65536, '1')},
      {"{\"", std::string(65536, 'k')},
      {"{\"format\":\"terminal-state\",\"x\":\"", std::string(65536, '\\')},
  };
  for (const auto& nonsense : all) {
    auto in = reader();
    auto fed = in.feed(nonsense.begin);
    std::size_t pieces = 0;
    for (; fed && pieces < 800; ++pieces) fed = in.feed(nonsense.more);  // 50 MB.
    EXPECT_FALSE(fed) << nonsense.begin;
    EXPECT_LT(pieces, 100U) << nonsense.begin << ": refused after " << pieces << " pieces only";
  }
}

TEST(Document, ASessionLargerThanTheBoundIsRefusedWithoutBeingKept) {
  auto in = reader();
  auto fed = in.feed("{\"sessions\":[{\"id\":\"a\",\"x\":\"");
  const std::string more(1 << 20, 'a');
  std::size_t pieces = 0;
  for (; fed && pieces < 200; ++pieces) fed = in.feed(more);
  ASSERT_FALSE(fed);
  EXPECT_EQ(pieces, 64U);
  EXPECT_NE(fed.error().detail.find("sessions is larger than 67108864 bytes"), std::string::npos)
      << fed.error().detail;
}

TEST(Document, ManySessionsTakeNoMemory) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer keeps what was freed";
#endif
  DocumentWriter writer({.reason = "large"});
  auto in = reader();
  ASSERT_TRUE(in.feed(writer.begin()));
  const std::string data(200'000, 'd');
  struct rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < 120; ++i) {  // 32 MB of text.
    const auto fed = in.feed(writer.session(sample("s" + std::to_string(i), data)));
    ASSERT_TRUE(fed) << fed.error().detail;
  }
  ASSERT_TRUE(in.feed(writer.end()));
  const auto got = in.finish();
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->sessions.size(), 120U);
  struct rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024) << "KiB";
  EXPECT_EQ(session_of(*got, 119).stream.data, data);
}

}  // namespace
}  // namespace term::store
