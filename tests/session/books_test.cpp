// The books of a session as text: what is put down is read back, what is damaged is refused by
// name.

#include "session/books.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "session/snapshot_json.h"

namespace term {
namespace {

using Json = nlohmann::json;

/// Books that a service could have written.
class BooksMaker {
 public:
  explicit BooksMaker(std::uint64_t seed) : random_(seed) {}

  Books make() {
    Books books;
    books.owners = {engine(), engine(), engine()};
    fill(books.snapshot.session);
    fill(books.snapshot.stream, books.snapshot.session);
    books.snapshot.telemetry.input_bytes = up_to(kMost);
    books.snapshot.telemetry.output_bytes = up_to(kMost);
    books.snapshot.telemetry.commands.total = up_to(kMost);
    books.snapshot.telemetry.commands.by_category["files"] = up_to(100);
    books.snapshot.telemetry.commands.pending = coin() ? "git" : "";
    for (auto n = up_to(3); n > 0; --n) books.queued.push_back({text(), up_to(kMost), bytes(300)});
    return books;
  }

  std::string bytes(std::size_t most) {
    std::string made;
    for (auto n = up_to(most); n > 0; --n) made += static_cast<char>(up_to(255));
    return made;
  }
  std::uint64_t up_to(std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(0, most)(random_);
  }

 private:
  static constexpr std::uint64_t kMost = (1ULL << 53U) - 1;
  bool coin() { return up_to(1) == 1; }
  Engine engine() { return coin() ? Engine::legacy : Engine::refactored; }
  WallTime time() { return WallTime{Millis{up_to(4'000'000'000'000)}}; }
  std::string text() {
    static const std::vector<std::string> kPieces{"a", "Z", " ", "\"", "\\", "é", "終", "\n", "0"};
    std::string made;
    for (auto n = up_to(9); n > 0; --n) made += kPieces.at(up_to(kPieces.size() - 1));
    return made;
  }

  void fill(SessionRecord& record) {
    record.id = "session_" + std::to_string(up_to(99999)) + "_ab.C-1";
    if (coin()) record.project_id = "project-" + std::to_string(up_to(9));
    if (coin()) record.user_id = text();
    record.tab_name = text();
    record.status = static_cast<SessionState>(up_to(5));
    record.focused = coin();
    record.created_at = time();
    record.updated_at = time();
    record.last_activity = time();
    record.shell = "/bin/sh";
    record.args = {text(), text()};
    record.current_path = coin() ? "/tmp/" + text() : "/tmp/\xff\xfe";
    record.environment["NAME"] = text();
    record.window = {.rows = static_cast<std::uint16_t>(1 + up_to(999)),
                     .cols = static_cast<std::uint16_t>(1 + up_to(999))};
    record.lifecycle.state = record.status;
    record.lifecycle.entered_at = time();
    record.lifecycle.transitions.push_back(
        {SessionState::starting, SessionState::attached, time(), text()});
    if (record.status == SessionState::suspended)
      record.suspension = Suspension{time(), time(), SessionState::attached};
    if (coin()) record.disconnect.keep_alive_until = time();
    if (coin()) record.metadata = Json{{"kept", {1, "two", nullptr}}}.dump();
  }

  void fill(StreamRecord& stream, const SessionRecord& record) {
    stream.first_offset = up_to(kMost - 1000);
    stream.next_offset = stream.first_offset + up_to(1000);
    for (auto n = up_to(3); n > 0; --n) {
      const auto accepted = up_to(kMost);
      stream.input[text()] = {accepted, up_to(accepted)};
    }
    stream.suspended = record.status == SessionState::suspended;
    stream.open = coin();
    stream.pid = static_cast<pid_t>(up_to(4'000'000));
    stream.window = record.window;
    if (coin()) stream.exit = ExitStatus{.code = 7, .signal = "", .at = time()};
  }

  std::mt19937_64 random_;
};

Json parsed(const Books& books) { return Json::parse(to_text(books)); }

/// The error of reading `json`; fails the test when it is readable.
std::string refusal(const Json& json) {
  const auto read = books_from_text(json.dump());
  if (read) {
    ADD_FAILURE() << "read: " << json.dump().substr(0, 200);
    return {};
  }
  EXPECT_EQ(read.error().code, Errc::bad_snapshot);
  return read.error().detail;
}

TEST(Books, ComeBackAsTheyWere) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Books books = BooksMaker(seed).make();
    const auto read = books_from_text(to_text(books));
    ASSERT_TRUE(read) << seed << ": " << read.error().detail;
    ASSERT_EQ(*read, books) << seed;
    ASSERT_EQ(to_text(*read), to_text(books)) << seed;
  }
}

TEST(Books, AsTextAreTheSnapshotsOneDocument) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    Books books = BooksMaker(seed).make();
    SessionSnapshot& snapshot = books.snapshot;
    snapshot.session.environment["W\xff"] = "\x01\xfe\"";
    snapshot.session.layout_position = -1;
    snapshot.telemetry.cpu_usage = 12.5;
    snapshot.telemetry.response_time_ms = 1e300;
    snapshot.telemetry.commands.running = RunningCommand{3, WallTime{Millis{5}}, "git", "git\xff"};
    snapshot.stream.viewers = {{.id = 4, .client = "c\xff", .wanted = WindowSize{}}, {.id = 5}};
    if (seed % 2 == 0) snapshot.stream.data = std::string("\0\xff", 2);
    ASSERT_EQ(parsed(books)["session"], Json::parse(to_json(snapshot).dump())) << seed;
  }
}

TEST(Books, OfOneSessionFitIntoItsSlot) {
  // As large as the limits let the parts of a record become in practice.
  Books books = BooksMaker(3).make();
  books.queued.clear();
  for (int i = 0; i < 256; ++i)
    books.snapshot.stream.input["client-" + std::to_string(i)] = {1ULL << 52U, 1ULL << 52U};
  EXPECT_LT(to_text(books).size(), Arena::kLargeBooks);
}

TEST(Books, OfALaterVersionAreReadWithoutWhatIsUnknown) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Books books = BooksMaker(seed).make();
    Json json = parsed(books);
    json["version"] = 2;
    json["mirror"] = {{"deep", {1, 2, 3}}};
    json["owners"]["store"] = "refactored";
    if (json.contains("queued"))
      for (auto& run : json["queued"]) run["since"] = 5;
    json["session"]["output"]["codec"] = "zstd";
    json["session"]["lifecycle"]["mood"] = "good";
    const auto read = books_from_text(json.dump());
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(*read, books);
  }
}

TEST(Books, OfAnEarlierVersionHaveDefaultsForWhatIsMissing) {
  const Json least{
      {"owners", {{"sessions", "legacy"}, {"streams", "refactored"}, {"telemetry", "legacy"}}},
      {"session", {{"id", "s-1"}}}};
  const auto read = books_from_text(least.dump());
  ASSERT_TRUE(read) << read.error().detail;
  Books expected;
  expected.owners = {Engine::legacy, Engine::refactored, Engine::legacy};
  expected.snapshot.session.id = "s-1";
  EXPECT_EQ(*read, expected);

  // Each field of a whole one may be missing, but for those without which it is nobody's.
  Books full = BooksMaker(11).make();
  full.snapshot.session.status = full.snapshot.session.lifecycle.state = SessionState::starting;
  full.snapshot.session.suspension.reset();
  full.queued = {{"c", 5, "bytes"}};
  const Json whole = parsed(full);
  for (const auto& [name, value] : whole["session"].items()) {
    if (name == "id") continue;
    Json without = whole;
    without["session"].erase(name);
    const auto some = books_from_text(without.dump());
    EXPECT_TRUE(some) << "without " << name << ": " << some.error().detail;
  }
  Json without = whole;
  without.erase("queued");
  without.erase("version");
  ASSERT_TRUE(books_from_text(without.dump()));
  EXPECT_TRUE(books_from_text(without.dump())->queued.empty());
}

TEST(Books, ThatAreWrongAreRefusedByTheNameOfTheField) {
  Books books = BooksMaker(4).make();
  books.queued = {{"c", 5, "bytes"}};
  const Json whole = parsed(books);
  const auto with = [&](const std::string& pointer, const Json& value) {
    Json changed = whole;
    changed[Json::json_pointer(pointer)] = value;
    return refusal(changed);
  };
  const auto names = [](const std::string& why, const std::string& field) {
    EXPECT_NE(why.find(field), std::string::npos) << why << " does not name " << field;
  };
  for (const Json& wrong : {Json(nullptr), Json(1), Json("x"), Json::array()}) {
    names(with("/owners", wrong), "owners");
    names(with("/owners/sessions", wrong), "sessions");
    names(with("/owners/streams", wrong), "streams");
    names(with("/owners/telemetry", wrong), "telemetry");
    if (!wrong.is_array()) names(with("/queued", wrong), "queued");
    names(with("/queued/0", wrong), "queued");
    if (!wrong.is_string()) names(with("/queued/0/client", wrong), "client");
    if (!wrong.is_number()) names(with("/queued/0/first", wrong), "first");
    names(with("/queued/0/bytes", wrong), "bytes");
    (void)with("/session", wrong);
    if (!wrong.is_string()) names(with("/session/id", wrong), "id");
  }
  names(with("/queued/0/first", -1), "first");
  names(with("/queued/0/first", 1.5), "first");
  names(with("/session/id", "../etc"), "id");
  names(with("/session/pid", "many"), "pid");
  names(with("/session/status", "brilliant"), "status");
  names(with("/session/output", "none"), "output");
  names(with("/session/createdAt", "yesterday"), "createdAt");
  Json nobody = whole;
  nobody.erase("owners");
  names(refusal(nobody), "owners");
  nobody = whole;
  nobody.erase("session");
  names(refusal(nobody), "session");
}

TEST(Books, OfADamagedTextAreRefusedAndNeverThrow) {
  for (const char* text : {"", "{", "null", "[]", "7", "\"text\"", "{}", "{\"session\":{}}",
                           "{\"session\":null,\"owners\":{}}", "\xFF\xFE", "\0"})
    EXPECT_FALSE(books_from_text(text)) << text;
  for (const std::size_t depth : {100UL, 100'000UL}) {
    const std::string deep(depth, '[');
    EXPECT_FALSE(books_from_text(deep));
    EXPECT_FALSE(books_from_text("{\"session\":" + deep + std::string(depth, ']') + "}"));
  }
  const std::string text = to_text(BooksMaker(9).make());
  for (std::size_t n = 0; n < text.size(); n += 5)
    EXPECT_FALSE(books_from_text(std::string_view(text).substr(0, n))) << "cut off at " << n;
  BooksMaker random(77);
  for (int round = 0; round < 1000; ++round) {
    (void)books_from_text(random.bytes(200));
    std::string damaged = text;
    for (auto n = random.up_to(3); n + 1 > 0; --n) {
      damaged.at(random.up_to(damaged.size() - 1)) = static_cast<char>(random.up_to(255));
      if (n == 0) break;
    }
    const auto read = books_from_text(damaged);  // What is still JSON may have other values.
    if (!read) EXPECT_FALSE(read.error().detail.empty());
  }
}

}  // namespace
}  // namespace term
