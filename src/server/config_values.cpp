#include "server/config_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace term::server {

namespace {

constexpr std::uint64_t kMaxMillis = std::uint64_t{10} * 365 * 24 * 3600 * 1000;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

/// A number, perhaps a blank, and one of the units. nullopt also if the product exceeds `max`.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                             std::uint64_t max) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(text.substr(0, digits));
  std::string_view suffix = text.substr(digits);
  if (suffix.starts_with(' ')) suffix.remove_prefix(1);
  const auto unit = std::ranges::find(units, suffix, &Unit::name);
  if (!number || unit == units.end() || *number > max / unit->factor) return std::nullopt;
  return *number * unit->factor;
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::uint64_t kKi = 1024;
  static constexpr std::array<Unit, 11> kUnits{{{"", 1},
                                                {"b", 1},
                                                {"k", kKi},
                                                {"kb", kKi},
                                                {"kib", kKi},
                                                {"m", kKi * kKi},
                                                {"mb", kKi * kKi},
                                                {"mib", kKi * kKi},
                                                {"g", kKi * kKi * kKi},
                                                {"gb", kKi * kKi * kKi},
                                                {"gib", kKi * kKi * kKi}}};
  return parse_with_unit(lower(text), kUnits, std::numeric_limits<std::uint64_t>::max());
}

std::optional<Millis> parse_duration(std::string_view text) {
  constexpr std::uint64_t kMinute = 60 * 1000;
  static constexpr std::array<Unit, 8> kUnits{{{"", 1000},
                                               {"ms", 1},
                                               {"s", 1000},
                                               {"sec", 1000},
                                               {"min", kMinute},
                                               {"m", kMinute},
                                               {"h", 60 * kMinute},
                                               {"d", 24 * 60 * kMinute}}};
  const auto millis = parse_with_unit(text, kUnits, kMaxMillis);
  if (!millis) return std::nullopt;
  return Millis{static_cast<Millis::rep>(*millis)};
}

std::optional<double> parse_percent(std::string_view text) {
  if (text.ends_with('%')) text.remove_suffix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  double value = 0;
  const char* const begin = text.data();
  const auto [end, ec] =
      std::from_chars(begin, begin + text.size(), value, std::chars_format::fixed);
  if (ec != std::errc{} || end != begin + text.size() || !(value >= 0 && value <= 100))
    return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  return std::nullopt;
}

bool is_loopback(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.find('\0') != std::string_view::npos) return false;
  if (lower(host) == "localhost") return true;
  const std::string text(host);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  return std::ranges::equal(v6.s6_addr, in6addr_loopback.s6_addr);
}

}  // namespace term::server
