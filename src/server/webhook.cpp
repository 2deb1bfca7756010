#include "server/webhook.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/operations.h"

namespace term::server {

namespace {

using net::ip::tcp;
using Json = nlohmann::json;

constexpr std::size_t kMaxAnswer = 16 * 1024;

/// One attempt: everything that its deadline must be able to end.
struct Attempt {
  explicit Attempt(net::io_context& io)
      : resolver(io), tls(net::ssl::context::tls_client), stream(io, tls), deadline(io) {}
  void abort() {
    timed_out = true;
    resolver.cancel();
    boost::system::error_code ignored;
    stream.next_layer().close(ignored);
  }
  tcp::resolver resolver;
  net::ssl::context tls;
  net::ssl::stream<tcp::socket> stream;
  net::steady_timer deadline;
  bool timed_out = false;
};

struct Answer {
  unsigned status = 0;  ///< 0: there was none, see `error`.
  std::string error;
};

Answer failure(std::string_view what, const boost::system::error_code& ec) {
  return {.error = std::string(what) + ": " + ec.message()};
}

/// `HTTP/1.1 200 OK`: its number; 0 for anything else.
unsigned status_of(std::string_view answer) {
  unsigned status = 0;
  if (answer.starts_with("HTTP/1.") && answer.size() >= 12)
    std::from_chars(answer.data() + 9, answer.data() + 12, status);
  return status;
}

template <class Stream>
net::awaitable<Answer> talk(std::shared_ptr<Attempt> attempt, Stream& stream, std::string request) {
  auto [write_error, written] = co_await net::async_write(stream, net::buffer(request), kNoThrow);
  if (write_error) co_return failure("write", write_error);
  std::string answer;
  while (answer.find("\r\n") == std::string::npos && answer.size() < kMaxAnswer) {
    std::array<char, 1024> some{};
    auto [ec, n] = co_await stream.async_read_some(net::buffer(some), kNoThrow);
    answer.append(some.data(), n);
    if (ec) co_return failure("read", ec);
  }
  const unsigned status = status_of(answer);
  (void)attempt;  // It owns the stream.
  if (status == 0) co_return Answer{.error = "what answered is no HTTP server"};
  co_return Answer{.status = status};
}

}  // namespace

struct Webhook::Address {
  bool tls = false;
  std::string host;
  std::string port;
  std::string target;
  std::string authority;  ///< For the Host field.
};

namespace {

/// `http(s)://host[:port][/path]`; the configuration has checked the scheme.
template <class Address>
Address parse(std::string_view url) {
  Address address;
  address.tls = url.starts_with("https://");
  url.remove_prefix(address.tls ? 8 : 7);
  const auto path = std::min(url.find_first_of("/?#"), url.size());
  std::string_view host = url.substr(0, path);
  address.authority = std::string(host);
  address.target = std::string(url.substr(path));
  if (!address.target.starts_with('/')) address.target.insert(0, "/");
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.find(']', colon) == host.npos;
  address.port = has_port ? std::string(host.substr(colon + 1)) : (address.tls ? "443" : "80");
  if (has_port) host = host.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  address.host = std::string(host);
  return address;
}

template <class Address>
std::string request_text(const Address& address, const std::string& body) {
  return "POST " + address.target + " HTTP/1.1\r\nHost: " + address.authority +
         "\r\nUser-Agent: terminal-service\r\nContent-Type: application/json\r\n"
         "Connection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

template <class Address>
net::awaitable<Answer> post_once(std::shared_ptr<Attempt> attempt, Address address,
                                 std::string body) {
  auto [resolve_error, found] =
      co_await attempt->resolver.async_resolve(address.host, address.port, kNoThrow);
  if (resolve_error) co_return failure("resolve", resolve_error);
  auto& socket = attempt->stream.next_layer();
  auto [connect_error, endpoint] = co_await net::async_connect(socket, found, kNoThrow);
  if (connect_error) co_return failure("connect", connect_error);
  std::string request = request_text(address, body);
  if (!address.tls) co_return co_await talk(attempt, socket, std::move(request));

  boost::system::error_code ec;
  attempt->tls.set_default_verify_paths(ec);
  if (ec) co_return failure("certificates of the system", ec);
  attempt->stream.set_verify_mode(net::ssl::verify_peer);
  attempt->stream.set_verify_callback(net::ssl::host_name_verification(address.host));
  SSL_set_tlsext_host_name(attempt->stream.native_handle(), address.host.c_str());
  auto [tls_error] =
      co_await attempt->stream.async_handshake(net::ssl::stream_base::client, kNoThrow);
  if (tls_error) co_return failure("TLS", tls_error);
  co_return co_await talk(attempt, attempt->stream, std::move(request));
}

bool is_final(unsigned status) {
  return status >= 400 && status < 500 && status != 408 && status != 429;
}

}  // namespace

std::string to_json_text(const WebhookMessage& message) {
  Json fields = Json::array();
  const auto add = [&](const char* title, const std::string& value) {
    if (!value.empty())
      fields.push_back({{"title", title}, {"value", value}, {"short", value.size() <= 40}});
  };
  add("Phase", message.phase);
  add("Reason", message.reason);
  add("ETA", message.eta);
  add("Impact", message.impact);
  Json json{{"text", message.text}};
  json["attachments"] = Json::array({Json{{"fields", std::move(fields)}}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Webhook::Webhook(Setup setup) : setup_(std::move(setup)), arrived_(io_.get_executor()) {
  status_.configured = !setup_.url.empty();
  if (!status_.configured) return;
  spawn_logged(io_.get_executor(), "webhook", work());
  thread_ = std::thread([this] { io_.run(); });
}

Webhook::~Webhook() {
  if (!thread_.joinable()) return;
  io_.stop();
  thread_.join();
  if (const auto waiting = status().waiting; waiting > 0)
    spdlog::error("webhook.dropped ERROR {} messages that were not delivered before the end",
                  waiting);
}

void Webhook::post(const WebhookMessage& message) {
  if (!status_.configured) return;
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    full = queue_.size() >= setup_.max_waiting;
    if (full) queue_.pop_front();
    queue_.push_back({to_json_text(message), std::chrono::steady_clock::now() + setup_.give_up});
    if (full) ++status_.dropped;
    if (!full) ++status_.waiting;
  }
  if (full)
    spdlog::error("webhook.dropped ERROR the oldest of {} waiting messages", setup_.max_waiting);
  net::post(io_, [this] { arrived_.notify_all(); });
}

WebhookStatus Webhook::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

std::optional<Webhook::Waiting> Webhook::next() {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  Waiting message = std::move(queue_.front());
  queue_.pop_front();
  return message;
}

net::awaitable<void> Webhook::work() {
  for (;;) {
    auto message = next();
    if (message)
      co_await deliver(std::move(*message));
    else
      co_await arrived_.wait();
  }
}

net::awaitable<void> Webhook::deliver(Waiting message) {
  const auto address = parse<Address>(setup_.url);
  Millis wait = setup_.first_retry;
  for (;; wait = std::min(wait * 2, setup_.longest_retry)) {
    const auto attempt = std::make_shared<Attempt>(io_);
    attempt->deadline.expires_after(setup_.attempt_time);
    attempt->deadline.async_wait(
        [weak = std::weak_ptr(attempt)](const boost::system::error_code& ec) {
          if (const auto late = weak.lock(); late && !ec) late->abort();
        });
    Answer answer = co_await post_once(attempt, address, message.body);
    attempt->deadline.cancel();
    if (answer.status >= 200 && answer.status < 300) break;
    if (answer.status > 0) answer.error = "answered " + std::to_string(answer.status);
    if (attempt->timed_out)
      answer.error = "no answer within " + std::to_string(setup_.attempt_time.count()) + " ms";
    const bool over =
        is_final(answer.status) || std::chrono::steady_clock::now() + wait > message.give_up_at;
    {
      const std::lock_guard lock(mutex_);
      ++status_.failed_attempts;
      status_.last_error = answer.error;
    }
    if (over) co_return count_drop(answer.error);
    spdlog::warn("webhook.failed why=\"{}\" again_in_ms={}", answer.error, wait.count());
    net::steady_timer timer(io_, wait);
    co_await timer.async_wait(kNoThrow);
  }
  const std::lock_guard lock(mutex_);
  ++status_.delivered;
  --status_.waiting;
  status_.last_error.clear();
}

void Webhook::count_drop(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    ++status_.dropped;
    --status_.waiting;
  }
  spdlog::error("webhook.dropped ERROR a message was given up: {}", why);
}

}  // namespace term::server
