#pragma once
// A received HTTP request as a plain value, and what its header fields say.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/http.h"

namespace term::server {

struct HttpHead {
  std::string method;
  std::string raw_target;
  unsigned version = 11;
  bool keep_alive = false;
  bool announces_body = false;  ///< Content-Length or Transfer-Encoding.
  std::vector<std::pair<std::string, std::string>> fields;  ///< Names in lower case, in order.
  std::string body;
  std::string peer;  ///< Address of the other end.
  bool loopback = false;

  std::size_t count(std::string_view name) const;
  std::string_view value(std::string_view name) const;  ///< The first; empty when there is none.
};

/// ASCII only.
std::string lower_case(std::string_view text);
bool wants_websocket(const HttpHead& head);
/// The token of `Authorization: Bearer`, if there is one.
std::string bearer_token(const HttpHead& head);

Request to_request(HttpHead head, Target target, bool operator_port);
Upgrade to_upgrade(HttpHead head, Target target, std::string leftover);

}  // namespace term::server
