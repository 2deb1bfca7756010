#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "session/ids.h"
#include "session/json_fields.h"
#include "session/snapshot_json.h"

namespace term {

using nlohmann::json;

namespace {
constexpr int kMaxCloseCode = 65535;
constexpr int kMaxExitCode = 255;
constexpr std::size_t kMaxPendingBytes = 32;

void read_lifecycle(JsonFields& fields, SessionRecord& record) {
  Lifecycle& life = record.lifecycle;
  life.state = record.status;
  life.entered_at = record.updated_at;
  fields.object("lifecycle", [&](JsonFields& in) {
    in.state("state", life.state);
    in.time("enteredAt", life.entered_at);
    in.millis("activeTime", life.active_time);
    in.millis("suspendedTime", life.suspended_time);
    in.array("transitions", [&](JsonFields& step) {
      LifecycleTransition read;
      step.state("from", read.from);
      step.state("to", read.to);
      step.time("at", read.at);
      step.text("reason", read.reason);
      if (life.transitions.size() == kMaxTransitions) {
        life.transitions.erase(life.transitions.begin());
      }
      life.transitions.push_back(std::move(read));
    });
  });
  if (life.state != record.status) fields.refuse("lifecycle.state", "the same state as in status");
}

void read_suspension(JsonFields& fields, SessionRecord& record) {
  fields.object("suspension", [&](JsonFields& in) {
    Suspension read{.suspended_at = record.updated_at, .expires_at = record.updated_at};
    in.time("suspendedAt", read.suspended_at);
    in.time("expiresAt", read.expires_at);
    in.state("before", read.before);
    if (read.before != SessionState::attached && read.before != SessionState::detached) {
      in.refuse("before", "attached or detached");
    }
    record.suspension = read;
  });
  if (record.suspension && record.status != SessionState::suspended) {
    fields.refuse("suspension", "null unless status is suspended");
  }
}

void read_environment(JsonFields& fields, SessionRecord& record) {
  fields.object("environment", [&](JsonFields& in) {
    for (const std::string& name : in.unread()) {
      if (name.empty() || name.find_first_of(std::string("=\0", 2)) != std::string::npos) {
        return in.refuse(name, "a name without = and NUL");
      }
      in.os_text(name, record.environment[name]);
    }
  });
}

void read_path(JsonFields& fields, SessionRecord& record) {
  fields.os_text("workingDirectory", record.current_path);  // Origin's other name for it.
  fields.os_text("currentPath", record.current_path);
  std::string bytes;
  fields.text("currentPathBytes", bytes);
  const auto path = base64_decode(bytes);
  if (!path || path->find('\0') != std::string::npos) {
    return fields.refuse("currentPathBytes", "base64 without NUL");
  }
  if (!path->empty()) record.current_path = *path;
}

void read_session(JsonFields& fields, SessionRecord& record) {
  fields.text("id", record.id);
  if (!valid_session_id(record.id)) {
    fields.refuse("id", "1 to 128 of A-Z a-z 0-9 _ . - and not dots only");
  }
  fields.text("projectId", record.project_id);
  if (!valid_project_id(record.project_id)) {
    fields.refuse("projectId", "at most 128 of A-Z a-z 0-9 _ . -");
  }
  fields.optional_text("userId", record.user_id);
  fields.text("type", record.type);
  fields.text("mode", record.mode);
  if (record.mode != "normal" && record.mode != "claude" && record.mode != "system") {
    fields.refuse("mode", "normal, claude or system");
  }
  fields.text("tabName", record.tab_name);
  fields.state("status", record.status);
  fields.boolean("isFocused", record.focused);  // Origin's name for it.
  fields.boolean("focused", record.focused);
  fields.time("createdAt", record.created_at);
  record.updated_at = record.created_at;
  fields.time("updatedAt", record.updated_at);
  record.last_activity = record.updated_at;
  fields.time("lastActivity", record.last_activity);
  fields.os_text("shell", record.shell);
  fields.texts("args", [&](const std::string& arg) {
    if (arg.find('\0') != std::string::npos) fields.refuse("args", "strings without NUL");
    record.args.push_back(arg);
  });
  read_path(fields, record);
  read_environment(fields, record);
  fields.window(record.window);
  fields.optional_integer("layoutPosition", record.layout_position, std::numeric_limits<int>::min(),
                          std::numeric_limits<int>::max());
  read_lifecycle(fields, record);
  read_suspension(fields, record);
  fields.object("disconnect", [&](JsonFields& in) {
    in.optional_integer("lastCloseCode", record.disconnect.last_close_code, 0, kMaxCloseCode);
    in.optional_time("keepAliveUntil", record.disconnect.keep_alive_until);
  });
}

void read_output(JsonFields& in, StreamRecord& stream) {
  std::optional<std::string> text;
  in.optional_text("data", text);
  if (text) {
    auto bytes = base64_decode(*text);
    if (!bytes) return in.refuse("data", "base64");
    stream.data = *std::move(bytes);
    stream.next_offset = stream.data->size();
  }
  in.count("firstOffset", stream.first_offset);
  in.count("nextOffset", stream.next_offset);
  if (stream.first_offset > stream.next_offset) {
    return in.refuse("firstOffset", "nothing beyond nextOffset");
  }
  if (stream.data && stream.data->size() != stream.next_offset - stream.first_offset) {
    in.refuse("data", std::to_string(stream.next_offset - stream.first_offset) +
                          " bytes, as the offsets say");
  }
}

/// By client: `{accepted, written}`, or one number for both.
void read_input(JsonFields& fields, StreamRecord& stream) {
  fields.object("input", [&](JsonFields& in) {
    for (const std::string& client : in.unread()) {
      InputOffsets& read = stream.input[client];
      const json* value = in.value(client);
      if (value && value->is_number()) {
        in.count(client, read.accepted);
        read.written = read.accepted;
        continue;
      }
      in.object(client, [&](JsonFields& offsets) {
        offsets.count("accepted", read.accepted);
        offsets.count("written", read.written);
        if (read.written > read.accepted) offsets.refuse("written", "nothing beyond accepted");
      });
    }
  });
}

ViewerState read_viewer(JsonFields& in, const StreamRecord& stream) {
  ViewerState viewer{.id = stream.viewers.empty() ? 1 : stream.viewers.back().id + 1};
  std::string role = "writer";
  std::uint64_t window = 0;
  in.count("id", viewer.id);
  in.text("client", viewer.client);
  in.text("dialect", viewer.dialect);
  in.text("role", role);
  in.count("offset", viewer.sent);
  viewer.acked = viewer.sent;
  in.count("acked", viewer.acked);
  in.count("window", window);
  in.boolean("acks", viewer.acks);
  in.boolean("exempt", viewer.exempt);
  in.object("wanted", [&](JsonFields& size) { size.window(viewer.wanted.emplace()); });
  viewer.window = static_cast<std::size_t>(window);
  viewer.role = role == "viewer" ? ViewerRole::viewer : ViewerRole::writer;
  if (role != "viewer" && role != "writer") in.refuse("role", "writer or viewer");
  if (viewer.sent > stream.next_offset) in.refuse("offset", "nothing beyond output.nextOffset");
  if (viewer.acked > viewer.sent) in.refuse("acked", "nothing beyond offset");
  if (!stream.viewers.empty() && viewer.id <= stream.viewers.back().id) {
    in.refuse("id", "ids in ascending order");
  }
  return viewer;
}

void read_stream(JsonFields& fields, const SessionRecord& session, StreamRecord& stream) {
  fields.object("output", [&](JsonFields& in) { read_output(in, stream); });
  read_input(fields, stream);
  fields.array("viewers",
               [&](JsonFields& in) { stream.viewers.push_back(read_viewer(in, stream)); });
  stream.suspended = session.status == SessionState::suspended;
  fields.boolean("inputSuspended", stream.suspended);
  fields.boolean("open", stream.open);
  fields.integer("pid", stream.pid, 0, std::numeric_limits<int>::max());
  stream.window = session.window;
  fields.object("streamWindow", [&](JsonFields& in) { in.window(stream.window); });
  fields.object("exit", [&](JsonFields& in) {
    ExitStatus& exit = stream.exit.emplace();
    in.optional_integer("code", exit.code, 0, kMaxExitCode);
    in.text("signal", exit.signal);
    in.time("at", exit.at);
  });
}

void read_commands(JsonFields& in, CommandStatistics& commands) {
  in.count("total", commands.total);
  in.count("failed", commands.failed);
  in.object("byCategory", [&](JsonFields& categories) {
    for (const std::string& name : categories.unread()) {
      categories.count(name, commands.by_category[name]);
    }
  });
  std::size_t hour = 0;
  in.counts("byHour", [&](std::uint64_t count) {
    if (hour < commands.by_hour.size()) commands.by_hour.at(hour) = count;
    ++hour;
  });
  if (in.has("byHour") && hour != commands.by_hour.size()) in.refuse("byHour", "24 numbers");
  in.text("pending", commands.pending);
  if (commands.pending.size() > kMaxPendingBytes) in.refuse("pending", "at most 32 bytes");
  in.boolean("pendingDone", commands.pending_done);
  in.count("reported", commands.reported);
  in.boolean("hidden", commands.hidden);
  in.text("line", commands.line);
  // Bytes that are no UTF-8 have grown in the document.
  commands.line.resize(std::min(commands.line.size(), kMaxCommandText));
  in.object("running", [&](JsonFields& fields) {
    RunningCommand& running = commands.running.emplace();
    fields.count("sequence", running.sequence);
    fields.time("at", running.at);
    fields.text("category", running.category);
    fields.text("text", running.text);
    running.text.resize(std::min(running.text.size(), kMaxCommandText));
  });
}

void read_telemetry(JsonFields& fields, TelemetryRecord& telemetry) {
  fields.count("inputBytes", telemetry.input_bytes);
  fields.count("outputBytes", telemetry.output_bytes);
  fields.count("errorCount", telemetry.error_count);
  fields.real("cpuUsage", telemetry.cpu_usage);
  fields.count("memoryUsage", telemetry.memory_usage);
  fields.real("responseTime", telemetry.response_time_ms);
  fields.count("commandCount", telemetry.commands.total);
  fields.object("commands", [&](JsonFields& in) { read_commands(in, telemetry.commands); });
  fields.count("logPosition", telemetry.log_position);
}

/// What nobody asked for joins `metadata`, which wins where both have a field.
void read_metadata(JsonFields& fields, const json& object, SessionRecord& record) {
  json kept = json::object();
  if (const json* found = fields.value("metadata")) {
    if (!found->is_object()) return fields.refuse("metadata", "an object");
    if (nested_deeper(*found, kMaxJsonDepth)) return fields.refuse("metadata", "fewer levels");
    kept = *found;
  }
  for (const std::string& name : fields.unread()) {
    if (kept.contains(name)) continue;
    if (nested_deeper(object[name], kMaxJsonDepth - 1)) return fields.refuse(name, "fewer levels");
    kept[name] = object[name];
  }
  record.metadata = kept.dump(-1, ' ', false, json::error_handler_t::replace);
}
}  // namespace

Result<SessionSnapshot> snapshot_from_json(const json& json) {
  if (!json.is_object()) return Error{Errc::bad_snapshot, "a session: expected an object"};
  SessionSnapshot snapshot;
  std::optional<Error> error;
  JsonFields fields(json, {}, error);
  read_session(fields, snapshot.session);
  read_stream(fields, snapshot.session, snapshot.stream);
  read_telemetry(fields, snapshot.telemetry);
  // Derived from the others, in origin and in ours: not kept as unknown.
  for (const char* derived : {"active", "wsConnected"}) (void)fields.has(derived);
  read_metadata(fields, json, snapshot.session);
  if (!error) return snapshot;
  if (valid_session_id(snapshot.session.id)) {
    error->detail = "session " + snapshot.session.id + ": " + error->detail;
  }
  return *std::move(error);
}

Result<ProjectRecord> project_from_json(const json& json) {
  if (!json.is_object()) return Error{Errc::bad_snapshot, "a project: expected an object"};
  ProjectRecord record;
  std::optional<Error> error;
  JsonFields fields(json, {}, error);
  fields.text("id", record.id);
  if (!json.contains("id") || !valid_project_id(record.id)) {
    fields.refuse("id", "at most 128 of A-Z a-z 0-9 _ . -");
  }
  const auto take_id = [&](std::vector<SessionId>& ids, const char* key) {
    fields.texts(key, [&ids, &fields, key](const std::string& id) {
      if (!valid_session_id(id)) fields.refuse(key, "session ids");
      ids.push_back(id);
    });
  };
  take_id(record.sessions, "sessions");
  take_id(record.focused, "focused");
  fields.text("layout", record.layout);
  std::uint64_t names = 0;
  fields.count("nameCounter", names, std::numeric_limits<std::uint32_t>::max());
  record.name_counter = static_cast<std::uint32_t>(names);
  fields.texts("recentCreations", [&](const std::string& text) {
    const auto at = parse_iso_time(text);
    if (!at) return fields.refuse("recentCreations", "times like 2026-11-22T10:00:00.000Z");
    record.recent_creations.push_back(*at);
  });
  fields.optional_time("breakerUntil", record.breaker_until);
  if (error) return *std::move(error);
  return record;
}

}  // namespace term
