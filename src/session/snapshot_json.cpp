#include "session/snapshot_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "session/json_fields.h"
#include "session/utf8.h"

namespace term {

using nlohmann::json;

namespace {
/// JSON is UTF-8 and its writer throws at anything else; paths and names need not be.
std::string utf8(std::string_view bytes) {
  Utf8Stream stream;
  std::string text = stream.feed(bytes);
  return text += stream.finish();
}

json optional_time(const std::optional<WallTime>& time) {
  return time ? json(iso_time(*time)) : json(nullptr);
}

template <class T>
json nullable(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json window_json(WindowSize size) { return {{"cols", size.cols}, {"rows", size.rows}}; }

double finite(double value) { return std::isfinite(value) ? value : 0; }

json lifecycle_json(const SessionRecord& record) {
  const Lifecycle& life = record.lifecycle;
  json transitions = json::array();
  for (const LifecycleTransition& step : life.transitions) {
    transitions.push_back({{"from", to_string(step.from)},
                           {"to", to_string(step.to)},
                           {"at", iso_time(step.at)},
                           {"reason", utf8(step.reason)}});
  }
  const Millis uptime = std::max(life.entered_at - record.created_at, Millis{0});
  return {{"state", to_string(life.state)},         {"transitions", std::move(transitions)},
          {"enteredAt", iso_time(life.entered_at)}, {"totalUptime", uptime.count()},
          {"activeTime", life.active_time.count()}, {"suspendedTime", life.suspended_time.count()}};
}

json suspension_json(const std::optional<Suspension>& suspension) {
  if (!suspension) return nullptr;
  return {{"suspendedAt", iso_time(suspension->suspended_at)},
          {"expiresAt", iso_time(suspension->expires_at)},
          {"before", to_string(suspension->before)}};
}

/// The unknown fields we kept: always an object, never deeper than we can write.
json metadata_json(const std::string& text) {
  json read = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!read.is_object() || nested_deeper(read, kMaxJsonDepth)) return json::object();
  return read;
}

json viewer_json(const ViewerState& viewer) {
  return {{"id", viewer.id},
          {"client", utf8(viewer.client)},
          {"dialect", utf8(viewer.dialect)},
          {"role", viewer.role == ViewerRole::writer ? "writer" : "viewer"},
          {"offset", viewer.sent},
          {"acked", viewer.acked},
          {"window", viewer.window},
          {"acks", viewer.acks},
          {"exempt", viewer.exempt},
          {"wanted", viewer.wanted ? window_json(*viewer.wanted) : json(nullptr)}};
}

json exit_json(const std::optional<ExitStatus>& exit) {
  if (!exit) return nullptr;
  return {
      {"code", nullable(exit->code)}, {"signal", utf8(exit->signal)}, {"at", iso_time(exit->at)}};
}

void add_stream(json& out, const StreamRecord& stream) {
  json output{{"firstOffset", stream.first_offset}, {"nextOffset", stream.next_offset}};
  if (stream.data) output["data"] = base64_encode(*stream.data);
  json input = json::object();
  for (const auto& [client, offsets] : stream.input) {
    input[utf8(client)] = {{"accepted", offsets.accepted}, {"written", offsets.written}};
  }
  json viewers = json::array();
  for (const ViewerState& viewer : stream.viewers) viewers.push_back(viewer_json(viewer));
  out["output"] = std::move(output);
  out["input"] = std::move(input);
  out["viewers"] = std::move(viewers);
  out["inputSuspended"] = stream.suspended;
  out["open"] = stream.open;
  out["pid"] = stream.pid;
  out["streamWindow"] = window_json(stream.window);
  out["exit"] = exit_json(stream.exit);
}

json running_json(const std::optional<RunningCommand>& running) {
  if (!running) return nullptr;
  return {{"sequence", running->sequence},
          {"at", iso_time(running->at)},
          {"category", running->category},
          {"text", utf8(running->text)}};
}

void add_telemetry(json& out, const TelemetryRecord& telemetry) {
  json commands = to_json(telemetry.commands);
  commands["pending"] = utf8(telemetry.commands.pending);
  commands["pendingDone"] = telemetry.commands.pending_done;
  commands["hidden"] = telemetry.commands.hidden;
  commands["line"] = utf8(telemetry.commands.line);
  commands["running"] = running_json(telemetry.commands.running);
  out["inputBytes"] = telemetry.input_bytes;
  out["outputBytes"] = telemetry.output_bytes;
  out["commandCount"] = telemetry.commands.total;
  out["errorCount"] = telemetry.error_count;
  out["cpuUsage"] = finite(telemetry.cpu_usage);
  out["memoryUsage"] = telemetry.memory_usage;
  out["responseTime"] = finite(telemetry.response_time_ms);
  out["commands"] = std::move(commands);
  out["logPosition"] = telemetry.log_position;
}
}  // namespace

std::string_view dialect_status(SessionState state) {
  switch (state) {
    case SessionState::starting:
      return "connecting";
    case SessionState::attached:
      return "active";
    case SessionState::detached:
      return "inactive";
    case SessionState::suspended:
      return "suspended";
    case SessionState::failed:
      return "error";
    case SessionState::closed:
      return "closed";
  }
  return "error";
}

json to_json(const CommandStatistics& statistics) {
  return {{"total", statistics.total},
          {"failed", statistics.failed},
          {"reported", statistics.reported},
          {"byCategory", statistics.by_category},
          {"byHour", statistics.by_hour}};
}

json to_json(const SessionRecord& record) {
  json args = json::array();
  for (const std::string& arg : record.args) args.push_back(utf8(arg));
  json environment = json::object();
  for (const auto& [name, value] : record.environment) environment[utf8(name)] = utf8(value);
  return {{"id", record.id},
          {"projectId", record.project_id},
          {"userId", record.user_id ? json(utf8(*record.user_id)) : json(nullptr)},
          {"type", utf8(record.type)},
          {"mode", utf8(record.mode)},
          {"tabName", utf8(record.tab_name)},
          {"status", dialect_status(record.status)},
          {"focused", record.focused},
          {"createdAt", iso_time(record.created_at)},
          {"updatedAt", iso_time(record.updated_at)},
          {"lastActivity", iso_time(record.last_activity)},
          {"shell", utf8(record.shell)},
          {"args", std::move(args)},
          {"currentPath", utf8(record.current_path)},
          {"environment", std::move(environment)},
          {"cols", record.window.cols},
          {"rows", record.window.rows},
          {"layoutPosition", nullable(record.layout_position)},
          {"lifecycle", lifecycle_json(record)},
          {"suspension", suspension_json(record.suspension)},
          {"disconnect",
           {{"lastCloseCode", nullable(record.disconnect.last_close_code)},
            {"keepAliveUntil", optional_time(record.disconnect.keep_alive_until)}}},
          {"metadata", metadata_json(record.metadata)}};
}

json to_json(const ProjectRecord& record) {
  json recent = json::array();
  for (const WallTime at : record.recent_creations) recent.push_back(iso_time(at));
  return {{"id", record.id},
          {"sessions", record.sessions},
          {"focused", record.focused},
          {"layout", utf8(record.layout)},
          {"nameCounter", record.name_counter},
          {"recentCreations", std::move(recent)},
          {"breakerUntil", optional_time(record.breaker_until)}};
}

json to_json(const SessionSnapshot& snapshot) {
  json out = to_json(snapshot.session);
  // A directory's name is bytes: where it is not text, the bytes go along.
  const std::string& path = snapshot.session.current_path;
  if (utf8(path) != path) out["currentPathBytes"] = base64_encode(path);
  add_stream(out, snapshot.stream);
  add_telemetry(out, snapshot.telemetry);
  return out;
}

}  // namespace term
