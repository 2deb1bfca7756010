#include <algorithm>
#include <charconv>

#include "server/redis_worker.h"

namespace term::server {

namespace {

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned code = 0;
    const char* const end = text.data() + std::min(i + 3, text.size());
    const auto [at, ec] = std::from_chars(text.data() + i + 1, end, code, 16);
    if (ec != std::errc{} || at != text.data() + i + 3 || code == 0) return std::nullopt;
    out += static_cast<char>(code);
    i += 2;
  }
  return out;
}

template <class Number>
bool read_number(std::string_view text, Number& into) {
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), into);
  return ec == std::errc{} && at == text.data() + text.size() && !text.empty();
}

Error bad(const std::string& why) { return {Errc::bad_argument, why}; }

Result<RedisAddress> parse_unix(std::string_view rest) {
  RedisAddress address;
  const std::size_t mark = rest.find('?');
  const auto path = decoded(rest.substr(0, mark));
  if (!path || !path->starts_with('/')) return bad("unix:// wants an absolute path");
  address.path = *path;
  if (mark == std::string_view::npos) return address;
  const std::string_view query = rest.substr(mark + 1);
  if (!query.starts_with("db=") || !read_number(query.substr(3), address.database))
    return bad("after the path only ?db=number may follow");
  return address;
}

Result<void> parse_user(std::string_view text, RedisAddress& address) {
  const std::size_t colon = text.find(':');
  const auto user = decoded(text.substr(0, colon));
  const auto password =
      colon == std::string_view::npos ? std::string{} : decoded(text.substr(colon + 1));
  if (!user || !password) return bad("user and password must be percent-encoded");
  address.user = *user;
  address.password = *password;
  return {};
}

}  // namespace

Result<RedisAddress> parse_redis_url(std::string_view url) {
  constexpr std::string_view kUnix = "unix://";
  constexpr std::string_view kTcp = "redis://";
  if (url.starts_with(kUnix)) return parse_unix(url.substr(kUnix.size()));
  if (!url.starts_with(kTcp)) return bad("it must begin with redis:// or unix://");
  url.remove_prefix(kTcp.size());
  RedisAddress address;
  const std::size_t slash = url.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view number = url.substr(slash + 1);
    if (!number.empty() && !read_number(number, address.database))
      return bad("after the port only the number of a database may follow");
  }
  std::string_view authority = url.substr(0, slash);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (auto user = parse_user(authority.substr(0, at), address); !user) return user.error();
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad("an IPv6 address ends with ]");
    address.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const std::size_t colon = authority.find(':');
    address.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (address.host.empty()) return bad("the host is missing");
  if (!port.empty() && (port.front() != ':' || !read_number(port.substr(1), address.port)))
    return bad("the port must be a number up to 65535");
  return address;
}

std::string RedisAddress::shown() const {
  if (!path.empty()) return "unix://" + path;
  const bool v6 = host.find(':') != std::string::npos;
  return "redis://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + "/" +
         std::to_string(database);
}

}  // namespace term::server
