#pragma once
// Services that follow each other on one state directory, in the test's process; the shells stay
// with the holder in between.

#include <boost/asio/post.hpp>
#include <future>
#include <map>
#include <memory>
#include <string>

#include "support/state_dir.h"
#include "support/test_server.h"

namespace term::test {

using Adjust = std::function<void(server::Config&)>;

/// One session as the service has it.
struct SessionView {
  Owners owners;
  SessionSnapshot snapshot;
  std::size_t shard = 0;
};

/// Every session of the service by id, ended ones included.
inline std::map<std::string, SessionView> view(server::Service& service) {
  std::map<std::string, SessionView> all;
  for (std::size_t i = 0; i < service.shards().size(); ++i) {
    auto& shard = service.shards().at(i);
    std::promise<std::map<std::string, SessionView>> promise;
    auto future = promise.get_future();
    boost::asio::post(shard.io, [&] {
      std::map<std::string, SessionView> own;
      for (const auto& session : shard.sessions->all())
        if (auto snapshot = session->snapshot(/*with_data=*/true))
          own[session->id()] = {session->owners(), std::move(*snapshot), i};
      promise.set_value(std::move(own));
    });
    all.merge(future.get());
  }
  return all;
}

class RestartTest : public testing::Test {
 protected:
  ~RestartTest() override { server_.reset(); }

  void start(const Adjust& adjust = {}) {
    server_ = std::make_unique<TestServer>([&](server::Config& config) {
      config.state_dir = dir_.path();
      config.holder_program = holder_program();
      if (adjust) adjust(config);
    });
  }
  void stop() { server_.reset(); }
  void restart(const Adjust& adjust = {}) {
    stop();
    start(adjust);
  }

  TestServer& server() { return *server_; }
  std::map<std::string, SessionView> sessions() { return view(server_->service()); }
  SessionView session(const std::string& id) { return sessions().at(id); }
  /// A client that has typed `command` and seen `answer`; then it goes.
  std::string run(const std::string& id, const std::string& command, const std::string& answer,
                  NativeClient::Options options = {}) {
    NativeClient client(*server_, id, std::move(options));
    client.type(command + "\n");
    EXPECT_TRUE(client.sees(answer)) << id << ": " << client.output();
    return client.output();
  }

  StateDir dir_;

 private:
  std::unique_ptr<TestServer> server_;
};

}  // namespace term::test
