// A connection goes from one process to another, and its client sees nothing of it.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "carry_support.h"
#include "server/carry_state.h"
#include "session/snapshot_json.h"
#include "support/any_client.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

/// Numbered lines, then whatever is typed.
std::string flood(int lines = 300'000) {
  return kWait + ("seq 1 " + std::to_string(lines)) + "; exec cat";
}
std::string flooded(int lines = 300'000) {
  std::string all;
  for (int i = 1; i <= lines; ++i) all += std::to_string(i) + "\n";
  return all;
}

/// Two services in which the session `s` prints the same; the second has done so already.
struct Flooded {
  CarryServer a;
  CarryServer b;
  const std::string expected;
  explicit Flooded(int lines = 300'000, const std::function<void(server::Config&)>& adjust = {})
      : a(flood(lines), adjust), b(flood(lines), adjust), expected(flooded(lines)) {
    a.create("s");
    b.create("s");
    b.go();
    EXPECT_TRUE(b.printed("s", expected.size()));
  }
};

bool has_unsent(const Parcel& parcel) {
  return Json::from_cbor(parcel.state).at("unsent").get_binary().size() > 0;
}

class CarriedDialect : public testing::TestWithParam<Speaks> {};

TEST_P(CarriedDialect, SeesEveryByteOnceAndTypesOn) {
  Flooded two;
  AnyClient client(two.a.server(), "s", GetParam());
  two.a.go();
  ASSERT_TRUE(client.has(100'000));
  const auto texts = client.ws().inbox().texts.size();
  CarryServer* from = &two.a;
  CarryServer* to = &two.b;
  for (int hop = 0; hop < 9; ++hop) {  // Odd: it ends in the second.
    ASSERT_TRUE(hand_over(*from, *to, "s")) << hop;
    ASSERT_TRUE(two.a.printed("s", two.expected.size()));  // Nobody holds it back any more.
    std::swap(from, to);
    ASSERT_TRUE(client.has(
        std::min<std::size_t>(two.expected.size(), 100'000 * (static_cast<std::size_t>(hop) + 1))));
  }
  ASSERT_TRUE(client.has(two.expected.size()));
  EXPECT_TRUE(same_bytes(client.output(), two.expected));
  client.type("typed");
  EXPECT_TRUE(client.sees("typed", two.expected.size()));
  EXPECT_EQ(client.output().size(), two.expected.size() + 5);
  EXPECT_TRUE(two.b.output("s").ends_with("typed"));
  EXPECT_FALSE(two.a.output("s").ends_with("typed"));
  const Inbox inbox = client.ws().inbox();
  EXPECT_FALSE(inbox.closed);
  for (std::size_t i = texts; i < inbox.texts.size(); ++i) {
    const auto type = Json::parse(inbox.texts[i]).value("type", "");
    EXPECT_TRUE(type == "ack" || type == "stream") << inbox.texts[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Dialects, CarriedDialect,
                         testing::Values(Speaks::native, Speaks::raw, Speaks::json),
                         [](const auto& info) { return to_string(info.param); });

TEST(Carry, KeepsFloodAndTypingThroughAHundredFreezes) {
  CarryServer a(flood());
  a.create("s");
  AnyClient client(a.server(), "s", Speaks::native);
  a.go();
  std::string typed;
  std::size_t most_turns = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i) + ";";
    typed += key;
    client.type(key);
    auto parcel = freeze(a, "s");
    ASSERT_TRUE(parcel);
    most_turns = std::max(most_turns, parcel->turns);
    thaw(a, "s");
  }
  const std::string expected = flooded();
  ASSERT_TRUE(client.has(expected.size() + typed.size()));
  EXPECT_TRUE(same_bytes(client.output(), expected + typed));
  EXPECT_LT(most_turns, 1000U);
}

TEST(Carry, TypesEveryKeyOnceIntoOneShellOrTheOther) {
  CarryServer a("exec cat > typed");
  CarryServer b("exec cat > typed");
  a.create("s");
  b.create("s");
  NativeClient client(a.server(), "s", {.client = "typist"});
  std::string all;
  const auto type = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      all += std::to_string(i) + ",";
      client.type(std::to_string(i) + ",");
    }
  };
  type(0, 2000);
  auto parcel = freeze(a, "s");
  ASSERT_TRUE(parcel);
  const auto accepted = a.input("s", "typist").accepted;
  type(2000, 3000);
  ASSERT_TRUE(adopt(b, std::move(*parcel)));
  forget(a, "s");
  thaw(b, "s");
  type(3000, 4000);
  ASSERT_TRUE(a.file_has("typed", accepted));
  ASSERT_TRUE(b.file_has("typed", all.size() - accepted));
  EXPECT_TRUE(same_bytes(a.file("typed") + b.file("typed"), all));
  // The new process acknowledges in the numbers of the old one.
  EXPECT_TRUE(client.ws().wait_text("{\"input\":" + std::to_string(all.size()) + ","))
      << all.size() << ", but last " << client.ws().inbox().texts.back();
}

TEST(Carry, GoesOnAsIfNothingHadBeenWhenTheAdoptionFails) {
  Flooded two;
  AnyClient client(two.a.server(), "s", Speaks::native);
  two.a.go();
  ASSERT_TRUE(client.has(100'000));
  for (const char* field : {"dialect", "session", "stage", "received", "viewer"}) {
    auto parcel = freeze(two.a, "s");
    ASSERT_TRUE(parcel);
    Json state = Json::from_cbor(parcel->state);
    state[field] = field == std::string("viewer") ? Json{{"sent", "x"}} : Json("?");
    parcel->state.clear();
    Json::to_cbor(state, parcel->state);
    const auto adopted = adopt(two.b, std::move(*parcel));
    ASSERT_FALSE(adopted) << field;
    EXPECT_EQ(adopted.error().code, Errc::bad_snapshot);
    EXPECT_NE(adopted.error().detail.find(field), std::string::npos) << adopted.error().detail;
    thaw(two.a, "s");
  }
  auto beyond = freeze(two.a, "s");
  ASSERT_TRUE(beyond);
  Json state = Json::from_cbor(beyond->state);
  state["viewer"]["sent"] = 1'000'000'000;
  beyond->state.clear();
  Json::to_cbor(state, beyond->state);
  EXPECT_FALSE(adopt(two.b, std::move(*beyond)));
  thaw(two.a, "s");
  ASSERT_TRUE(client.has(two.expected.size()));
  EXPECT_TRUE(same_bytes(client.output(), two.expected));
  client.type("typed");
  EXPECT_TRUE(client.sees("typed", two.expected.size()));
}

TEST(Carry, GoesOnWhenTheOtherProcessAdoptedItAndThenFailed) {
  Flooded two;
  AnyClient client(two.a.server(), "s", Speaks::native);
  two.a.go();
  ASSERT_TRUE(client.has(100'000));
  auto parcel = freeze(two.a, "s");
  ASSERT_TRUE(parcel);
  ASSERT_TRUE(adopt(two.b, std::move(*parcel)));
  forget(two.b, "s");
  thaw(two.a, "s");
  ASSERT_TRUE(client.has(two.expected.size()));
  EXPECT_TRUE(same_bytes(client.output(), two.expected));
}

TEST(Carry, CarriesWhatASlowReaderHasNotTaken) {
  // Only the socket holds it back, and that takes some MB.
  Flooded two(1'000'000, [](server::Config& config) { config.viewer_window_bytes = 1 << 26; });
  NativeClient client(two.a.server(), "s", {.receive_buffer = 4096});
  client.ws().pause_reading(true);
  two.a.go();
  CarryServer* from = &two.a;
  CarryServer* to = &two.b;
  std::size_t most = 0;
  for (int hop = 0; hop < 13; ++hop) {
    auto parcel = freeze(*from, "s");
    for (int i = 0; parcel && i < 10000 && !has_unsent(*parcel); ++i) {
      thaw(*from, "s");
      parcel = freeze(*from, "s");
    }
    ASSERT_TRUE(parcel);
    most = std::max(most, Json::from_cbor(parcel->state).at("unsent").get_binary().size());
    ASSERT_TRUE(adopt(*to, std::move(*parcel)));
    forget(*from, "s");
    thaw(*to, "s");
    ASSERT_TRUE(two.a.printed("s", two.expected.size()));
    std::swap(from, to);
    const auto before = client.output().size();
    client.ws().pause_reading(false);
    client.ws().wait([&](const Inbox& in) {
      return in.bytes.size() >= std::min(two.expected.size(), before + 50'000);
    });
    client.ws().pause_reading(hop < 12);
  }
  EXPECT_GT(most, 0U);
  client.ws().wait([&](const Inbox& in) { return in.bytes.size() >= two.expected.size(); });
  EXPECT_TRUE(same_bytes(client.output(), two.expected));
}

TEST(Carry, OffersTheRestOfAHalfTakenPasteFirst) {
  const auto small = [](server::Config& config) { config.input_queue_bytes = 64 * 1024; };
  CarryServer a("exec sleep 1000", small);
  CarryServer b("exec cat > typed", small);
  a.create("s");
  b.create("s");
  NativeClient client(a.server(), "s", {.client = "typist"});
  std::string paste;
  for (int i = 0; paste.size() < 1'000'000; ++i) paste += std::to_string(i) + ",";
  client.type(paste);
  client.type("after");
  // The pty may have some of it already; nobody reads that.
  ASSERT_TRUE(until([&] { return a.input("s", "typist").accepted >= 64 * 1024; }));
  auto parcel = freeze(a, "s");
  ASSERT_TRUE(parcel);
  const auto accepted = a.input("s", "typist").accepted;
  const Json state = Json::from_cbor(parcel->state);
  EXPECT_EQ(state.at("inputRest").get_binary().size(), paste.size() - accepted);
  EXPECT_TRUE(state.at("viewer").at("exempt").get<bool>());
  ASSERT_TRUE(adopt(b, std::move(*parcel)));
  forget(a, "s");
  thaw(b, "s");
  const std::string expected = paste.substr(accepted) + "after";
  ASSERT_TRUE(b.file_has("typed", expected.size()));
  EXPECT_TRUE(same_bytes(b.file("typed"), expected));
}

TEST(Carry, LegacyKeepsHalfACharacterThatItHeldBack) {
  CarryServer a("printf '\\342\\202'; exec cat");
  CarryServer b("printf '\\342\\202\\254 paid'; exec cat");
  a.create("s");
  b.create("s");
  AnyClient client(a.server(), "s", Speaks::json);
  ASSERT_TRUE(a.printed("s", 2));
  ASSERT_TRUE(b.printed("s", 8));
  auto parcel = freeze(a, "s");
  ASSERT_TRUE(parcel);
  ASSERT_TRUE(adopt(b, std::move(*parcel)));
  forget(a, "s");
  thaw(b, "s");
  ASSERT_TRUE(client.sees("paid"));
  EXPECT_EQ(client.output(), "\u20ac paid");
}

TEST(Carry, WaitsForAttachInTheNewProcessAndNoLongerThanItWas) {
  const auto quick = [](server::Config& config) { config.handshake_timeout = Millis(1500); };
  CarryServer a("exec cat", quick);
  CarryServer b("exec cat", quick);
  b.create("s");  // In its own directory; in the other process there is none.
  RawPeer patient(a.server().port(), "/terminal/s");
  ASSERT_TRUE(hand_over(a, b, "s"));
  patient.send(
      RawPeer::frame(1, true, R"({"type":"attach","client":"c","input":0,"cols":80,"rows":24})"));
  EXPECT_TRUE(patient.receives(1, "\"attached\""));
  patient.send(RawPeer::frame(2, true, "hello"));
  EXPECT_TRUE(patient.receives(2, "hello"));

  CarryServer c("exec cat");
  const auto begun = std::chrono::steady_clock::now();
  RawPeer silent(a.server().port(), "/terminal/s");
  ASSERT_TRUE(hand_over(a, c, "s"));
  EXPECT_FALSE(silent.receive());  // Its time was up, though here it would be 10 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(8));
}

TEST(Carry, GivesNothingForAConnectionThatIsEnding) {
  CarryServer a("read line; exit 3");
  a.create("s");
  NativeClient client(a.server(), "s");
  client.ws().pause_reading(true);  // It never answers our close frame.
  auto& shard = a.shard("s");
  client.type("x\n");
  ASSERT_TRUE(until([&] {
    return on_shard(shard, [&] {
      const auto session = shard.sessions->find("s");
      return !session || session->ended();
    });
  }));
  EXPECT_FALSE(freeze(a, "s"));
  thaw(a, "s");
  client.ws().pause_reading(false);
  EXPECT_TRUE(client.message("exit"));
  EXPECT_TRUE(client.ws().wait_closed());
}

TEST(Carry, TellsInTheNewProcessWhatWasStillToBeTold) {
  CarryServer a("exec cat");
  CarryServer b("exec cat");
  a.create("s");
  b.create("s");
  NativeClient client(a.server(), "s");
  auto& shard = a.shard("s");
  auto parcel = freeze(a, "s");
  on_shard(shard, [&] {
    shard.sessions->find("s")->tell([](ViewerNews& news) {
      news.resized = WindowSize{.rows = 11, .cols = 22};
      news.resized_by = "another";
      news.notices.push_back({.kind = "maintenance", .message = "soon"});
    });
    return true;
  });
  parcel = freeze(a, "s");  // Again: what came while it was frozen goes along, too.
  ASSERT_TRUE(parcel);
  ASSERT_TRUE(adopt(b, std::move(*parcel)));
  forget(a, "s");
  thaw(b, "s");
  EXPECT_TRUE(
      client.ws().wait_text(R"({"client":"another","cols":22,"rows":11,"type":"resized"})"));
  EXPECT_TRUE(client.ws().wait_text("\"soon\""));
}

}  // namespace
}  // namespace term::test
