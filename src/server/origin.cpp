#include "server/origin.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace term::server {

namespace {

constexpr std::size_t kMaxHostLength = 253;
constexpr std::size_t kMaxLabelLength = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Lower-case letters only: upper case is never canonical, and is refused rather than folded.
bool is_label_char(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_'; }

bool valid_label(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelLength && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, is_label_char);
}

/// Round trip through the resolver's own parser: what does not come back the same was spelled
/// unusually (`127.1`, `0177.0.0.1`, `::0`), and such spellings exist to slip past comparisons.
template <int family>
bool canonical_address(std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  std::array<char, INET6_ADDRSTRLEN> back{};
  return inet_pton(family, std::string(text).c_str(), address.data()) == 1 &&
         inet_ntop(family, address.data(), back.data(), back.size()) != nullptr &&
         text == back.data();
}

/// A host in canonical form: `[v6]`, dotted v4, or a DNS name of lower-case labels without a dot at
/// the end. A name whose last label begins with a digit would be read as an address by browsers.
bool valid_host(std::string_view host) {
  if (host.empty() || host.size() > kMaxHostLength) return false;
  // inet_pton() would stop at a zero byte.
  if (host.find('\0') != std::string_view::npos) return false;
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' &&
           canonical_address<AF_INET6>(host.substr(1, host.size() - 2));
  }
  const std::string_view last = host.substr(host.rfind('.') + 1);  // npos + 1 == 0
  if (!last.empty() && is_digit(last.front())) return canonical_address<AF_INET>(host);
  while (true) {
    const std::size_t dot = host.find('.');
    if (!valid_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

/// 1..65535 in plain decimal: no sign, no blank, no leading zero.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  if (text.empty() || text.front() == '0') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

struct HostPort {
  std::string_view host;
  std::optional<std::uint16_t> port;
};

/// Splits `host[:port]` and checks both.
std::optional<HostPort> parse_host_port(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  HostPort result{text.substr(0, colon), std::nullopt};
  if (colon != std::string_view::npos) {
    result.port = parse_port(text.substr(colon + 1));
    if (!result.port) return std::nullopt;
  }
  if (!valid_host(result.host)) return std::nullopt;
  return result;
}

std::optional<std::uint16_t> default_port(std::string_view scheme) {
  if (scheme == "http") return std::uint16_t{80};
  if (scheme == "https") return std::uint16_t{443};
  return std::nullopt;
}

/// True if `name` is exactly one label in front of `.parent`.
bool is_direct_subdomain(std::string_view name, std::string_view parent) {
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && name.substr(dot + 1) == parent;
}

std::optional<Origin> parse_origin(std::string_view text) {
  constexpr std::string_view kSeparator = "://";
  const std::size_t separator = text.find(kSeparator);
  if (separator == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = text.substr(0, separator);
  const auto implied = default_port(scheme);
  const auto rest = parse_host_port(text.substr(separator + kSeparator.size()));
  if (!implied || !rest) return std::nullopt;
  return Origin{.scheme = std::string(scheme),
                .host = std::string(rest->host),
                .port = rest->port.value_or(*implied)};
}

}  // namespace

std::optional<Origin> parse_allowed_origin(std::string_view text) {
  constexpr std::string_view kWildcard = "://*.";
  const std::size_t wildcard = text.find(kWildcard);
  if (wildcard == std::string_view::npos) return parse_origin(text);

  std::string without(text);
  without.erase(wildcard + 3, 2);
  auto origin = parse_origin(without);
  if (!origin) return std::nullopt;
  const std::string_view host = origin->host;
  const bool address = host.front() == '[' || is_digit(host[host.rfind('.') + 1]);
  if (address || host.find('.') == std::string_view::npos) return std::nullopt;
  origin->any_subdomain = true;
  return origin;
}

std::optional<Origin> parse_origin_header(std::string_view header) {
  auto origin = parse_origin(header);
  if (!origin || to_string(*origin) != header) return std::nullopt;
  return origin;
}

std::string to_string(const Origin& origin) {
  std::string text = origin.scheme + "://" + (origin.any_subdomain ? "*." : "") + origin.host;
  if (origin.port != default_port(origin.scheme)) text += ":" + std::to_string(origin.port);
  return text;
}

bool origin_allowed(std::string_view header, std::span<const Origin> allowed) {
  const auto origin = parse_origin_header(header);
  if (!origin) return false;
  return std::ranges::any_of(allowed, [&](const Origin& entry) {
    if (!entry.any_subdomain) return entry == *origin;
    return entry.scheme == origin->scheme && entry.port == origin->port &&
           is_direct_subdomain(origin->host, entry.host);
  });
}

std::vector<Origin> default_origins(std::uint16_t ws_port, std::uint16_t http_port) {
  std::vector<Origin> origins;
  for (const std::uint16_t port : {http_port, ws_port}) {
    for (const char* host : {"localhost", "127.0.0.1", "[::1]"}) {
      origins.push_back({.scheme = "http", .host = host, .port = port});
    }
  }
  return origins;
}

std::vector<std::string> allowed_host_names(std::string_view bind_host,
                                            std::span<const Origin> allowed) {
  std::vector<std::string> names{"localhost", "127.0.0.1", "[::1]"};
  const auto add = [&names](std::string name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  };
  const bool wildcard_address = bind_host == "0.0.0.0" || bind_host == "::";
  if (!bind_host.empty() && !wildcard_address) {
    const bool v6 = bind_host.find(':') != std::string_view::npos;
    add(v6 ? "[" + std::string(bind_host) + "]" : std::string(bind_host));
  }
  for (const Origin& origin : allowed) {
    add((origin.any_subdomain ? "*." : "") + origin.host);
  }
  return names;
}

bool host_allowed(std::string_view host_header, std::span<const std::string> names) {
  // Names in a Host header come as typed by the user, so letter case is folded here, unlike above.
  std::string lower(host_header);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const auto parsed = parse_host_port(lower);
  if (!parsed) return false;
  return std::ranges::any_of(names, [&](std::string_view name) {
    return name == parsed->host ||
           (name.starts_with("*.") && is_direct_subdomain(parsed->host, name.substr(2)));
  });
}

}  // namespace term::server
