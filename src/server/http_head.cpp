#include "server/http_head.h"

#include <algorithm>

namespace term::server {

namespace {

/// Comma separated items, blanks trimmed; linear (reliability.md 1, header cost).
std::vector<std::string> list_items(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    auto item = text.substr(0, end);
    while (!item.empty() && blank(item.front())) item.remove_prefix(1);
    while (!item.empty() && blank(item.back())) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

bool lists(const HttpHead& head, std::string_view field, std::string_view item) {
  const auto items = list_items(lower_case(head.value(field)));
  return std::ranges::find(items, item) != items.end();
}

}  // namespace

std::size_t HttpHead::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count(fields, name, &std::pair<std::string, std::string>::first));
}

std::string_view HttpHead::value(std::string_view name) const {
  const auto it = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
  return it == fields.end() ? std::string_view{} : std::string_view(it->second);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return out;
}

bool wants_websocket(const HttpHead& head) {
  return head.method == "GET" && lists(head, "upgrade", "websocket") &&
         lists(head, "connection", "upgrade");
}

std::string bearer_token(const HttpHead& head) {
  const std::string_view value = head.value("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  return value.starts_with(kBearer) ? std::string(value.substr(kBearer.size())) : std::string{};
}

Request to_request(HttpHead head, Target target, bool operator_port) {
  Request request;
  request.method = std::move(head.method);
  request.target = std::move(target);
  for (auto& [name, value] : head.fields) request.headers[name] = std::move(value);
  request.body = std::move(head.body);
  request.peer = std::move(head.peer);
  request.operator_port = operator_port;
  return request;
}

Upgrade to_upgrade(HttpHead head, Target target, std::string leftover) {
  Upgrade upgrade;
  upgrade.bearer = bearer_token(head);
  upgrade.raw_target = std::move(head.raw_target);
  for (const auto& [name, value] : head.fields) {
    if (name != "sec-websocket-protocol") continue;
    for (auto& item : list_items(value)) upgrade.protocols.push_back(std::move(item));
  }
  upgrade.headers = std::move(head.fields);
  upgrade.leftover = std::move(leftover);
  upgrade.target = std::move(target);
  return upgrade;
}

}  // namespace term::server
