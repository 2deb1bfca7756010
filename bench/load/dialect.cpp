#include "load/dialect.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "load/json_text.h"

namespace term::bench {

namespace {

constexpr std::uint64_t kAckBytes = 64 * 1024;  // As the page does.

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// A path with {id} in it, or the dialect's own.
std::string path_of(const Options& options, const std::string& session, const char* own) {
  const std::string& given = options.url ? options.url->path : "";
  return replaced(replaced(given.empty() ? own : given, "{id}", session), "{project}",
                  options.project);
}

class Raw : public Dialect {
 public:
  Raw(const Options& options, WsClient& client, DialectEvents& events)
      : Dialect(client, events), options_(options) {}
  std::string target(const std::string& session) const override {
    return path_of(options_, session, "/terminal/{id}?projectId={project}&cols=80&rows=24");
  }
  void opened() override { events_.session_ready(); }
  void message(bool, std::string_view payload) override { events_.output(payload); }
  void type(std::string_view bytes) override { client_.binary(bytes); }

 protected:
  const Options& options_;
};

class Native final : public Raw {
 public:
  Native(const Options& options, WsClient& client, DialectEvents& events,
         std::optional<std::uint64_t> resume)
      : Raw(options, client, events), resume_(resume) {}
  std::string subprotocol() const override { return "terminal.v1"; }
  void opened() override {
    std::string attach =
        R"({"type":"attach","client":"bench","input":0,"cols":80,"rows":24,"role":"writer")";
    if (resume_) attach += ",\"output\":" + std::to_string(*resume_);
    client_.text(attach + "}");
  }
  void message(bool text, std::string_view payload) override {
    if (text) return control(payload);
    if (repaint_) {
      repaint_ = false;
      return events_.replay(payload);
    }
    received_ += payload.size();
    // Acknowledged first: the server reads it while we check.
    if (received_ - acknowledged_ >= kAckBytes) acknowledge();
    events_.output(payload);
  }
  void end() override { client_.text(R"({"type":"close"})"); }

 private:
  void acknowledge() {
    acknowledged_ = received_;
    client_.text("{\"type\":\"ack\",\"output\":" + std::to_string(received_) + "}");
  }
  void control(std::string_view payload) {
    const auto json = nlohmann::json::parse(payload, nullptr, false);
    const std::string type = json.is_object() ? json.value("type", "") : "";
    if (type == "attached") {
      received_ = acknowledged_ = json.value("output", std::uint64_t{0});
      const std::string engine = json["engine"].value("streams", "");
      if (!options_.engine.empty() && engine != options_.engine)
        events_.trouble("served by " + engine + ", not by " + options_.engine);
      events_.at_offset(received_, json.value("replayUntil", received_));
      events_.session_ready();
    } else if (type == "gap") {
      // Before `attached` it is what the scrollback no longer has.
      received_ = json.value("to", received_);
      events_.trouble("gap " + std::string(payload));
    } else if (type == "repaint") {
      repaint_ = true;
    } else if (type == "error") {
      events_.trouble(std::string(payload));
    }
  }

  const std::optional<std::uint64_t> resume_;
  std::uint64_t received_ = 0;
  std::uint64_t acknowledged_ = 0;
  bool repaint_ = false;
};

/// Output in the `data` of JSON objects; ours, and the replaced system's.
class Legacy final : public Dialect {
 public:
  Legacy(const Options& options, WsClient& client, DialectEvents& events)
      : Dialect(client, events), options_(options) {}
  std::string target(const std::string& session) const override {
    return path_of(options_, session, "/?sessionId={id}&projectId={project}");
  }
  void opened() override {}
  void message(bool, std::string_view payload) override {
    const std::string_view type = raw_member(payload, "type");
    if (type == "stream") {
      unescape(raw_member(payload, "data"), bytes_);
      events_.output(bytes_);
    } else if (type == "buffered") {
      unescape(raw_member(payload, "data"), bytes_);
      events_.replay(bytes_);
    } else if (type == "connected" || type == "reconnected") {
      events_.session_ready();
    } else if (type == "error") {
      events_.trouble(std::string(payload));
    }
  }
  void type(std::string_view bytes) override {
    client_.text("{\"type\":\"input\",\"data\":" + quoted(bytes) + "}");
  }

 private:
  const Options& options_;
  std::string bytes_;
};

class Ttyd final : public Dialect {
 public:
  Ttyd(const Options& options, WsClient& client, DialectEvents& events)
      : Dialect(client, events), options_(options) {}
  std::string target(const std::string& session) const override {
    return path_of(options_, session, "/ws");
  }
  std::string subprotocol() const override { return "tty"; }
  void opened() override {
    client_.binary(R"({"AuthToken":"","columns":80,"rows":24})");
    events_.session_ready();
  }
  void message(bool, std::string_view payload) override {
    if (payload.starts_with('0')) events_.output(payload.substr(1));
  }
  void type(std::string_view bytes) override { client_.binary("0" + std::string(bytes)); }

 private:
  const Options& options_;
};

/// JSON arrays: ["stdout", "text"].
class Terminado final : public Dialect {
 public:
  Terminado(const Options& options, WsClient& client, DialectEvents& events)
      : Dialect(client, events), options_(options) {}
  std::string target(const std::string& session) const override {
    return path_of(options_, session, "/websocket");
  }
  void opened() override { client_.text(R"(["set_size",24,80])"); }
  void message(bool, std::string_view payload) override {
    const std::string_view type = raw_element(payload, 0);
    if (type == "stdout") {
      unescape(raw_element(payload, 1), bytes_);
      events_.output(bytes_);
    } else if (type == "setup") {
      events_.session_ready();
    }
  }
  void type(std::string_view bytes) override { client_.text("[\"stdin\"," + quoted(bytes) + "]"); }

 private:
  const Options& options_;
  std::string bytes_;
};

/// With --binary: bytes of a program's pipes.
class Websocketd final : public Raw {
 public:
  using Raw::Raw;
  std::string target(const std::string& session) const override {
    return path_of(options_, session, "/");
  }
};

/// socket.io 4 over engine.io 4, WebSocket from the beginning.
class Wetty final : public Dialect {
 public:
  Wetty(const Options& options, WsClient& client, DialectEvents& events)
      : Dialect(client, events), options_(options) {}
  std::string target(const std::string& session) const override {
    return path_of(options_, session, "/wetty/socket.io/?EIO=4&transport=websocket");
  }
  void opened() override {}
  void message(bool, std::string_view payload) override {
    if (payload.starts_with("42")) return event(payload.substr(2));
    if (payload.starts_with("0")) {
      client_.text("40");
    } else if (payload == "2") {
      client_.text("3");
    } else if (payload.starts_with("44")) {
      events_.trouble(std::string(payload));
    }
  }
  void type(std::string_view bytes) override {
    client_.text("42[\"input\"," + quoted(bytes) + "]");
  }

 private:
  void event(std::string_view payload) {
    const std::string_view name = raw_element(payload, 0);
    if (name == "login") {
      // Earlier input is lost: it starts the shell first, and listens then.
      client_.text(R"(42["resize",{"cols":80,"rows":24}])");
      events_.session_ready();
    }
    if (name != "data") return;
    unescape(raw_element(payload, 1), bytes_);
    events_.output(bytes_);
    uncommitted_ += bytes_.size();
    if (uncommitted_ < 4 * kAckBytes) return;  // As its page does.
    client_.text("42[\"commit\"," + std::to_string(uncommitted_) + "]");
    uncommitted_ = 0;
  }
  const Options& options_;
  std::string bytes_;
  std::uint64_t uncommitted_ = 0;
};

}  // namespace

bool is_ours(const std::string& dialect) {
  return dialect == "native" || dialect == "raw" || dialect == "legacy";
}

bool carries_text_only(const std::string& dialect) {
  return dialect == "legacy" || dialect == "node" || dialect == "terminado" || dialect == "wetty";
}

bool without_tty(const std::string& dialect) { return dialect == "websocketd"; }

std::unique_ptr<Dialect> make_dialect(const Options& options, WsClient& client,
                                      DialectEvents& events, std::optional<std::uint64_t> resume) {
  const std::string& name = options.dialect;
  if (name == "native") return std::make_unique<Native>(options, client, events, resume);
  if (name == "raw") return std::make_unique<Raw>(options, client, events);
  if (name == "legacy" || name == "node") return std::make_unique<Legacy>(options, client, events);
  if (name == "ttyd") return std::make_unique<Ttyd>(options, client, events);
  if (name == "terminado") return std::make_unique<Terminado>(options, client, events);
  if (name == "websocketd") return std::make_unique<Websocketd>(options, client, events);
  if (name == "wetty") return std::make_unique<Wetty>(options, client, events);
  throw Misused("--dialect=" + name +
                " is none of native, raw, legacy, node, ttyd, terminado, "
                "websocketd, wetty");
}

}  // namespace term::bench
