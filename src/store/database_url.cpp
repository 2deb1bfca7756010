#include "store/database_url.h"

#include <algorithm>

#include "store/store.h"

namespace term::store {

namespace {

bool is_uri(std::string_view url) {
  return url.starts_with("postgres://") || url.starts_with("postgresql://");
}

std::string decode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto digit = [&](char c) {
    return kHex.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() &&
                        digit(text[i + 1]) != std::string_view::npos &&
                        digit(text[i + 2]) != std::string_view::npos;
    out += escape ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

void add(std::vector<std::string>& all, std::string_view password) {
  if (password.empty()) return;
  all.emplace_back(password);
  all.push_back(decode(password));
}

void add_of_uri(std::vector<std::string>& all, std::string_view url) {
  const std::string_view rest = url.substr(url.find("://") + 3);
  // The last @ before the path: one in a password that was not encoded must hide it, too.
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  auto at = authority.rfind('@');
  if (at == std::string_view::npos) at = rest.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view user = rest.substr(0, at);
    if (const auto colon = user.find(':'); colon != std::string_view::npos)
      add(all, user.substr(colon + 1));
  }
  constexpr std::string_view kParameter = "password=";
  for (auto from = rest.find(kParameter); from != std::string_view::npos;
       from = rest.find(kParameter, from + 1)) {
    const std::string_view value = rest.substr(from + kParameter.size());
    add(all, value.substr(0, value.find('&')));
  }
}

/// `password = 'it\'s'`, `password=plain`.
void add_of_keywords(std::vector<std::string>& all, std::string_view url) {
  for (auto from = url.find("password"); from != std::string_view::npos;
       from = url.find("password", from + 1)) {
    std::string_view rest = url.substr(from + 8);
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '=')) rest.remove_prefix(1);
    const bool quoted = rest.starts_with('\'');
    if (quoted) rest.remove_prefix(1);
    std::string value;
    std::size_t i = 0;
    for (; i < rest.size() && rest[i] != (quoted ? '\'' : ' '); ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      value += rest[i];
    }
    add(all, value);
    add(all, rest.substr(0, i));
  }
}

}  // namespace

std::string with_connect_timeout(std::string_view url, int seconds) {
  std::string text(url);
  if (text.find("connect_timeout") != std::string::npos) return text;
  const std::string limit = "connect_timeout=" + std::to_string(seconds);
  if (!is_uri(url)) return text + " " + limit;
  return text + (text.find('?') == std::string::npos ? "?" : "&") + limit;
}

std::vector<std::string> passwords_of(std::string_view url) {
  std::vector<std::string> all;
  if (is_uri(url))
    add_of_uri(all, url);
  else
    add_of_keywords(all, url);
  // The longer first: a part of it must not spoil the match.
  std::ranges::sort(all, std::ranges::greater(), &std::string::size);
  return all;
}

std::string shown(const Location& location) {
  const std::string& url = location.database_url;
  return url.empty() ? "sqlite" : without_secrets(url, passwords_of(url));
}

std::string without_secrets(std::string_view message, const std::vector<std::string>& passwords) {
  std::string line;
  for (const char c : message) {
    if (c != '\n')
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  while (line.ends_with(' ')) line.pop_back();
  constexpr std::string_view kHidden = "***";
  for (const auto& password : passwords)
    for (auto at = line.find(password); at != std::string::npos;
         at = line.find(password, at + kHidden.size()))
      line.replace(at, password.size(), kHidden);
  return line;
}

}  // namespace term::store
