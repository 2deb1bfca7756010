#pragma once
// The real service, in the test's own process, on free ports, with an engine factory of one's own.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "server/service.h"
#include "support/ws_client.h"

namespace term::test {

/// Its shells have an empty home directory: profiles of the machine are not under test.
class TestServer {
 public:
  /// `adjust` may change the configuration, `parts` the engines.
  explicit TestServer(const std::function<void(server::Config&)>& adjust = {},
                      adapter::EngineFactory engines = adapter::make_engines);

  unsigned short port() const { return service_->ws_port(); }
  unsigned short operator_port() const { return service_->http_port(); }
  server::Service& service() { return *service_; }
  ClientLoop& loop() { return loop_; }

  HttpReply get(const std::string& target) { return http(operator_port(), "GET", target); }
  HttpReply post(const std::string& target, const nlohmann::json& body);
  nlohmann::json json(const std::string& target);  ///< GET, parsed.
  /// POST /api/admin/feature-flags; the whole answer.
  nlohmann::json flags(const nlohmann::json& body);
  /// Polls until `done(GET target)`; false after the deadline.
  bool eventually(const std::string& target,
                  const std::function<bool(const nlohmann::json&)>& done);

 private:
  std::unique_ptr<server::Service> service_;
  ClientLoop loop_;
};

/// Every way to mix engines over the three ports, with its name.
struct PortMix {
  std::string name;
  Owners owners;
  friend void PrintTo(const PortMix& mix, std::ostream* out) { *out << mix.name; }
};
std::vector<PortMix> all_port_mixes();
/// Makes new sessions go to `owners` (POST feature-flags).
void serve_with(TestServer& server, const Owners& owners);

/// A client of the native dialect that counts every byte, acknowledges it and knows its offsets.
class NativeClient {
 public:
  struct Options {
    std::string client = "test-client";
    std::string project;
    std::string query;  ///< More of it, `&name=value`.
    std::optional<Offset> output;
    Offset input = 0;
    WindowSize size{.rows = 24, .cols = 80};
    std::string role = "writer";
    bool acknowledge = true;
    bool keep_bytes = true;
    int receive_buffer = 0;
  };
  NativeClient(TestServer& server, const std::string& id, Options options);
  NativeClient(TestServer& server, const std::string& id) : NativeClient(server, id, Options()) {}

  ~NativeClient();

  WsClient& ws() { return *ws_; }
  void type(const std::string& keys) { ws_->binary(keys); }
  void control(const nlohmann::json& message);
  /// The `attached` message; null when there was none.
  const nlohmann::json& attached() const { return *attached_; }
  /// Waits for a control message of this type (the `nth`, from 0).
  std::optional<nlohmann::json> message(const std::string& type, std::size_t nth = 0);
  bool sees(const std::string& text) { return ws_->wait_bytes(text); }
  std::string output() const { return ws_->inbox().bytes; }

 private:
  std::unique_ptr<WsClient> ws_;
  std::unique_ptr<nlohmann::json> attached_;
  Offset parsed_ = 0;    ///< Loop's thread only.
  Offset last_ack_ = 0;  ///< Loop's thread only.
  std::size_t repaint_ = 0;
};

}  // namespace term::test
