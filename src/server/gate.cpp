#include "server/gate.h"

#include <openssl/crypto.h>

namespace term::server {

void Gate::allow(std::vector<Origin> origins, std::vector<std::string> hosts) {
  origins_ = std::move(origins);
  hosts_ = std::move(hosts);
}

Result<void> Gate::check_sender(const HttpHead& head) const {
  const auto refuse = [](std::string why) { return Error{Errc::not_permitted, std::move(why)}; };
  if (head.count("host") != 1 || !host_allowed(head.value("host"), hosts_))
    return refuse("Host is not one of ours; add it with TERMINAL_ALLOWED_ORIGINS");
  if (head.count("origin") > 1) return refuse("more than one Origin");
  if (head.count("origin") == 1 && !origin_allowed(head.value("origin"), origins_))
    return refuse("Origin is not allowed; add it to TERMINAL_ALLOWED_ORIGINS");
  return {};
}

Result<void> Gate::check_token(const HttpHead& head, std::string_view path) const {
  const bool api =
      path.starts_with("/api/") || path.starts_with("/terminals") || path == "/metrics";
  const bool probe = path == "/api/health/live" || path == "/api/health/ready";
  if (!api || probe) return {};
  const std::string given = bearer_token(head);
  const bool admin = same_secret(given, config_.admin_token);
  const bool user = same_secret(given, config_.token);
  if (operator_port_) {
    const bool user_api = path.starts_with("/api/terminal/") || path.starts_with("/terminals");
    if (admin || (user_api && user)) return {};
    if (!config_.admin_token && head.loopback) return {};
    return Error{Errc::not_permitted, "send Authorization: Bearer with TERMINAL_ADMIN_TOKEN"};
  }
  if (!config_.token || user || admin) return {};
  return Error{Errc::not_permitted, "send Authorization: Bearer with TERMINAL_TOKEN"};
}

bool same_secret(std::string_view given, const std::optional<std::string>& secret) {
  return secret && given.size() == secret->size() &&
         CRYPTO_memcmp(given.data(), secret->data(), given.size()) == 0;
}

}  // namespace term::server
