#pragma once
// Who may talk to us from a browser: the Origin and Host checks, as pure functions on parsed
// tuples.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace term::server {

/// A web origin as (scheme, host, port). `host` is lower case; an IPv6 address keeps its brackets.
/// With `any_subdomain` it stands for every host that is exactly one label before `.host`; only
/// entries of the allow-list have that, never an Origin header.
struct Origin {
  std::string scheme;
  std::string host;
  std::uint16_t port = 0;
  bool any_subdomain = false;
  bool operator==(const Origin&) const = default;
};

/// Reads one entry of the allow-list: `http(s)://host[:port]`, lower case, nothing after the port.
/// `*.` is accepted as the whole left-most label before a name of at least two labels.
/// Errors: nullopt for everything else: userinfo, path, trailing dot, an address in an unusual
/// spelling, a name outside ASCII (write its `xn--` form), `null`.
std::optional<Origin> parse_allowed_origin(std::string_view text);

/// Reads the value of an Origin header, which browsers always write in one canonical form
/// (RFC 6454 section 6.1): what is not exactly that form is nullopt, so nothing is normalised here.
std::optional<Origin> parse_origin_header(std::string_view header);

/// `scheme://host[:port]`, the port left out if it is the scheme's own.
std::string to_string(const Origin& origin);

/// True if the header is one canonical origin whose tuple is on the list. Says nothing about a
/// request *without* the header, nor about one with two: the caller counts them and refuses two.
/// Source: reference/reliability.md 1, "origin pattern mistakes".
bool origin_allowed(std::string_view header, std::span<const Origin> allowed);

/// The default allow-list: http on `localhost`, `127.0.0.1` and `[::1]` at the two ports in use.
std::vector<Origin> default_origins(std::uint16_t ws_port, std::uint16_t http_port);

/// Names that a Host header may carry: the loopback names, the address or name the service binds
/// (unless it is a wildcard address), and the hosts of the allowed origins (`*.example.org` stays).
std::vector<std::string> allowed_host_names(std::string_view bind_host,
                                            std::span<const Origin> allowed);

/// True if the Host header is one well-formed `host[:port]` whose host is on the list; letter case
/// and the port do not matter, since DNS rebinding brings a foreign name, not a foreign port.
/// An empty value is refused; a missing or a second header is the caller's to refuse.
bool host_allowed(std::string_view host_header, std::span<const std::string> names);

}  // namespace term::server
