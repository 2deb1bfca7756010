// The five signals: one event when a threshold is crossed, one when it is clear again, everywhere.

#include "server/alerts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "support/test_server.h"

namespace term::test {
namespace {

using server::AlertEvent;
using server::AlertKind;
using server::Alerts;
using server::AlertSample;
using Json = nlohmann::json;

/// Looks a second later each time.
class AlertsTest : public testing::Test {
 protected:
  /// How often `kind` fired and cleared in `seconds` looks at what `change` makes of the sample.
  std::pair<int, int> look(AlertKind kind, int seconds,
                           const std::function<void(AlertSample&, int)>& change) {
    std::pair<int, int> events;
    for (int n = 0; n < seconds; ++n) {
      sample_.at += std::chrono::seconds(1);
      change(sample_, n);
      for (const AlertEvent& event : alerts_.look(sample_)) {
        EXPECT_EQ(event.kind, kind);
        ++(event.raised ? events.first : events.second);
      }
    }
    return events;
  }
  using Events = std::pair<int, int>;

  Alerts alerts_{server::alert_thresholds(server::Config{})};
  AlertSample sample_{.at = WallTime{Millis{1'000'000}}};
};

TEST_F(AlertsTest, FireOnceAndClearOnce) {
  struct Case {
    AlertKind kind;
    double AlertSample::* value;
    double high;
    double low;
  };
  for (const Case& c : {Case{AlertKind::memory, &AlertSample::memory_bytes, 3e9, 1e9},
                        Case{AlertKind::error_rate, &AlertSample::error_percent, 1.01, 0.9},
                        Case{AlertKind::response_time, &AlertSample::response_ms, 501, 450}}) {
    EXPECT_EQ(look(c.kind, 20, [&](AlertSample& s, int) { s.*c.value = c.low; }), Events(0, 0));
    EXPECT_EQ(look(c.kind, 20, [&](AlertSample& s, int) { s.*c.value = c.high; }), Events(1, 0));
    EXPECT_TRUE(alerts_.state(c.kind).raised);
    EXPECT_EQ(look(c.kind, 20, [&](AlertSample& s, int) { s.*c.value = c.low; }), Events(0, 1));
    EXPECT_FALSE(alerts_.state(c.kind).raised);
    EXPECT_EQ(alerts_.state(c.kind).times_raised, 1U);
  }
}

TEST_F(AlertsTest, ThatFlutterAroundTheThresholdFireOnce) {
  EXPECT_EQ(look(AlertKind::error_rate, 100,
                 [](AlertSample& s, int n) { s.error_percent = n % 2 == 0 ? 1.2 : 0.8; }),
            Events(1, 0));
  EXPECT_EQ(look(AlertKind::error_rate, 100, [](AlertSample& s, int) { s.error_percent = 0.95; }),
            Events(0, 0))
      << "just below is not over";
}

TEST_F(AlertsTest, OfCpuNeedFiveSecondsOnEnd) {
  const auto busy = [](double cores) {
    return [cores](AlertSample& s, int) { s.cpu_seconds += cores; };
  };
  sample_.cores = 2;
  EXPECT_EQ(look(AlertKind::cpu, 10, busy(1.5)), Events(0, 0)) << "75 % of two cores";
  EXPECT_EQ(look(AlertKind::cpu, 4, busy(1.9)), Events(0, 0)) << "a burst";
  EXPECT_EQ(look(AlertKind::cpu, 1, busy(0.1)), Events(0, 0));
  EXPECT_EQ(look(AlertKind::cpu, 10, busy(1.9)), Events(1, 0));
  EXPECT_NEAR(alerts_.state(AlertKind::cpu).value, 95, 0.001);
  EXPECT_EQ(look(AlertKind::cpu, 10, busy(0.1)), Events(0, 1));
}

TEST_F(AlertsTest, OfALossClearFiveMinutesLater) {
  EXPECT_EQ(
      look(AlertKind::session_loss, 5, [](AlertSample& s, int n) { s.lost = n == 0 ? 0 : 2; }),
      Events(1, 0));
  EXPECT_EQ(look(AlertKind::session_loss, 290, [](AlertSample&, int) {}), Events(0, 0));
  EXPECT_EQ(look(AlertKind::session_loss, 60, [](AlertSample&, int) {}), Events(0, 1));
  EXPECT_EQ(look(AlertKind::session_loss, 2, [](AlertSample& s, int) { s.lost = 3; }),
            Events(1, 0));
}

TEST(AlertText, NamesValueAndThreshold) {
  EXPECT_EQ(describe(AlertEvent{AlertKind::error_rate, true, 2.134, 1, {}}),
            "error rate 2.13 % > 1 %");
  EXPECT_EQ(describe(AlertEvent{AlertKind::memory, false, 1073741824, 2147483648, {}}),
            "memory 1 GiB <= 2 GiB");
  EXPECT_EQ(describe(AlertEvent{AlertKind::session_loss, true, 1, 0, {}}), "session loss 1 > 0");
}

/// A source of ptys that has none.
class NoPtys final : public PtySource {
 public:
  void spawn(PtyRequest, Started done) override { done(Error{Errc::os_error, "no pty: injected"}); }
  void on_end(const Pty&, const boost::asio::any_io_executor&, Ended) override {}
  void signal(const Pty&, int) override {}
  void release(Pty) override {}
};

class AlertsOfAService : public testing::TestWithParam<Engine> {};

TEST_P(AlertsOfAService, AreInHealthAndMetricsUntilTheyClear) {
  std::atomic<std::int64_t> later{0};
  const auto clock = [real = monotonic_wall_clock(), &later] {
    return real() + Millis{later.load()};
  };
  server::Config config;
  config.ws_port = config.http_port = 0;
  config.shards = 2;
  config.refactor_enabled.value = GetParam() == Engine::refactored;
  server::Service service(std::move(config),
                          {.clock = clock, .source = std::make_unique<NoPtys>()});
  ASSERT_TRUE(service.start());
  const auto get = [&](const std::string& target) {
    return http(service.http_port(), "GET", target).body;
  };
  const auto eventually = [&](const std::string& target, const std::string& part) {
    return until([&] { return get(target).find(part) != std::string::npos; });
  };
  EXPECT_NE(get("/metrics").find("terminal_alert{signal=\"error_rate\"} 0\n"), std::string::npos);
  EXPECT_EQ(http(service.ws_port(), "POST", "/api/terminal/create", R"({"projectId": "p"})").status,
            503U);
  EXPECT_TRUE(eventually("/metrics", "terminal_alert{signal=\"error_rate\"} 1\n"));
  const Json health = Json::parse(get("/api/health/terminal"));
  EXPECT_EQ(health.at("status"), "degraded") << health.dump();
  EXPECT_NE(health.at("reasons").dump().find("error rate 100 % > 1 %: rollback recommended"),
            std::string::npos)
      << health.dump();
  EXPECT_EQ(health.at("alerts").at("error_rate").at("raised"), true);
  EXPECT_EQ(health.at("alerts").at("memory").at("raised"), false);
  EXPECT_GT(health.at("alerts").at("memory").at("value"), 0);

  later = 6 * 60 * 1000;  // The five minutes of the rate are over.
  EXPECT_TRUE(eventually("/metrics", "terminal_alert{signal=\"error_rate\"} 0\n"));
  EXPECT_NE(get("/metrics").find("terminal_alerts_total{signal=\"error_rate\"} 1\n"),
            std::string::npos);
  EXPECT_EQ(Json::parse(get("/api/health/terminal")).at("status"), "healthy");
}

INSTANTIATE_TEST_SUITE_P(Alerts, AlertsOfAService,
                         testing::Values(Engine::legacy, Engine::refactored),
                         [](const auto& param) { return std::string(to_string(param.param)); });

TEST(ShellUsage, OfABusyShellAndOfWhatRunsInFrontOfItIsInTheMetrics) {
  TestServer server;
  NativeClient shell(server, "busy");
  NativeClient idle(server, "idle");
  shell.type("sh -c 'while :; do :; done'\n");
  EXPECT_TRUE(server.eventually("/api/metrics/terminals/memory", [](const Json& json) {
    const Json& sessions = json.at("per_session");
    return sessions.contains("busy") && sessions.at("busy").at("shell_cpu_percent") > 0 &&
           sessions.at("busy").at("shell_memory") > sessions.at("idle").at("shell_memory") &&
           sessions.at("idle").at("shell_memory") > 0;
  }));
  shell.type("\x03");
}

}  // namespace
}  // namespace term::test
