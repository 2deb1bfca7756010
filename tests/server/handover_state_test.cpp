// The document of a hand-over: as programs of state version 1 wrote and read it with a JSON
// library, so it stays, whoever writes it.

#include "server/handover_state.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/carry_state.h"
#include "server/handover_channel.h"

namespace term::server {
namespace {

using Json = nlohmann::json;

std::string cbor(const Json& json) {
  std::string out;
  Json::to_cbor(json, out);
  return out;
}

HandoverState some_state() {
  HandoverState state;
  state.host = "127.0.0.1";
  state.ws_port = 4001;
  state.http_port = 65535;
  state.locked = true;
  state.books = {{0, "books of 0"}, {65535, std::string(70'000, 'b')}};
  state.projects = {{.id = "p", .sessions = {"a", "b"}, .focused = {"b"}, .name_counter = 3}};
  state.connections = {{"a", std::string("\0\xff", 2)}, {"b", "state"}};
  state.requests = {{true, "GET / HT"}, {false, ""}};
  return state;
}

Json some_document() {
  return {{"version", 1},
          {"host", "127.0.0.1"},
          {"ws_port", 4001},
          {"http_port", 65535},
          {"locked", true},
          {"sessions",
           {{{"slot", 0}, {"books", "books of 0"}},
            {{"slot", 65535}, {"books", std::string(70'000, 'b')}}}},
          {"projects", Json::array({{{"id", "p"},
                                     {"sessions", {"a", "b"}},
                                     {"focused", Json::array({"b"})},
                                     {"layout", ""},
                                     {"nameCounter", 3},
                                     {"recentCreations", Json::array()},
                                     {"breakerUntil", nullptr}}})},
          {"connections",
           {{{"session", "a"}, {"state", Json::binary({0x00, 0xff})}},
            {{"session", "b"}, {"state", Json::binary({'s', 't', 'a', 't', 'e'})}}}},
          {"requests",
           {{{"operator_port", true},
             {"received", Json::binary({'G', 'E', 'T', ' ', '/', ' ', 'H', 'T'})}},
            {{"operator_port", false}, {"received", Json::binary({})}}}}};
}

void expect_some_state(const Result<HandoverState>& read) {
  ASSERT_TRUE(read) << read.error().detail;
  const HandoverState expected = some_state();
  EXPECT_EQ(read->host, expected.host);
  EXPECT_EQ(read->ws_port, expected.ws_port);
  EXPECT_EQ(read->http_port, expected.http_port);
  EXPECT_EQ(read->locked, expected.locked);
  EXPECT_EQ(read->books, expected.books);
  EXPECT_EQ(read->projects, expected.projects);
  ASSERT_EQ(read->connections.size(), 2U);
  EXPECT_EQ(read->connections[0].session, "a");
  EXPECT_EQ(read->connections[0].state, expected.connections[0].state);
  EXPECT_EQ(read->connections[1].state, "state");
  ASSERT_EQ(read->requests.size(), 2U);
  EXPECT_TRUE(read->requests[0].operator_port);
  EXPECT_EQ(read->requests[0].received, "GET / HT");
  EXPECT_FALSE(read->requests[1].operator_port);
}

TEST(HandoverDocument, IsForAnOlderProgramWhatItEverWas) {
  EXPECT_EQ(Json::from_cbor(to_cbor(some_state())), some_document());
}

TEST(HandoverDocument, OfAnOlderProgramIsRead) {
  expect_some_state(handover_state_from_cbor(cbor(some_document())));
}

TEST(HandoverDocument, OfALaterOneIsReadWithoutWhatIsUnknown) {
  Json later = some_document();
  later["colour"] = {{"deep", {1, -2, 0.5, nullptr, Json::binary({1})}}};
  later["sessions"][0]["since"] = {1, 2};
  later["connections"][1]["mood"] = "good";
  later["requests"][0]["age"] = -1;
  expect_some_state(handover_state_from_cbor(cbor(later)));
}

TEST(HandoverDocument, HasDefaultsForWhatIsMissing) {
  const auto read = handover_state_from_cbor(cbor({{"version", 1}}));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->host, "");
  EXPECT_FALSE(read->locked);
  EXPECT_TRUE(read->books.empty() && read->connections.empty() && read->requests.empty());
}

TEST(HandoverDocument, ThatCannotBeReadIsRefusedByName) {
  const auto refusal = [](const char* where, const Json& bad) {
    Json document = some_document();
    document[Json::json_pointer(where)] = bad;
    const auto read = handover_state_from_cbor(cbor(document));
    return read ? std::string() : read.error().detail;
  };
  EXPECT_NE(refusal("/version", kStateVersion + 1).find("it has 2"), std::string::npos);
  EXPECT_NE(refusal("/ws_port", 65536).find("ws_port"), std::string::npos);
  EXPECT_NE(refusal("/sessions/1/slot", 65536).find("sessions.slot"), std::string::npos);
  EXPECT_NE(refusal("/sessions/1", Json::object()).find("sessions"), std::string::npos);
  EXPECT_NE(refusal("/connections/0/state", "text").find("connections.state"), std::string::npos);
  EXPECT_NE(refusal("/projects/0/id", "a/b").find("id"), std::string::npos);
  EXPECT_FALSE(handover_state_from_cbor(""));
  EXPECT_FALSE(handover_state_from_cbor(cbor(some_document()).substr(0, 1000)));
}

TEST(HandoverDocument, OfAConnectionIsForAnOlderProgramWhatItEverWas) {
  CarriedState state;
  state.stage = CarriedState::Stage::attached;
  state.headers = {{"host", "h"}};
  state.dialect = "native";
  state.dialect_state = "{}";
  state.session = "s";
  state.project = "p";
  state.path = "/x";
  state.size = WindowSize{.rows = 3, .cols = 4};
  state.attach_within = Millis(7);
  state.received = "\xff";
  state.frames = {{.text = false, .payload = "f"}};
  state.viewer.client = "c";
  state.viewer.role = ViewerRole::viewer;
  state.viewer.sent = 9;
  state.viewer.acked = 8;
  state.viewer.window = 1ULL << 40U;
  state.viewer.acks = true;
  state.news.resized = WindowSize{.rows = 7, .cols = 8};
  state.news.close_code = 4001;
  state.news.notices = {{.kind = "limit", .message = "m", .eta = "e", .over = true}};
  state.input_next = 10;
  state.ping_due = true;
  const auto bytes = [](const std::string& text) {
    return Json::binary({text.begin(), text.end()});
  };
  const Json expected{
      {"version", 1},
      {"stage", "attached"},
      {"headers", Json::array({{{"name", "host"}, {"value", bytes("h")}}})},
      {"extensions", ""},
      {"dialect", "native"},
      {"dialectState", "{}"},
      {"session", "s"},
      {"project", "p"},
      {"path", bytes("/x")},
      {"size", {{"cols", 4}, {"rows", 3}}},
      {"create", true},
      {"token", bytes("")},
      {"attachWithin", 7},
      {"received", bytes("\xff")},
      {"unsent", bytes("")},
      {"frames", Json::array({{{"text", false}, {"payload", bytes("f")}}})},
      {"viewer",
       {{"client", bytes("c")},
        {"role", "viewer"},
        {"sent", 9},
        {"acked", 8},
        {"window", 1ULL << 40U},
        {"acks", true},
        {"exempt", false},
        {"wanted", nullptr}}},
      {"news",
       {{"resized", {{"cols", 8}, {"rows", 7}}},
        {"resizedBy", bytes("")},
        {"status", false},
        {"engine", false},
        {"notices",
         Json::array({{{"kind", "limit"}, {"message", "m"}, {"eta", "e"}, {"over", true}}})},
        {"closeReason", ""},
        {"closeCode", 4001}}},
      {"inputRest", bytes("")},
      {"inputNext", 10},
      {"inputTold", 0},
      {"suspendedTold", false},
      {"pingDue", true},
      {"quietChecks", 0}};
  EXPECT_EQ(Json::from_cbor(to_cbor(state)), expected);
  const auto read = carried_state_from_cbor(cbor(expected));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(to_cbor(*read), to_cbor(state));
}

}  // namespace
}  // namespace term::server
