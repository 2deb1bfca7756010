#include "support/test_server.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

namespace term::test {

using Json = nlohmann::json;

namespace {
/// One for all servers of the program, removed with it.
struct EmptyHome {
  EmptyHome() {
    std::string path = (std::filesystem::temp_directory_path() / "term-home-XXXXXX").string();
    home = ::mkdtemp(path.data());
    ::setenv("HOME", home.c_str(), 1);  // NOLINT: before any thread is started
  }
  ~EmptyHome() {
    std::error_code ignored;
    std::filesystem::remove_all(home, ignored);
  }
  std::filesystem::path home;
};
}  // namespace

TestServer::TestServer(const std::function<void(server::Config&)>& adjust,
                       adapter::EngineFactory engines) {
  static const EmptyHome home;
  // Made here as main() does it, and not by whichever thread is the first to log: how spdlog, which
  // is not built for it, hands its logger to the others, ThreadSanitizer does not see.
  (void)spdlog::default_logger();
  server::Config config;
  config.ws_port = 0;
  config.http_port = 0;
  config.shards = 2;
  if (adjust) adjust(config);
  service_ = std::make_unique<server::Service>(
      std::move(config), server::Service::Parts{.engines = std::move(engines), .version = "test"});
  const auto started = service_->start();
  if (!started) throw std::runtime_error(started.error().detail);
}

HttpReply TestServer::post(const std::string& target, const Json& body) {
  return http(operator_port(), "POST", target, body.dump());
}

Json TestServer::json(const std::string& target) {
  return Json::parse(get(target).body, nullptr, false);
}

Json TestServer::flags(const Json& body) {
  return Json::parse(post("/api/admin/feature-flags", body).body, nullptr, false);
}

bool TestServer::eventually(const std::string& target,
                            const std::function<bool(const Json&)>& done) {
  return until([&] { return done(json(target)); });
}

std::vector<PortMix> all_port_mixes() {
  std::vector<PortMix> mixes;
  for (const Engine sessions : {Engine::legacy, Engine::refactored})
    for (const Engine streams : {Engine::legacy, Engine::refactored})
      for (const Engine telemetry : {Engine::legacy, Engine::refactored}) {
        std::string name;
        for (const Engine engine : {sessions, streams, telemetry})
          name += engine == Engine::legacy ? 'L' : 'R';
        mixes.push_back({name, {sessions, streams, telemetry}});
      }
  return mixes;
}

void serve_with(TestServer& server, const Owners& owners) {
  const auto answer = server.flags({{"services",
                                     {{"sessions", owners.sessions == Engine::refactored},
                                      {"streams", owners.streams == Engine::refactored},
                                      {"telemetry", owners.telemetry == Engine::refactored}}}});
  ASSERT_TRUE(answer.value("success", false)) << answer.dump();
}

NativeClient::NativeClient(TestServer& server, const std::string& id, Options options)
    : attached_(std::make_unique<Json>()) {
  WsClient::Options ws;
  ws.subprotocol = "terminal.v1";
  ws.keep_bytes = options.keep_bytes;
  ws.receive_buffer = options.receive_buffer;
  ws.on_message = [this, acknowledge = options.acknowledge](WsClient& client, bool text,
                                                            const std::string& payload) {
    if (text) {
      const Json json = Json::parse(payload, nullptr, false);
      const auto type = json.value("type", "");
      if (type == "attached") parsed_ = last_ack_ = json.at("output").get<Offset>();
      if (type == "gap") parsed_ = json.at("to").get<Offset>();
      if (type == "repaint") repaint_ = json.at("bytes").get<std::size_t>();
      return;
    }
    if (repaint_ > 0) {
      repaint_ = 0;
    } else {
      parsed_ += payload.size();
    }
    if (!acknowledge || parsed_ - last_ack_ < 64 * 1024) return;
    last_ack_ = parsed_;
    client.text(Json{{"type", "ack"}, {"output", parsed_}}.dump());
  };
  std::string target = "/terminal/" + id + "?projectId=" + options.project + options.query;
  ws_ = std::make_unique<WsClient>(server.loop(), server.port(), target, std::move(ws));
  Json attach{{"type", "attach"},          {"client", options.client},  {"input", options.input},
              {"cols", options.size.cols}, {"rows", options.size.rows}, {"role", options.role}};
  if (options.output) attach["output"] = *options.output;
  control(attach);
  if (auto answer = ws_->wait_text("\"type\":\"attached\""))
    *attached_ = Json::parse(*answer, nullptr, false);
}

NativeClient::~NativeClient() = default;

void NativeClient::control(const Json& message) { ws_->text(message.dump()); }

std::optional<Json> NativeClient::message(const std::string& type, std::size_t nth) {
  std::optional<Json> found;
  ws_->wait([&](const Inbox& in) {
    std::size_t seen = 0;
    for (const auto& text : in.texts) {
      const Json json = Json::parse(text, nullptr, false);
      if (json.value("type", "") != type || seen++ != nth) continue;
      found = json;
      return true;
    }
    return in.closed;
  });
  return found;
}

}  // namespace term::test
