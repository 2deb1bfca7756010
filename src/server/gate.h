#pragma once
// Who may talk to us: Host, Origin and tokens, checked above the adapter so that no engine can
// bypass it (DESIGN.md 3).

#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"
#include "server/http_head.h"
#include "server/origin.h"

namespace term::server {

class Gate {
 public:
  Gate(const Config& config, bool operator_port) : config_(config), operator_port_(operator_port) {}

  /// Known once both ports are.
  void allow(std::vector<Origin> origins, std::vector<std::string> hosts);

  /// Exactly one Host, one of ours; at most one Origin, if any one of ours. Errors: not_permitted.
  Result<void> check_sender(const HttpHead& head) const;
  /// Does this caller hold the token that the path needs? Pages and probes need none; the operator
  /// port goes without only on loopback and while no admin token is set. Errors: not_permitted.
  Result<void> check_token(const HttpHead& head, std::string_view path) const;

 private:
  const Config& config_;
  const bool operator_port_;
  std::vector<Origin> origins_;
  std::vector<std::string> hosts_;
};

/// Equal, in a time that does not tell how much of it is. False when `secret` is not set.
bool same_secret(std::string_view given, const std::optional<std::string>& secret);

}  // namespace term::server
