#include "server/admission_control.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "server/json_read.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

/// As admission_json() writes them.
std::optional<adapter::AdmissionRules> read_rules(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  adapter::AdmissionRules rules;
  rules.maintenance = read_bool(json, "maintenance").value_or(false);
  rules.message = read_string(json, "message").value_or("");
  rules.eta = read_string(json, "eta").value_or("");
  rules.percentage = static_cast<int>(read_integer(json, "percentage", 0, 100).value_or(100));
  rules.who = read_string(json, "who").value_or("");
  if (auto since = parse_iso_time(read_string(json, "since").value_or(""))) rules.since = *since;
  return rules;
}

}  // namespace

AdmissionControl::AdmissionControl(Operations& operations)
    : operations_(operations),
      rules_(std::make_shared<const adapter::AdmissionRules>()),
      published_(operations.shards().first().get_executor()) {}

void AdmissionControl::restore(std::string_view text) {
  auto rules = read_rules(text);
  if (!rules) return;
  rules_ = std::make_shared<const adapter::AdmissionRules>(std::move(*rules));
  Shards& shards = operations_.shards();
  for (std::size_t i = 0; i < shards.size(); ++i) shards.at(i).admission = rules_;
}

std::string AdmissionControl::text() const {
  return admission_json(*rules_).dump(-1, ' ', false, Json::error_handler_t::replace);
}

net::awaitable<void> AdmissionControl::enable(std::string message, std::string eta,
                                              std::string who) {
  while (publishing_) co_await published_.wait();
  adapter::AdmissionRules next;
  next.maintenance = true;
  next.message = std::move(message);
  next.eta = std::move(eta);
  next.percentage = 0;
  next.who = std::move(who);
  co_await change(std::move(next));
}

net::awaitable<void> AdmissionControl::disable(std::string who) {
  while (publishing_) co_await published_.wait();
  adapter::AdmissionRules next;
  next.who = std::move(who);
  co_await change(std::move(next));
}

net::awaitable<void> AdmissionControl::admit_share(int percentage, std::string who) {
  while (publishing_) co_await published_.wait();
  adapter::AdmissionRules next = *rules_;
  next.percentage = percentage;
  next.who = std::move(who);
  co_await change(std::move(next));
}

net::awaitable<void> AdmissionControl::adopt(std::string text) {
  while (publishing_) co_await published_.wait();
  auto rules = read_rules(text);
  if (changed_ || !rules || *rules == *rules_) co_return;
  co_await publish(std::move(*rules));
}

net::awaitable<void> AdmissionControl::change(adapter::AdmissionRules next) {
  changed_ = true;
  next.since = operations_.now();
  co_await publish(std::move(next));
}

net::awaitable<void> AdmissionControl::publish(adapter::AdmissionRules next) {
  publishing_ = true;
  const auto before = std::move(rules_);
  const auto now = std::make_shared<const adapter::AdmissionRules>(std::move(next));
  rules_ = now;
  spdlog::info("service.admission maintenance={} percentage={} eta=\"{}\" message=\"{}\" who={}",
               now->maintenance, now->percentage, now->eta, now->message, now->who);
  if (on_change_) on_change_();
  const bool tell =
      now->maintenance != before->maintenance ||
      (now->maintenance && (now->message != before->message || now->eta != before->eta));
  // Rules and notice in one turn: who attaches afterwards is told by its own attach.
  auto set = [now, tell](Shard& shard) {
    shard.admission = now;
    if (!tell) return true;
    for (const auto& session : shard.sessions->all())
      session->tell([&](ViewerNews& news) { news.put(adapter::maintenance_notice(*now)); });
    return true;
  };
  co_await operations_.shards().gather(std::move(set));
  publishing_ = false;
  published_.notify_all();
}

Json admission_json(const adapter::AdmissionRules& rules) {
  Json json{{"maintenance", rules.maintenance}, {"message", rules.message}, {"eta", rules.eta},
            {"percentage", rules.percentage},   {"since", nullptr},         {"who", rules.who}};
  if (rules.since != WallTime{}) json["since"] = iso_time(rules.since);
  return json;
}

}  // namespace term::server
