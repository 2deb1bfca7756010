// The engine cache: in the process, and in a real Redis that dies, stops, forgets and lies.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/engine_cache.h"
#include "support/redis.h"
#include "support/test_server.h"

namespace term::test {
namespace {

using Json = nlohmann::json;

const std::string kRoute = "/api/admin/routing?sessionId=";

Json cache(TestServer& server) { return server.json("/api/health/terminal").at("cache"); }

std::function<void(server::Config&)> with(const std::string& url) {
  return [url](server::Config& config) { config.redis_url = url; };
}

bool available(TestServer& server, bool wanted) {
  return server.eventually("/api/health/terminal",
                           [&](const Json& j) { return j.at("cache").at("available") == wanted; });
}

/// Until Redis has an entry for the session; it is written in the background.
std::string entry(const RedisServer& redis, const std::string& id) {
  std::optional<std::string> text;
  until([&] { return (text = redis.run({"GET", "terminal:engine:" + id})).has_value(); });
  return text.value_or("");
}

/// The answer is the truth, whatever the cache thinks.
void expect_truth(TestServer& server, const std::string& id, const char* engine) {
  const Json answer = server.json(kRoute + id);
  ASSERT_TRUE(answer.contains("engine")) << answer.dump();
  for (const char* port : {"sessions", "streams", "telemetry"})
    EXPECT_EQ(answer.at("engine").at(port), engine) << answer.dump();
  EXPECT_EQ(answer.at("verified"), true);
}

TEST(Cache, EntriesAreReadStrictly) {
  using server::CachedRoute;
  const CachedRoute route{{Engine::legacy, Engine::refactored, Engine::legacy}, "host:4001"};
  EXPECT_EQ(server::to_text(route), "1 LRL host:4001");
  EXPECT_EQ(server::route_from_text("1 LRL host:4001"), route);
  for (const char* bad : {"", "1", "1 LRL", "1 LRL ", "2 LRL host:4001", "1 LXL host:4001",
                          "1 LRLL host", "1 LRL a b", "1 LRL a\nb", "{}"})
    EXPECT_EQ(server::route_from_text(bad), std::nullopt) << bad;
  EXPECT_EQ(server::route_from_text("1 LRL " + std::string(1000, 'x')), std::nullopt);
}

TEST(Cache, UrlsOfRedisAreTakenApartAndShownWithoutPassword) {
  const auto full = server::parse_redis_url("redis://me:p%40ss@[::1]:7000/3");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->host, "::1");
  EXPECT_EQ(full->port, 7000);
  EXPECT_EQ(full->user, "me");
  EXPECT_EQ(full->password, "p@ss");
  EXPECT_EQ(full->database, 3U);
  EXPECT_EQ(full->shown(), "redis://[::1]:7000/3");
  EXPECT_EQ(server::parse_redis_url("unix:///run/r.sock?db=2")->path, "/run/r.sock");
  EXPECT_EQ(server::parse_redis_url("unix:///run/r.sock?db=2")->database, 2U);
  EXPECT_EQ(server::parse_redis_url("redis://h")->port, 6379);
  for (const char* bad : {"http://h", "redis://", "redis://h:port", "redis://h:70000",
                          "redis://h/x", "redis://%zz@h", "redis://[::1", "unix://relative"}) {
    const auto refused = server::parse_redis_url(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().detail.find(bad), std::string::npos) << "URLs hold passwords";
  }
}

TEST(Cache, InTheProcessItHitsAndFollowsFlipsAndEnds) {
  TestServer server;
  NativeClient client(server, "s");
  EXPECT_EQ(server.json(kRoute + "s").at("cache"), "hit");
  expect_truth(server, "s", "refactored");
  server.flags({{"terminal_refactor", false}, {"force", true}});
  EXPECT_EQ(server.json(kRoute + "s").at("cache"), "hit") << "the flip wrote it";
  expect_truth(server, "s", "legacy");
  client.control({{"type", "close"}});
  ASSERT_TRUE(server.eventually(
      kRoute + "s", [](const Json& j) { return j.value("code", "") == "no_such_session"; }));
  const Json now = cache(server);
  EXPECT_EQ(now.at("backend"), "process");
  EXPECT_GE(now.at("hits").get<int>(), 3);
  EXPECT_GE(now.at("misses").get<int>(), 1);
  EXPECT_EQ(now.at("wrong"), 0);
  EXPECT_EQ(now.at("entries"), 0);
  EXPECT_NE(server.get("/metrics").body.find("terminal_cache_lookups_total{result=\"hit\"}"),
            std::string::npos);
  EXPECT_EQ(server.get(kRoute + "..%2F").status, 400U);
}

TEST(Cache, RedisHasTheEntryAndFlushdbCostsOneMiss) {
  RedisServer redis;
  TestServer server(with(redis.unix_url()));
  ASSERT_TRUE(available(server, true));
  NativeClient client(server, "s");
  EXPECT_TRUE(entry(redis, "s").starts_with("1 RRR "));
  EXPECT_EQ(server.json(kRoute + "s").at("cache"), "hit");
  ASSERT_EQ(redis.run({"FLUSHDB"}), "OK");
  expect_truth(server, "s", "refactored");
  EXPECT_TRUE(entry(redis, "s").starts_with("1 RRR ")) << "it comes back by itself";
  const std::string ttl = redis.run({"TTL", "terminal:engine:s"}).value_or("");
  EXPECT_GT(std::atoi(ttl.c_str()), 0) << "nothing stays for ever";
}

TEST(Cache, WrongEntriesAndGarbageAreNoticedCountedAndCorrected) {
  RedisServer redis;
  TestServer server(with(redis.tcp_url()));
  ASSERT_TRUE(available(server, true));
  NativeClient client(server, "s");
  ASSERT_FALSE(entry(redis, "s").empty());
  int wrong = 0;
  for (const std::string lie : {"1 LLL elsewhere:1", "garbage", "1 LRR x", ""}) {
    // The service refreshes entries by itself, so the lie must be told at the right moment.
    ASSERT_TRUE(server.eventually(kRoute + "s", [&](const Json& j) {
      if (j.at("cache") == "wrong") return true;
      (void)redis.run({"SET", "terminal:engine:s", lie});
      return false;
    })) << lie;
    ++wrong;
    expect_truth(server, "s", "refactored");
  }
  EXPECT_GE(cache(server).at("wrong").get<int>(), wrong);
  client.type("echo still$((1+1))\n");
  EXPECT_TRUE(client.sees("still2"));
}

TEST(Cache, AKeyOfAnotherTypeIsAnErrorAndNothingElse) {
  RedisServer redis;
  TestServer server(with(redis.unix_url()));
  ASSERT_TRUE(available(server, true));
  ASSERT_EQ(redis.run({"LPUSH", "terminal:engine:ghost", "x"}), "1");
  EXPECT_EQ(server.json(kRoute + "ghost").at("code"), "no_such_session");
  EXPECT_GE(cache(server).at("errors").get<int>(), 1);
  EXPECT_TRUE(available(server, true)) << "it connects again";
}

TEST(Cache, ASessionOfAnotherServiceIsAHintAndSaysSo) {
  RedisServer redis;
  TestServer server(with(redis.unix_url()));
  ASSERT_TRUE(available(server, true));
  ASSERT_EQ(redis.run({"SET", "terminal:engine:far", "1 LLL other:4001"}), "OK");
  const Json answer = server.json(kRoute + "far");
  EXPECT_EQ(answer.at("instance"), "other:4001");
  EXPECT_EQ(answer.at("verified"), false);
}

TEST(Cache, ADeadRedisChangesNothingAndIsFoundAgain) {
  RedisServer redis;
  TestServer server(with(redis.unix_url()));
  ASSERT_TRUE(available(server, true));
  NativeClient before(server, "before");
  redis.kill();
  NativeClient during(server, "during");
  during.type("echo alive$((1+1))\n");
  EXPECT_TRUE(during.sees("alive2"));
  expect_truth(server, "before", "refactored");
  expect_truth(server, "during", "refactored");
  server.flags({{"terminal_refactor", false}, {"force", true}});
  expect_truth(server, "during", "legacy");
  ASSERT_TRUE(available(server, false));
  EXPECT_EQ(server.json("/api/health/terminal").at("status"), "healthy")
      << "a cache is not worth an alarm";
  redis.start();
  ASSERT_TRUE(available(server, true));
  EXPECT_TRUE(entry(redis, "during").starts_with("1 LLL "));
  EXPECT_TRUE(entry(redis, "before").starts_with("1 LLL "));
}

TEST(Cache, AStoppedRedisIsGivenUpAndComesBack) {
  RedisServer redis;
  TestServer server(with(redis.unix_url()));
  ASSERT_TRUE(available(server, true));
  NativeClient client(server, "s");
  redis.stop();
  expect_truth(server, "s", "refactored");
  client.type("echo alive$((1+1))\n");
  EXPECT_TRUE(client.sees("alive2"));
  ASSERT_TRUE(available(server, false));
  EXPECT_GE(cache(server).at("errors").get<int>(), 1);
  redis.go_on();
  ASSERT_TRUE(available(server, true));
  EXPECT_FALSE(entry(redis, "s").empty());
}

TEST(Cache, APasswordIsUsedAndNeverShown) {
  RedisServer redis("correct-horse");
  {
    TestServer server(with(redis.tcp_url()));
    ASSERT_TRUE(available(server, true));
    NativeClient client(server, "s");
    EXPECT_FALSE(entry(redis, "s").empty());
    EXPECT_EQ(cache(server).dump().find("correct-horse"), std::string::npos);
  }
  const std::string wrong = "redis://:battery-staple@127.0.0.1:" + std::to_string(redis.port());
  TestServer server(with(wrong));
  ASSERT_TRUE(server.eventually("/api/health/terminal", [](const Json& j) {
    return j.at("cache").at("detail").get<std::string>().find("AUTH") != std::string::npos;
  }));
  EXPECT_EQ(server.get("/api/health/terminal").body.find("battery-staple"), std::string::npos);
  EXPECT_EQ(server.get("/metrics").body.find("battery-staple"), std::string::npos);
}

}  // namespace
}  // namespace term::test
