#pragma once
// Looks at the service once a second: alerts, the guard, and everybody who is to hear of them.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/alerts.h"
#include "server/events.h"
#include "server/flips.h"
#include "server/guard.h"
#include "server/report.h"
#include "server/webhook.h"

namespace term::server {

/// Thread: the first shard's.
class Monitor {
 public:
  explicit Monitor(Service& service);

  /// Runs until the loops end. Does nothing while everything is being handed over.
  net::awaitable<void> run();
  /// The rules of admission are others now.
  void admission_changed();

  const Alerts& alerts() const { return alerts_; }
  const Guard& guard() const { return guard_; }
  Events& events() { return events_; }
  const Events& events() const { return events_; }
  WebhookStatus webhook() const { return webhook_.status(); }
  /// To SLACK_WEBHOOK, if there is one; returns at once.
  void post(const WebhookMessage& message) { webhook_.post(message); }

  struct Reason {
    AlertKind kind{};
    std::string text;
  };
  /// Of the alerts that are raised now, for health.
  std::vector<Reason> reasons() const;

 private:
  net::awaitable<void> look();
  void announce(const AlertEvent& event);
  void announce(const Vitals& vitals);
  net::awaitable<void> flipped(adapter::FlagChange change,
                               std::shared_ptr<const adapter::Flags> before,
                               adapter::FlipEntry entry);
  void report_rollback(const adapter::FlipEntry& entry, bool by_guard);
  net::awaitable<void> roll_back(std::string why);
  std::string who_we_are() const;

  Service& service_;
  Alerts alerts_;
  Guard guard_;
  Webhook webhook_;
  Events events_;
  adapter::SessionCounts counts_;  ///< As they were told last.
  std::size_t sessions_ = 0;
  bool maintenance_ = false;
  std::string host_;
};

/// {cpu: {raised, value, threshold, since, times_raised}, …}
nlohmann::json alerts_json(const Monitor& monitor);
/// {enabled, observing: null or {flip, until, operations, failed, lost}, rollbacks}
nlohmann::json guard_json(const Monitor& monitor, bool enabled);
/// {configured, waiting, delivered, failed_attempts, dropped, last_error}
nlohmann::json webhook_json(const Monitor& monitor);

}  // namespace term::server
