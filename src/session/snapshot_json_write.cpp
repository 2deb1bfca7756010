// A snapshot as JSON text without a tree of it: written at each change of each session, exported,
// and written for all of them while a hand-over keeps their viewers waiting.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "session/json_text.h"
#include "session/snapshot_json.h"
#include "session/utf8.h"

namespace term {

namespace {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void key(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
  }
  template <class F>
  void object(std::string_view name, F fields) {
    key(name);
    braced('{', '}', fields);
  }
  template <class F>
  void array(std::string_view name, F elements) {
    key(name);
    braced('[', ']', elements);
  }
  template <class F>
  void element(F fields) {
    separate();
    braced('{', '}', fields);
  }
  void item(std::string_view text) {
    separate();
    clean(text);
  }
  void item(std::uint64_t value) {
    separate();
    number(value);
  }
  void text(std::string_view name, std::string_view value) { key(name), clean(value); }
  /// By a name that may be any bytes.
  void named(std::string_view name) {
    separate();
    clean(name);
    out_ += ':';
  }
  template <class T>
  void count(std::string_view name, T value) {
    key(name), number(value);
  }
  void real(std::string_view name, double value) {
    key(name), number(std::isfinite(value) ? value : 0.0);
  }
  void boolean(std::string_view name, bool value) { key(name), out_ += value ? "true" : "false"; }
  void null(std::string_view name) { key(name), out_ += "null"; }
  void time(std::string_view name, WallTime value) { text(name, iso_time(value)); }
  void time(std::string_view name, const std::optional<WallTime>& value) {
    value ? time(name, *value) : null(name);
  }
  void integer(std::string_view name, const std::optional<int>& value) {
    value ? count(name, *value) : null(name);
  }
  void window(std::string_view name, WindowSize size) {
    object(name, [&] { count("cols", size.cols), count("rows", size.rows); });
  }
  void base64(std::string_view name, std::string_view bytes) {
    key(name);
    out_ += '"';
    append_base64(out_, bytes);
    out_ += '"';
  }
  void value(std::string_view text) { clean(text); }
  void raw(std::string_view json) { out_ += json; }
  template <class F>
  void braced(char open, char close, F inner) {
    out_ += open;
    inner();
    out_ += close;
  }

 private:
  void separate() {
    if (out_.back() != '{' && out_.back() != '[') out_ += ',';
  }
  template <class T>
  void number(T value) {
    std::array<char, 32> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    out_.append(digits.data(), written.ptr);
  }
  /// JSON is UTF-8; paths and names need not be.
  void clean(std::string_view bytes) {
    const bool ascii = std::ranges::all_of(bytes, [](char c) { return c >= 0; });
    if (ascii) return append_json_string(out_, bytes);
    Utf8Stream stream;
    std::string text = stream.feed(bytes);
    append_json_string(out_, text += stream.finish());
  }
  std::string& out_;
};

void put_lifecycle(Writer& out, const SessionRecord& record) {
  const Lifecycle& life = record.lifecycle;
  out.object("lifecycle", [&] {
    out.text("state", to_string(life.state));
    out.array("transitions", [&] {
      for (const LifecycleTransition& step : life.transitions) {
        out.element([&] {
          out.text("from", to_string(step.from));
          out.text("to", to_string(step.to));
          out.time("at", step.at);
          out.text("reason", step.reason);
        });
      }
    });
    out.time("enteredAt", life.entered_at);
    out.count("totalUptime", std::max(life.entered_at - record.created_at, Millis{0}).count());
    out.count("activeTime", life.active_time.count());
    out.count("suspendedTime", life.suspended_time.count());
  });
}

void put_suspension(Writer& out, const std::optional<Suspension>& suspension) {
  if (!suspension) return out.null("suspension");
  out.object("suspension", [&] {
    out.time("suspendedAt", suspension->suspended_at);
    out.time("expiresAt", suspension->expires_at);
    out.text("before", to_string(suspension->before));
  });
}

void put_session(Writer& out, const SessionRecord& record, std::string_view status) {
  out.text("id", record.id);
  out.text("projectId", record.project_id);
  record.user_id ? out.text("userId", *record.user_id) : out.null("userId");
  out.text("type", record.type);
  out.text("mode", record.mode);
  out.text("tabName", record.tab_name);
  out.text("status", status);
  out.boolean("focused", record.focused);
  out.time("createdAt", record.created_at);
  out.time("updatedAt", record.updated_at);
  out.time("lastActivity", record.last_activity);
  out.text("shell", record.shell);
  out.array("args", [&] {
    for (const std::string& arg : record.args) out.item(arg);
  });
  out.text("currentPath", record.current_path);
  out.object("environment", [&] {
    for (const auto& [name, value] : record.environment) {
      out.named(name);
      out.value(value);
    }
  });
  out.count("cols", record.window.cols);
  out.count("rows", record.window.rows);
  out.integer("layoutPosition", record.layout_position);
  put_lifecycle(out, record);
  put_suspension(out, record.suspension);
  out.object("disconnect", [&] {
    out.integer("lastCloseCode", record.disconnect.last_close_code);
    out.time("keepAliveUntil", record.disconnect.keep_alive_until);
  });
}

void put_viewers(Writer& out, const std::vector<ViewerState>& viewers) {
  out.array("viewers", [&] {
    for (const ViewerState& viewer : viewers) {
      out.element([&] {
        out.count("id", viewer.id);
        out.text("client", viewer.client);
        out.text("dialect", viewer.dialect);
        out.text("role", viewer.role == ViewerRole::writer ? "writer" : "viewer");
        out.count("offset", viewer.sent);
        out.count("acked", viewer.acked);
        out.count("window", viewer.window);
        out.boolean("acks", viewer.acks);
        out.boolean("exempt", viewer.exempt);
        viewer.wanted ? out.window("wanted", *viewer.wanted) : out.null("wanted");
      });
    }
  });
}

void put_stream(Writer& out, const StreamRecord& stream, bool data_too) {
  out.object("output", [&] {
    out.count("firstOffset", stream.first_offset);
    out.count("nextOffset", stream.next_offset);
    if (data_too) out.base64("data", *stream.data);
  });
  out.object("input", [&] {
    for (const auto& [client, offsets] : stream.input) {
      out.named(client);
      out.braced('{', '}', [&] {
        out.count("accepted", offsets.accepted);
        out.count("written", offsets.written);
      });
    }
  });
  put_viewers(out, stream.viewers);
  out.boolean("inputSuspended", stream.suspended);
  out.boolean("open", stream.open);
  out.count("pid", stream.pid);
  out.window("streamWindow", stream.window);
  if (!stream.exit) return out.null("exit");
  out.object("exit", [&] {
    out.integer("code", stream.exit->code);
    out.text("signal", stream.exit->signal);
    out.time("at", stream.exit->at);
  });
}

void put_running(Writer& out, const std::optional<RunningCommand>& running) {
  if (!running) return out.null("running");
  out.object("running", [&] {
    out.count("sequence", running->sequence);
    out.time("at", running->at);
    out.text("category", running->category);
    out.text("text", running->text);
  });
}

void put_commands(Writer& out, const CommandStatistics& commands) {
  out.object("commands", [&] {
    out.count("total", commands.total);
    out.count("failed", commands.failed);
    out.count("reported", commands.reported);
    out.object("byCategory", [&] {
      for (const auto& [name, count] : commands.by_category) out.count(name, count);
    });
    out.array("byHour", [&] {
      for (const std::uint64_t count : commands.by_hour) out.item(count);
    });
    out.text("pending", commands.pending);
    out.boolean("pendingDone", commands.pending_done);
    out.boolean("hidden", commands.hidden);
    out.text("line", commands.line);
    put_running(out, commands.running);
  });
}

void put_telemetry(Writer& out, const TelemetryRecord& telemetry) {
  out.count("inputBytes", telemetry.input_bytes);
  out.count("outputBytes", telemetry.output_bytes);
  out.count("commandCount", telemetry.commands.total);
  out.count("errorCount", telemetry.error_count);
  out.real("cpuUsage", telemetry.cpu_usage);
  out.count("memoryUsage", telemetry.memory_usage);
  out.real("responseTime", telemetry.response_time_ms);
  put_commands(out, telemetry.commands);
  out.count("logPosition", telemetry.log_position);
}

/// The unknown fields we kept: always an object, never deeper than we can write.
void put_metadata(Writer& out, const SessionRecord& record) {
  out.key("metadata");
  if (record.metadata == "{}") return out.raw(record.metadata);
  const auto json = to_json(record);
  out.raw(json["metadata"].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

void append_json(std::string& out, const SessionRecord& record, std::string_view status) {
  Writer writer(out);
  writer.braced('{', '}', [&] {
    put_session(writer, record, status);
    put_metadata(writer, record);
  });
}

void append_json(std::string& out, const SessionSnapshot& snapshot, bool with_data) {
  const bool data_too = with_data && snapshot.stream.data;
  const std::size_t data = data_too ? snapshot.stream.data->size() : 0;
  out.reserve(out.size() + data / 3 * 4 + 2048);
  Writer writer(out);
  writer.braced('{', '}', [&] {
    put_session(writer, snapshot.session, dialect_status(snapshot.session.status));
    // A directory's name is bytes: where it is not text, the bytes go along.
    const std::string& path = snapshot.session.current_path;
    Utf8Stream stream;
    std::string text = stream.feed(path);
    if ((text += stream.finish()) != path) writer.base64("currentPathBytes", path);
    put_stream(writer, snapshot.stream, data_too);
    put_telemetry(writer, snapshot.telemetry);
    put_metadata(writer, snapshot.session);
  });
}

}  // namespace term
