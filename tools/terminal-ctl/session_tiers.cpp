#include "session_tiers.h"

#include <map>
#include <nlohmann/json.hpp>

namespace term::ctl {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kNamed = 5;  ///< Sessions that an error names.

std::uint64_t next_offset(const Json& session) {
  return session.value("next_offset", std::uint64_t{0});
}

/// Output or a client's input stands before where it stood.
bool is_behind(const Json& was, const Json& is) {
  if (next_offset(is) < next_offset(was)) return true;
  const Json now = is.value("input", Json::object());
  const Json before = was.value("input", Json::object());
  for (const auto& [client, offset] : before.items())
    if (now.contains(client) && now.at(client) < offset) return true;
  return false;
}

/// Nobody but its own user can have ended a shell: those who would know are still there, and say
/// that they lost none.
bool ends_are_known(const Json& before, const Json& after) {
  const bool same_service = before.value("service_pid", 0) == after.value("service_pid", 0);
  const int holder = before.value("holder_pid", 0);
  if (holder != after.value("holder_pid", 0) || (holder == 0 && !same_service)) return false;
  return after.value("lost", 0) == (same_service ? before.value("lost", 0) : 0);
}

bool has_ended(const Json& was) {
  const int pid = was.value("pid", 0);
  std::error_code ignored;
  return pid > 0 && !std::filesystem::exists("/proc/" + std::to_string(pid), ignored);
}

std::string tier_of(const Json& was, const Json* is, bool known) {
  if (is == nullptr) return known && has_ended(was) ? "ended" : "missing";
  if (is_behind(was, *is)) return "behind";
  return is->value("pid", 0) == was.value("pid", 0) ? "live" : "cold";
}

bool allows(const std::string& allowed, const std::string& tier) {
  return tier == "ended" || ("," + allowed + ",").find("," + tier + ",") != std::string::npos;
}

}  // namespace

Result<Json> sessions_now(const Context& context) {
  const auto service = find_service(context);
  if (!service) return service.error();
  AdminClient client(*service);
  const auto listed = client.get("/api/admin/sessions", Millis(60'000));
  if (!listed) return listed.error();
  if (listed->status != 200)
    return Error{Errc::os_error, "the service does not list its sessions: " + listed->error()};
  const auto counted = client.get("/api/metrics/terminals/sessions");
  if (!counted) return counted.error();
  Json all = listed->json();
  all["lost"] = counted->json().value("lost", 0);
  all["service_pid"] = service->pid;
  all["holder_pid"] = service->holder_pid;
  return all;
}

Result<void> compare_sessions(const Json& before, const Json& after, const std::string& allowed,
                              Json& said) {
  const Json was_there = before.value("sessions", Json::array());
  const Json is_there = after.value("sessions", Json::array());
  std::map<std::string, const Json*> now;
  for (const auto& session : is_there) now[session.value("id", "")] = &session;
  const bool known = ends_are_known(before, after);
  Json all = Json::array();
  Json tiers = Json::object();
  Json wrong = Json::array();
  for (const auto& was : was_there) {
    const auto found = now.find(was.value("id", ""));
    const Json* is = found == now.end() ? nullptr : found->second;
    const std::string tier = tier_of(was, is, known);
    tiers[tier] = tiers.value(tier, 0) + 1;
    Json one{{"id", was.value("id", "")},
             {"tier", tier},
             {"offset", {{"before", next_offset(was)}, {"after", nullptr}}},
             {"engine", nullptr}};
    if (is != nullptr) {
      one["offset"]["after"] = next_offset(*is);
      one["engine"] = is->value("engine", Json::object()).value("streams", "");
    }
    if (!allows(allowed, tier)) wrong.push_back(one);
    all.push_back(std::move(one));
  }
  said["sessions"] = all.size();
  said["tiers"] = std::move(tiers);
  said["lost"] = after.value("lost", 0);
  said["came_back"] = std::move(all);
  if (wrong.empty()) return {};
  const std::string count = std::to_string(wrong.size());
  while (wrong.size() > kNamed) wrong.erase(wrong.size() - 1);
  return Error{Errc::bad_snapshot,
               count + " sessions did not come back as " + allowed + ": " + wrong.dump()};
}

}  // namespace term::ctl
