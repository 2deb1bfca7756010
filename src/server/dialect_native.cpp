// `terminal.v1`: binary frames are terminal bytes, text frames are JSON control (PROTOCOLS.md 2).

#include <nlohmann/json.hpp>

#include "server/dialect.h"
#include "server/json_read.h"
#include "server/owners_json.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

void put(Dialect::Frames& out, const Json& message) {
  out.push_back(
      {.text = true, .payload = message.dump(-1, ' ', false, Json::error_handler_t::replace)});
}

Command bad(std::string_view type, std::string_view what) {
  return BadCommand{"bad_message", std::string(type) + ": " + std::string(what)};
}

Command read_attach(const Json& json) {
  AttachCommand attach;
  const auto client = read_string(json, "client");
  if (!client || client->empty() || client->size() > 128)
    return bad("attach", "client must be a string of 1 to 128 bytes");
  attach.client = *client;
  if (json.contains("output")) {
    attach.output = read_offset(json, "output");
    if (!attach.output) return bad("attach", "output must be an offset, 0 to 2^53");
  }
  const auto input = json.contains("input") ? read_offset(json, "input") : Offset{0};
  if (!input) return bad("attach", "input must be an offset, 0 to 2^53");
  attach.input = *input;
  attach.size = read_window(json);
  if (!attach.size) return bad("attach", "cols and rows must be whole numbers from 1 to 1000");
  const auto role = read_string(json, "role").value_or("writer");
  if (role != "writer" && role != "viewer") return bad("attach", "role must be writer or viewer");
  attach.role = role == "viewer" ? ViewerRole::viewer : ViewerRole::writer;
  attach.token = read_string(json, "token").value_or("");
  return attach;
}

Command read_control(const Json& json) {
  const auto type = read_string(json, "type");
  if (!type) return bad("message", "type must be a string");
  if (*type == "attach") return read_attach(json);
  if (*type == "resize") {
    const auto size = read_window(json);
    if (!size) return bad(*type, "cols and rows must be whole numbers from 1 to 1000");
    return ResizeCommand{*size};
  }
  if (*type == "ack") {
    const auto output = read_offset(json, "output");
    if (!output) return bad(*type, "output must be an offset, 0 to 2^53");
    return AckCommand{*output};
  }
  if (*type == "focus") {
    const auto focused = read_bool(json, "focused");
    if (!focused) return bad(*type, "focused must be true or false");
    return FocusCommand{*focused};
  }
  if (*type == "suspend") return SuspendCommand{};
  if (*type == "resume") return ResumeCommand{};
  if (*type == "rename") {
    const auto name = read_string(json, "name");
    if (!name) return bad(*type, "name must be a string");
    return RenameCommand{*name};
  }
  if (*type == "close") return CloseCommand{};
  if (*type == "ping") return PingCommand{json.contains("t") ? json.at("t").dump() : "null"};
  return BadCommand{"unknown_type", "unknown message type \"" + type->substr(0, 64) + "\""};
}

class NativeDialect final : public Dialect {
 public:
  std::string_view name() const override { return "native"; }
  std::string_view subprotocol() const override { return "terminal.v1"; }
  bool attaches_itself() const override { return true; }
  bool close_may_end() const override { return false; }

  std::vector<Command> decode(bool text, std::string_view payload) override {
    std::vector<Command> commands;
    if (!text) {
      if (!payload.empty()) commands.emplace_back(InputCommand{.bytes = payload});
      return commands;
    }
    const auto json = parse_object(payload, kMaxControlBytes);
    if (!json) {
      commands.emplace_back(BadCommand{"bad_message", json.error().detail});
    } else {
      commands.push_back(read_control(*json));
    }
    return commands;
  }

  std::optional<Frame> dress(std::string_view) override { return std::nullopt; }

  void attached(const Attached& info, Frames& out) override {
    const Json rest{{"tier", info.tier},
                    {"output", info.output},
                    {"replayUntil", info.replay_until},
                    {"input", info.input},
                    {"engine", owners_json(info.owners)},
                    {"window", info.window}};
    std::string text = R"({"type":"attached","session":)";
    append_json(text, info.session, to_string(info.session.status));  // Canonical, as in `status`.
    out.push_back({.text = true, .payload = text + ',' + rest.dump().substr(1)});
  }
  void gap(Offset from, Offset to, Frames& out) override {
    put(out, {{"type", "gap"}, {"from", from}, {"to", to}});
  }
  void repaint(std::string_view bytes, Frames& out) override {
    put(out, {{"type", "repaint"}, {"bytes", bytes.size()}});
    if (!bytes.empty()) out.push_back({.text = false, .payload = std::string(bytes)});
  }
  void input_written(Offset upto, Frames& out) override {
    put(out, {{"type", "ack"}, {"input", upto}});
  }
  void resized(WindowSize size, const std::string& client, Frames& out) override {
    put(out, {{"type", "resized"}, {"cols", size.cols}, {"rows", size.rows}, {"client", client}});
  }
  void status(const SessionRecord& session, const std::vector<SessionId>& focused,
              Frames& out) override {
    put(out, {{"type", "status"},
              {"status", to_string(session.status)},
              {"focused", session.focused},
              {"allFocused", focused},
              {"tabName", session.tab_name}});
  }
  void notice(const Notice& notice, const Owners& owners, Frames& out) override {
    Json json{{"type", "notice"}, {"kind", notice.kind}, {"message", notice.message}};
    if (!notice.eta.empty()) json["eta"] = notice.eta;
    if (notice.over) json["over"] = true;
    if (notice.kind == "engine") json["engine"] = owners_json(owners);
    put(out, json);
  }
  void exited(const ExitStatus& status, Frames& out) override {
    Json json{{"type", "exit"}};
    if (status.code) json["code"] = *status.code;
    if (!status.signal.empty()) json["signal"] = status.signal;
    put(out, json);
  }
  void error(std::string_view code, std::string_view message, bool fatal, Frames& out) override {
    put(out, {{"type", "error"}, {"code", code}, {"message", message}, {"fatal", fatal}});
  }
  void pong(const std::string& t, Frames& out) override {
    put(out, {{"type", "pong"}, {"t", Json::parse(t)}});
  }
};

}  // namespace

std::unique_ptr<Dialect> make_native_dialect() { return std::make_unique<NativeDialect>(); }

}  // namespace term::server
