// The webhook, against a receiver of our own that fails, hangs, and takes it at last.

#include "server/webhook.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/test_server.h"

namespace term::test {
namespace {

using boost::asio::ip::tcp;
using Json = nlohmann::json;
using server::Webhook;
using server::WebhookMessage;

/// Serves one connection after the other; what it does with each is said in advance.
class Receiver {
 public:
  enum class Does { accept, fail, hang, hang_up, refuse };

  /// With `certificate` it speaks TLS; after `plan` it accepts.
  explicit Receiver(std::vector<Does> plan, std::string certificate = "", std::string key = "")
      : plan_(std::move(plan)), tls_(boost::asio::ssl::context::tls_server) {
    if (!certificate.empty()) {
      tls_.use_certificate_chain_file(certificate);
      tls_.use_private_key_file(key, boost::asio::ssl::context::pem);
      speaks_tls_ = true;
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~Receiver() {
    over_ = true;
    released_.notify_all();
    boost::system::error_code ignored;
    tcp::socket knock(io_);
    knock.connect(acceptor_.local_endpoint(), ignored);  // Out of accept().
    knock.close(ignored);
    thread_.join();
  }

  unsigned short port() { return acceptor_.local_endpoint().port(); }
  /// Bodies of what was accepted.
  std::vector<Json> bodies() const {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  std::size_t connections() const { return connections_; }
  std::string head() const {
    const std::lock_guard lock(mutex_);
    return head_;
  }

 private:
  void serve() {
    while (!over_) {
      tcp::socket socket(io_);
      boost::system::error_code ec;
      acceptor_.accept(socket, ec);
      if (ec || over_) continue;
      const std::size_t n = connections_++;
      const Does does = n < plan_.size() ? plan_[n] : Does::accept;
      if (does == Does::hang_up) continue;
      if (does == Does::hang) {
        std::unique_lock lock(mutex_);
        released_.wait(lock, [&] { return over_.load() || gone(socket); });
        continue;
      }
      if (speaks_tls_) {
        boost::asio::ssl::stream<tcp::socket&> stream(socket, tls_);
        stream.handshake(boost::asio::ssl::stream_base::server, ec);
        if (!ec) answer(stream, does);
      } else {
        answer(socket, does);
      }
    }
  }
  /// Looks every few milliseconds, as nobody wakes it: the other end has hung up.
  bool gone(tcp::socket& socket) {
    boost::system::error_code ec;
    socket.non_blocking(true, ec);
    std::array<char, 4096> some{};
    while (!over_) {
      const std::size_t n = socket.read_some(boost::asio::buffer(some), ec);
      if (ec == boost::asio::error::would_block) {
        std::this_thread::yield();
      } else if (ec || n == 0) {
        return true;
      }
    }
    return true;
  }
  template <class Stream>
  void answer(Stream& stream, Does does) {
    boost::system::error_code ec;
    std::string text;
    const std::size_t head =
        boost::asio::read_until(stream, boost::asio::dynamic_buffer(text), "\r\n\r\n", ec);
    if (ec) return;
    const auto at = text.find("Content-Length: ");
    const std::size_t size = std::stoul(text.substr(at + 16));
    while (text.size() < head + size && !ec) {
      std::array<char, 4096> some{};
      const std::size_t n = stream.read_some(boost::asio::buffer(some), ec);
      text.append(some.data(), n);
    }
    if (does == Does::accept) {
      const std::lock_guard lock(mutex_);
      head_ = text.substr(0, head);
      bodies_.push_back(Json::parse(text.substr(head), nullptr, false));
    }
    const std::string status = does == Does::accept   ? "200 OK"
                               : does == Does::refuse ? "404 Not Found"
                                                      : "500 Oops";
    const std::string reply = "HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nok";
    boost::asio::write(stream, boost::asio::buffer(reply), ec);
  }

  const std::vector<Does> plan_;
  boost::asio::io_context io_;
  boost::asio::ssl::context tls_;
  bool speaks_tls_ = false;
  tcp::acceptor acceptor_{io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
  mutable std::mutex mutex_;
  std::condition_variable released_;
  std::vector<Json> bodies_;
  std::string head_;
  std::atomic<std::size_t> connections_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

Webhook::Setup impatient(std::string url) {
  return {.url = std::move(url),
          .first_retry = Millis{5},
          .longest_retry = Millis{20},
          .attempt_time = Millis{3000}};
}
std::string address(Receiver& receiver) {
  return "http://127.0.0.1:" + std::to_string(receiver.port()) + "/services/T0/B0/secret?x=1";
}

TEST(Webhook, IsTriedAgainUntilTheOtherEndTakesItAndKeepsTheOrder) {
  Receiver receiver(
      {Receiver::Does::fail, Receiver::Does::hang_up, Receiver::Does::hang, Receiver::Does::fail});
  Webhook webhook(impatient(address(receiver)));
  webhook.post(
      {.text = "first \"é\"", .phase = "alert", .reason = "r", .eta = "5 min", .impact = "i"});
  webhook.post({.text = "second"});
  ASSERT_TRUE(until([&] { return receiver.bodies().size() == 2; }));
  EXPECT_TRUE(until([&] { return webhook.status().waiting == 0; }));
  const Json first = receiver.bodies().at(0);
  EXPECT_EQ(first.at("text"), "first \"é\"");
  const Json fields = first.at("attachments").at(0).at("fields");
  ASSERT_EQ(fields.size(), 4U);
  const std::pair<const char*, const char*> expected[] = {
      {"Phase", "alert"}, {"Reason", "r"}, {"ETA", "5 min"}, {"Impact", "i"}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(fields.at(i).at("title"), expected[i].first);
    EXPECT_EQ(fields.at(i).at("value"), expected[i].second);
  }
  EXPECT_EQ(receiver.bodies().at(1).at("text"), "second");
  EXPECT_NE(receiver.head().find("POST /services/T0/B0/secret?x=1 HTTP/1.1\r\n"),
            std::string::npos);
  EXPECT_EQ(receiver.connections(), 6U);
  const auto status = webhook.status();
  EXPECT_EQ(status.delivered, 2U);
  EXPECT_EQ(status.failed_attempts, 4U);
  EXPECT_EQ(status.dropped, 0U);
  EXPECT_EQ(status.last_error, "");
}

TEST(Webhook, GivesUpAtOnceWhatTheOtherEndWillNeverTake) {
  Receiver receiver({Receiver::Does::refuse});
  Webhook webhook(impatient(address(receiver)));
  webhook.post({.text = "first"});
  ASSERT_TRUE(until([&] { return webhook.status().dropped == 1; }));
  EXPECT_EQ(webhook.status().last_error, "answered 404");
  webhook.post({.text = "second"});
  ASSERT_TRUE(until([&] { return webhook.status().delivered == 1; }));
  EXPECT_EQ(receiver.bodies().at(0).at("text"), "second");
}

TEST(Webhook, KeepsTheNewestWhenNobodyTakesThem) {
  auto setup = impatient("http://127.0.0.1:1/");  // Nobody listens there.
  setup.max_waiting = 3;
  Webhook webhook(setup);
  for (int n = 0; n < 10; ++n) webhook.post({.text = "x"});
  ASSERT_TRUE(until([&] { return webhook.status().failed_attempts > 2; }));
  const auto status = webhook.status();
  EXPECT_LE(status.waiting, 4U) << "those that wait, and the one on its way";
  EXPECT_GE(status.dropped, 6U);
  EXPECT_EQ(status.waiting + status.dropped, 10U);
  EXPECT_NE(status.last_error.find("connect: "), std::string::npos) << status.last_error;
}

TEST(Webhook, UnsetDoesNothing) {
  Webhook webhook({});
  webhook.post({.text = "x"});
  EXPECT_FALSE(webhook.status().configured);
  EXPECT_EQ(webhook.status().waiting, 0U);
}

TEST(Webhook, SpeaksTlsAndTrustsOnlyWhomTheSystemTrusts) {
  std::string directory = (std::filesystem::temp_directory_path() / "term-tls-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string key = directory + "/key.pem";
  const std::string certificate = directory + "/cert.pem";
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
      "-addext subjectAltName=DNS:localhost -keyout " +
      key + " -out " + certificate + " 2>/dev/null";
  ASSERT_EQ(::system(make.c_str()), 0);  // NOLINT: our own words
  Receiver receiver({}, certificate, key);
  const auto at = [&](const std::string& host) {
    auto setup = impatient("https://" + host + ":" + std::to_string(receiver.port()) + "/x");
    setup.attempt_time = Millis{10'000};
    return setup;
  };
  {
    Webhook stranger(at("localhost"));
    stranger.post({.text = "secret"});
    ASSERT_TRUE(until([&] { return stranger.status().failed_attempts > 1; }));
    EXPECT_NE(stranger.status().last_error.find("TLS: "), std::string::npos);
  }
  ::setenv("SSL_CERT_FILE", certificate.c_str(), 1);  // NOLINT: OpenSSL's own way to say so
  {
    Webhook wrong_name(at("127.0.0.1"));
    wrong_name.post({.text = "secret"});
    ASSERT_TRUE(until([&] { return wrong_name.status().failed_attempts > 1; }));
  }
  EXPECT_TRUE(receiver.bodies().empty());
  Webhook webhook(at("localhost"));
  webhook.post({.text = "hello"});
  EXPECT_TRUE(until([&] { return receiver.bodies().size() == 1; })) << webhook.status().last_error;
  ::unsetenv("SSL_CERT_FILE");  // NOLINT
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

TEST(Webhook, OfAServiceHearsOfMaintenanceAndRollbacksAndIsShownNowhere) {
  Receiver receiver({});
  TestServer server([&](server::Config& config) { config.slack_webhook = address(receiver); });
  ASSERT_EQ(
      server.post("/api/admin/maintenance/enable", {{"message", "disks"}, {"eta", "1 h"}}).status,
      200U);
  ASSERT_EQ(http(server.operator_port(), "POST", "/api/admin/maintenance/disable").status, 200U);
  server.flags({{"terminal_refactor", false}, {"force", true}, {"reason", "INC-12"}});
  ASSERT_TRUE(until([&] { return receiver.bodies().size() == 3; }));
  const auto field = [&](std::size_t n, const std::string& title) {
    const Json body = receiver.bodies().at(n);
    for (const Json& f : body.at("attachments").at(0).at("fields"))
      if (f.at("title") == title) return f.at("value").get<std::string>();
    return std::string{};
  };
  EXPECT_EQ(field(0, "Phase"), "maintenance");
  EXPECT_EQ(field(0, "Reason"), "disks");
  EXPECT_EQ(field(0, "ETA"), "1 h");
  EXPECT_EQ(field(1, "Phase"), "maintenance over");
  EXPECT_EQ(field(2, "Phase"), "rollback");
  EXPECT_EQ(field(2, "Reason"), "INC-12");
  EXPECT_NE(field(2, "Impact").find("0 lost"), std::string::npos);
  EXPECT_TRUE(server.eventually("/api/health/terminal", [](const Json& health) {
    return health.at("webhook").at("delivered") == 3;
  }));
  for (const char* path : {"/api/health/terminal", "/metrics", "/api/admin/feature-flags"})
    EXPECT_EQ(server.get(path).body.find("secret"), std::string::npos) << path;
}

/// What an event stream says, read until `enough` or the deadline.
std::string listen(unsigned short port, const std::function<void()>& meanwhile,
                   const std::function<bool(const std::string&)>& enough) {
  boost::asio::io_context io;
  tcp::socket socket(io);
  socket.connect({boost::asio::ip::address_v4::loopback(), port});
  const std::string request = "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
  boost::asio::write(socket, boost::asio::buffer(request));
  std::string text;
  boost::asio::read_until(socket, boost::asio::dynamic_buffer(text), "retry: ");
  meanwhile();
  while (!enough(text)) {
    std::array<char, 4096> some{};
    boost::system::error_code ec;
    text.append(some.data(), socket.read_some(boost::asio::buffer(some), ec));
    if (ec) break;
  }
  return text;
}

TEST(Events, TellOfFlipsAdmissionAndSessionsAsTheyHappen) {
  TestServer server;
  const std::string text = listen(
      server.operator_port(),
      [&] {
        ASSERT_EQ(server.post("/api/admin/traffic", {{"percentage", 50}}).status, 200U);
        ASSERT_EQ(server.post("/api/admin/traffic", {{"percentage", 100}}).status, 200U);
        server.flags({{"terminal_refactor", false}, {"force", true}, {"reason", "INC-12"}});
        ASSERT_EQ(server.post("/api/terminal/create", {{"projectId", "p"}}).status, 200U);
      },
      [](const std::string& so_far) {
        return so_far.find("event: sessions") != std::string::npos &&
               so_far.find("\"created\":1") != std::string::npos;
      });
  EXPECT_NE(text.find("text/event-stream"), std::string::npos);
  const auto half = text.find("\"percentage\":50");
  const auto flip = text.find("event: flip\ndata: {");
  ASSERT_NE(half, std::string::npos) << text;
  ASSERT_NE(flip, std::string::npos) << text;
  EXPECT_LT(half, flip);
  EXPECT_NE(text.find("INC-12", flip), std::string::npos);
  EXPECT_TRUE(server.eventually("/api/health/terminal", [&](const Json&) {
    return server.get("/metrics").body.find("terminal_event_listeners 0\n") != std::string::npos;
  })) << "the listener went";
}

}  // namespace
}  // namespace term::test
