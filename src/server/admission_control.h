#pragma once
// Maintenance and the share of new sessions that is let in: changed at run time, stored, told.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "adapter/admission.h"
#include "server/operations.h"

namespace term::server {

/// The one place that changes the rules. Thread: the first shard's.
class AdmissionControl {
 public:
  explicit AdmissionControl(Operations& operations);

  /// Before the loops run: the rules that an earlier process left, as text() gave them. A text that
  /// cannot be read changes nothing.
  void restore(std::string_view text);
  std::string text() const;
  /// The store gave its rules when the loops ran already: they hold unless somebody set some since.
  net::awaitable<void> adopt(std::string text);
  /// Called after each change, before anybody is told.
  void on_change(std::function<void()> call) { on_change_ = std::move(call); }

  const adapter::AdmissionRules& rules() const { return *rules_; }

  /// New connections are refused and viewers told, also when only the words have changed.
  net::awaitable<void> enable(std::string message, std::string eta, std::string who);
  /// Everybody is let in, whatever the share was.
  net::awaitable<void> disable(std::string who);
  /// Also during maintenance, and does not end it.
  net::awaitable<void> admit_share(int percentage, std::string who);

 private:
  /// Through the API, now.
  net::awaitable<void> change(adapter::AdmissionRules next);
  net::awaitable<void> publish(adapter::AdmissionRules next);

  Operations& operations_;
  std::shared_ptr<const adapter::AdmissionRules> rules_;
  std::function<void()> on_change_;
  Signal published_;
  bool publishing_ = false;
  bool changed_ = false;  ///< Through the API, since this process started.
};

/// {maintenance, message, eta, percentage, since, who}; `since` null when nobody ever changed it.
nlohmann::json admission_json(const adapter::AdmissionRules& rules);

}  // namespace term::server
