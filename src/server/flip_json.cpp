#include "server/flip_json.h"

#include <nlohmann/json.hpp>

#include "session/json_fields.h"
#include "session/snapshot_json.h"

namespace term::server {

using Json = nlohmann::json;

Json flip_json(const adapter::FlipEntry& entry) {
  Json failed = Json::array();
  for (const auto& failure : entry.failed)
    failed.push_back({{"id", failure.id}, {"error", failure.error}});
  Json json{{"id", entry.id},
            {"who", entry.who},
            {"reason", entry.reason},
            {"from", entry.from},
            {"to", entry.to},
            {"force", entry.force},
            {"started", iso_time(entry.started)},
            {"ended", nullptr},
            {"duration_ms", nullptr},
            {"sessions", entry.sessions},
            {"sessions_after", entry.sessions_after},
            {"progress", entry.progress},
            {"moved", entry.moved},
            {"failed", failed},
            {"lost", entry.lost},
            {"good", entry.good},
            {"offsets_sha256", {{"before", entry.sha256_before}, {"after", entry.sha256_after}}}};
  if (entry.ended) {
    json["ended"] = iso_time(*entry.ended);
    json["duration_ms"] = (*entry.ended - entry.started).count();
  }
  return json;
}

namespace {
void size_field(JsonFields& in, const char* key, std::size_t& out) {
  std::uint64_t read = out;
  in.count(key, read);
  out = static_cast<std::size_t>(read);
}
}  // namespace

std::optional<adapter::FlipEntry> flip_from_json(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  std::optional<Error> error;
  JsonFields in(json, {}, error);
  adapter::FlipEntry entry;
  in.text("id", entry.id);
  in.text("who", entry.who);
  in.text("reason", entry.reason);
  in.text("from", entry.from);
  in.text("to", entry.to);
  in.boolean("force", entry.force);
  in.time("started", entry.started);
  in.optional_time("ended", entry.ended);
  size_field(in, "sessions", entry.sessions);
  size_field(in, "sessions_after", entry.sessions_after);
  size_field(in, "progress", entry.progress);
  size_field(in, "moved", entry.moved);
  size_field(in, "lost", entry.lost);
  in.boolean("good", entry.good);
  in.array("failed", [&](JsonFields& one) {
    adapter::FlipEntry::Failure failure;
    one.text("id", failure.id);
    one.text("error", failure.error);
    entry.failed.push_back(std::move(failure));
  });
  in.object("offsets_sha256", [&](JsonFields& hashes) {
    hashes.text("before", entry.sha256_before);
    hashes.text("after", entry.sha256_after);
  });
  if (error || entry.id.empty() || !json.contains("started")) return std::nullopt;
  return entry;
}

}  // namespace term::server
