#pragma once
// Alerts and rollback notices to SLACK_WEBHOOK: posted by a thread of its own, never waited for.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "session/signal.h"
#include "session/types.h"

namespace term::server {

/// A text and a field each (OPERATIONS.md 1); an empty field is left out.
struct WebhookMessage {
  std::string text;
  std::string phase;
  std::string reason;
  std::string eta;
  std::string impact;
};
/// As Slack takes it: {text, attachments: [{fields: [{title, value, short}]}]}.
std::string to_json_text(const WebhookMessage& message);

struct WebhookStatus {
  bool configured = false;
  std::size_t waiting = 0;
  std::uint64_t delivered = 0;
  std::uint64_t failed_attempts = 0;
  std::uint64_t dropped = 0;  ///< Refused for good, too old, or the queue was full.
  std::string last_error;     ///< Never with the address; empty after a delivery.
};

/// In order, one at a time, tried again with back-off until it is delivered.
///
/// Bounded: when `max_waiting` wait, the oldest goes and is counted. A message is given up after
/// `give_up`, and at once when the other end says that it will never do (4xx but 408 and 429). What
/// still waits when the process ends is dropped, and the log says how many.
///
/// The address is a secret: it is in no log, status or error.
/// Thread: any.
class Webhook {
 public:
  struct Setup {
    std::string url;  ///< http:// or https://; empty: post() does nothing.
    Millis first_retry{1'000};
    Millis longest_retry{60'000};
    Millis attempt_time{10'000};  ///< From resolving to the answer.
    Millis give_up{60 * 60 * 1000};
    std::size_t max_waiting = 100;
  };
  explicit Webhook(Setup setup);
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  void post(const WebhookMessage& message);
  WebhookStatus status() const;

 private:
  struct Waiting {
    std::string body;
    std::chrono::steady_clock::time_point give_up_at;
  };
  struct Address;
  net::awaitable<void> work();
  net::awaitable<void> deliver(Waiting message);
  std::optional<Waiting> next();
  void count_drop(const std::string& why);

  const Setup setup_;
  mutable std::mutex mutex_;  ///< Of queue_ and status_.
  std::deque<Waiting> queue_;
  WebhookStatus status_;
  net::io_context io_{1};
  Signal arrived_;
  std::thread thread_;
};

}  // namespace term::server
