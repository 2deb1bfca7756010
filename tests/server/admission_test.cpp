// Maintenance and the share of traffic: who is let in, who is told, and what outlives the process.

#include "adapter/admission.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/service_books.h"
#include "support/restarting.h"
#include "support/service_process.h"

namespace term::test {
namespace {

using Json = nlohmann::json;
using adapter::AdmissionRules;

HttpReply enable(TestServer& server, const std::string& body = "") {
  return http(server.operator_port(), "POST", "/api/admin/maintenance/enable", body);
}
HttpReply disable(TestServer& server) {
  return http(server.operator_port(), "POST", "/api/admin/maintenance/disable");
}
HttpReply traffic(TestServer& server, int percentage) {
  return server.post("/api/admin/traffic", {{"percentage", percentage}});
}
HttpReply create(TestServer& server, const std::string& id) {
  return server.post("/api/terminal/create", {{"projectId", "p"}, {"sessionId", id}});
}

TEST(AdmissionRules, AShareGrowsWithoutTurningAnybodyAway) {
  std::size_t admitted_before = 0;
  for (const int percentage : {0, 10, 25, 50, 75, 100}) {
    AdmissionRules rules;
    rules.percentage = percentage;
    std::size_t admitted = 0;
    for (int n = 0; n < 10'000; ++n) {
      const std::string id = "session_" + std::to_string(n);
      AdmissionRules fewer;
      fewer.percentage = percentage / 2;
      const bool in = rules.admit(id).has_value();
      admitted += in ? 1 : 0;
      EXPECT_TRUE(in || !fewer.admit(id)) << id;
    }
    EXPECT_NEAR(static_cast<double>(admitted), percentage * 100.0, 200.0);
    EXPECT_GE(admitted, admitted_before);
    admitted_before = admitted;
  }
  EXPECT_EQ(admitted_before, 10'000U);
}

TEST(AdmissionRules, ARefusalSaysWhichAndWhen) {
  AdmissionRules rules;
  rules.percentage = 0;
  EXPECT_EQ(rules.admit("s1").error().code, Errc::not_admitted);
  EXPECT_GT(rules.admit("s1").error().retry_after.count(), 0);
  rules.maintenance = true;
  rules.message = "new disks";
  rules.eta = "60 minutes";
  const Error error = rules.admit("s1").error();
  EXPECT_EQ(error.code, Errc::maintenance);
  for (const char* part : {"maintenance", "new disks", "60 minutes", "30 s"})
    EXPECT_NE(error.detail.find(part), std::string::npos) << error.detail;
}

TEST(ServiceBooks, AreFlagsToAnOlderProgramAndBothToThisOne) {
  const std::string flags = R"({"version":1,"refactor":false})";
  const std::string books = server::join_service_books(flags, R"({"percentage":25})");
  const Json json = Json::parse(books);
  EXPECT_EQ(json.at("version"), 1);
  EXPECT_EQ(json.at("refactor"), false);
  EXPECT_EQ(server::admission_share(books), R"({"percentage":25})");
  EXPECT_EQ(server::admission_share(flags), "");
  for (const char* text : {"", "{", "[]", "null", R"({"admission":7})"})
    EXPECT_EQ(server::admission_share(text), "") << text;
}

class MaintenanceTest : public testing::TestWithParam<Engine> {
 protected:
  MaintenanceTest()
      : server_([](server::Config& config) {
          config.refactor_enabled.value = GetParam() == Engine::refactored;
        }) {}
  TestServer server_;
};

TEST_P(MaintenanceTest, RefusesTheNewAndLetsInWhatExists) {
  NativeClient before(server_, "s1", {.project = "p"});
  ASSERT_EQ(enable(server_, R"({"message": "new disks", "eta": "60 minutes"})").status, 200U);

  const auto refused = create(server_, "s2");
  EXPECT_EQ(refused.status, 503U);
  EXPECT_EQ(refused.headers.at("retry-after"), "30");
  EXPECT_EQ(Json::parse(refused.body).at("code"), "maintenance");
  NativeClient fresh(server_, "s3");
  EXPECT_TRUE(fresh.ws().wait_closed());
  EXPECT_EQ(fresh.ws().inbox().close_code, 1013);
  EXPECT_NE(fresh.ws().inbox().close_reason.find("maintenance"), std::string::npos);
  EXPECT_EQ(fresh.message("error")->at("code"), "maintenance");
  WsClient legacy(server_.loop(), server_.port(), "/?sessionId=s4&projectId=p");
  EXPECT_TRUE(legacy.wait_closed());
  EXPECT_EQ(legacy.inbox().close_code, 1013);
  EXPECT_EQ(server_.json("/api/metrics/terminals/sessions").at("total"), 1);

  NativeClient again(server_, "s1", {.client = "second", .project = "p"});
  ASSERT_FALSE(again.attached().is_null());
  again.type("echo $((6*7))\n");
  EXPECT_TRUE(again.sees("42\r\n"));
  EXPECT_EQ(create(server_, "s1").status, 409U) << "there already, not refused";

  const Json admission = server_.json("/api/health/terminal").at("admission");
  EXPECT_EQ(admission.at("maintenance"), true);
  EXPECT_EQ(admission.at("percentage"), 0);
  EXPECT_EQ(admission.at("message"), "new disks");
  EXPECT_EQ(admission.at("eta"), "60 minutes");
  EXPECT_EQ(server_.json("/api/admin/maintenance"), admission);

  ASSERT_EQ(disable(server_).status, 200U);
  EXPECT_EQ(create(server_, "s2").status, 200U);
  EXPECT_EQ(server_.json("/api/admin/traffic").at("percentage"), 100);
  EXPECT_NE(server_.get("/metrics").body.find("terminal_sessions_not_admitted_total 3\n"),
            std::string::npos);
}

TEST_P(MaintenanceTest, ViewersAreToldOfItsBeginItsWordsAndItsEndOutsideTheStream) {
  NativeClient native(server_, "s1", {.client = "n", .project = "p"});
  WsClient legacy(server_.loop(), server_.port(), "/?sessionId=s1&projectId=p");
  WsClient raw(server_.loop(), server_.port(), "/terminal/s1?projectId=p");
  ASSERT_TRUE(legacy.wait_text("reconnected"));
  ASSERT_EQ(enable(server_).status, 200U);
  const auto first = native.message("notice");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->at("kind"), "maintenance");
  EXPECT_NE(first->at("message"), "");
  EXPECT_FALSE(first->contains("eta"));
  ASSERT_TRUE(legacy.wait_text("\"maintenance\""));

  ASSERT_EQ(enable(server_, R"({"message": "new disks", "eta": "soon"})").status, 200U);
  const auto second = native.message("notice", 1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->at("message"), "new disks");
  EXPECT_EQ(second->at("eta"), "soon");
  ASSERT_EQ(traffic(server_, 10).status, 200U);  // No word about that.

  NativeClient late(server_, "s1", {.client = "late", .project = "p"});
  const auto told = late.message("notice");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->at("message"), "new disks");

  ASSERT_EQ(disable(server_).status, 200U);
  const auto third = native.message("notice", 2);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->at("kind"), "maintenance");
  EXPECT_EQ(third->at("over"), true);
  EXPECT_TRUE(legacy.wait_text("\"over\":true"));

  native.type("echo done-$((6*7))\n");
  ASSERT_TRUE(raw.wait_bytes("done-42\r\n"));
  EXPECT_EQ(raw.inbox().bytes.find("disks"), std::string::npos);
  EXPECT_TRUE(raw.inbox().texts.empty());
}

TEST_P(MaintenanceTest, AShareIsLetInDuringItAndWithoutIt) {
  std::vector<std::string> in;
  std::vector<std::string> out;
  AdmissionRules half;
  half.percentage = 50;
  for (int n = 0; in.size() < 3 || out.size() < 3; ++n) {
    const std::string id = "s" + std::to_string(n);
    (half.admit(id) ? in : out).push_back(id);
  }
  ASSERT_EQ(enable(server_).status, 200U);
  ASSERT_EQ(traffic(server_, 50).status, 200U);
  EXPECT_EQ(server_.json("/api/admin/traffic").at("maintenance"), true);
  EXPECT_EQ(create(server_, in[0]).status, 200U);
  const auto during = create(server_, out[0]);
  EXPECT_EQ(during.status, 503U);
  EXPECT_EQ(Json::parse(during.body).at("code"), "maintenance");
  ASSERT_EQ(disable(server_).status, 200U);
  ASSERT_EQ(traffic(server_, 50).status, 200U);
  EXPECT_EQ(create(server_, in[1]).status, 200U);
  const auto without = create(server_, out[1]);
  EXPECT_EQ(without.status, 503U);
  EXPECT_EQ(Json::parse(without.body).at("code"), "not_admitted");
  ASSERT_EQ(traffic(server_, 100).status, 200U);
  EXPECT_EQ(create(server_, out[1]).status, 200U);
}

INSTANTIATE_TEST_SUITE_P(Admission, MaintenanceTest,
                         testing::Values(Engine::legacy, Engine::refactored),
                         [](const auto& param) { return std::string(to_string(param.param)); });

TEST(AdmissionRoutes, RefuseWhatMeansNothingAndChangeNothingThen) {
  TestServer server;
  for (const char* body :
       {"{", "[]", R"({"messages": "x"})", R"({"message": 7})", R"({"eta": null})"})
    EXPECT_EQ(enable(server, body).status, 400U) << body;
  EXPECT_EQ(enable(server, Json{{"message", std::string(2000, 'x')}}.dump()).status, 400U);
  for (const Json& body : {Json::object(), Json{{"percentage", 101}}, Json{{"percentage", -1}},
                           Json{{"percentage", "50"}}, Json{{"percentage", 1.5}}})
    EXPECT_EQ(server.post("/api/admin/traffic", body).status, 400U) << body.dump();
  EXPECT_EQ(server.json("/api/admin/traffic").at("percentage"), 100);
  EXPECT_EQ(http(server.port(), "POST", "/api/admin/maintenance/enable").status, 404U)
      << "not on the users' port";
}

using AdmissionRestart = RestartTest;

TEST_F(AdmissionRestart, TheNextServiceGoesOnWithIt) {
  start();
  ASSERT_EQ(enable(server(), R"({"message": "new disks", "eta": "60 minutes"})").status, 200U);
  ASSERT_EQ(traffic(server(), 10).status, 200U);
  ASSERT_TRUE(server().flags({{"auto_rollback", true}}).value("success", false));
  const Json before = server().json("/api/admin/maintenance");
  restart();
  EXPECT_EQ(server().json("/api/admin/maintenance"), before);
  EXPECT_EQ(before.at("message"), "new disks");
  EXPECT_EQ(before.at("percentage"), 10);
  EXPECT_EQ(server().json("/api/admin/feature-flags").at("flags").at("auto_rollback").at("value"),
            true);
  ASSERT_EQ(disable(server()).status, 200U);
  restart();
  EXPECT_EQ(server().json("/api/admin/maintenance").at("maintenance"), false);
}

TEST(AdmissionOfAProcess, OutlivesAKillAndAHandOver) {
  ServiceProcess service({.binary = holder_program().parent_path() / "terminal-service"});
  service.start();
  ASSERT_TRUE(service.wait_ready()) << service.log_tail();
  const auto rules = [&] { return service.get("/api/admin/maintenance").json(); };
  const auto enabled =
      service.post("/api/admin/maintenance/enable", {{"message", "new disks"}, {"eta", "1 h"}});
  ASSERT_EQ(enabled.status, 200U) << enabled.body;
  ASSERT_EQ(service.post("/api/admin/traffic", {{"percentage", 10}}).status, 200U);
  const Json before = rules();
  ASSERT_EQ(before.at("percentage"), 10);
  service.kill();
  service.start();
  ASSERT_TRUE(service.wait_ready()) << service.log_tail();
  EXPECT_EQ(rules(), before);
  const pid_t old = service.pid();
  const auto handed = service.post("/api/admin/restart", Json::object());
  ASSERT_EQ(handed.status, 200U) << handed.body;
  ASSERT_TRUE(until([&] { return service.pid() != old && !running(old); }));
  EXPECT_EQ(rules(), before);
}

}  // namespace
}  // namespace term::test
