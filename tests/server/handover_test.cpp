// How long the old process waits for a new one that adopts. That what is handed over goes on is
// tests/chaos.

#include "server/handover.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>

#include "support/restarting.h"

namespace term::test {
namespace {

class HandoverPatience : public RestartTest {
 protected:
  /// The error of a hand-over to a program that does as its name says.
  std::string refused(const std::string& how, server::Handover::Request request) {
    const auto path = dir_.path() / ("bad-" + how);
    std::filesystem::copy_file(TERM_BAD_SUCCESSOR, path);
    request.binary = path;
    auto& service = server().service();
    auto report = boost::asio::co_spawn(service.shards().first(), service.handover().run(request),
                                        boost::asio::use_future)
                      .get();
    if (report) ADD_FAILURE() << "handed over to " << path;
    return report ? std::string() : report.error().detail;
  }
  /// The same shell, with all it had.
  void goes_on(NativeClient& client) {
    client.type("echo b=$a\n");
    EXPECT_TRUE(client.sees("b=kept"));
  }
};

TEST_F(HandoverPatience, WhoGetsOnWithItIsWaitedFor) {
  start();
  NativeClient client(server(), "s");
  client.type("a=kept; echo ready-$a\n");
  ASSERT_TRUE(client.sees("ready-kept"));
  // Longer than the silence allowed; refused by itself, not by us.
  const auto why = refused("slow", {.silence = Millis(2000), .adopt_each = Millis(30'000)});
  EXPECT_NE(why.find("slow, and then refused"), std::string::npos) << why;
  goes_on(client);
}

TEST_F(HandoverPatience, WhoStandsStillIsNot) {
  start();
  NativeClient client(server(), "s");
  client.type("a=kept; echo ready-$a\n");
  ASSERT_TRUE(client.sees("ready-kept"));
  const auto why = refused("hangs-frozen", {.silence = Millis(300), .adopt_each = Millis(30'000)});
  EXPECT_NE(why.find("did not say \"adopted\" within 300 ms"), std::string::npos) << why;
  goes_on(client);
}

TEST_F(HandoverPatience, NobodyIsWaitedForForever) {
  start();
  NativeClient client(server(), "s");
  client.type("a=kept; echo ready-$a\n");
  ASSERT_TRUE(client.sees("ready-kept"));
  const auto why = refused("never-done", {.silence = Millis(1000), .adopt_each = Millis(0)});
  EXPECT_NE(why.find("did not say \"adopted\""), std::string::npos) << why;
  goes_on(client);
}

}  // namespace
}  // namespace term::test
