// The legacy JSON dialect, "L" (reference/origin.md 1.6 to 1.9).

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "server/dialect.h"
#include "server/json_read.h"
#include "session/json_fields.h"
#include "session/json_text.h"
#include "session/snapshot_json.h"
#include "session/utf8.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

/// `ctrl` keys and the bytes they send; others are ignored, as clients expect.
std::string control_byte(std::string_view key) {
  if (key.size() != 1) return {};
  switch (std::tolower(static_cast<unsigned char>(key.front()))) {
    case 'c':
      return "\x03";
    case 'd':
      return "\x04";
    case 'z':
      return "\x1a";
    case 'l':
      return "\x0c";
    case '\\':
      return "\x1c";
    case 'a':
      return "\x01";
    case 'e':
      return "\x05";
    case 'k':
      return "\x0b";
    case 'u':
      return "\x15";
    case 'w':
      return "\x17";
    default:
      return {};
  }
}

Command read_message(const Json& json) {
  const auto type = read_string(json, "type");
  if (!type) return BadCommand{"bad_message", "type must be a string"};
  if (*type == "input") {
    auto data = read_string(json, "data");
    if (!data) return BadCommand{"bad_message", "input: data must be a string"};
    return InputCommand{.bytes = {}, .owned = std::move(*data)};
  }
  if (*type == "resize") {
    const auto size = read_window(json);
    if (!size)
      return BadCommand{"bad_message",
                        "resizing must be done using positive cols and rows, at most 1000"};
    return ResizeCommand{*size};
  }
  if (*type == "ctrl")
    return InputCommand{.bytes = {}, .owned = control_byte(read_string(json, "key").value_or(""))};
  if (*type == "ping") return PingCommand{};
  if (*type == "focus") return FocusCommand{true};
  if (*type == "blur") return FocusCommand{false};
  if (*type == "focus_change")
    return FocusCommand{read_string(json, "mode").value_or("active") != "background"};
  if (*type == "suspend") return SuspendCommand{};
  if (*type == "resume") return ResumeCommand{};
  return BadCommand{"unknown_type", "unknown message type \"" + type->substr(0, 64) + "\""};
}

class LegacyDialect final : public Dialect {
 public:
  std::string_view name() const override { return "legacy"; }
  WindowSize default_size() const override { return {.rows = 30, .cols = 80}; }

  std::vector<Command> decode(bool text, std::string_view payload) override {
    std::vector<Command> commands;
    // JSON escapes can make 6 bytes of one; input alone may be long.
    const auto json = parse_object(payload, std::numeric_limits<std::size_t>::max());
    if (!text) {
      commands.emplace_back(BadCommand{"bad_message", "expected a text message with JSON"});
    } else if (!json) {
      commands.emplace_back(BadCommand{"bad_message", json.error().detail});
    } else {
      Command command = read_message(*json);
      if (payload.size() > kMaxControlBytes && !std::holds_alternative<InputCommand>(command))
        command = BadCommand{"bad_message", "control message larger than 64 KiB"};
      commands.push_back(std::move(command));
    }
    return commands;
  }

  std::optional<Frame> dress(std::string_view bytes) override {
    const std::string text = feed(bytes);
    if (text.empty()) return Frame{.text = true, .payload = {}};  // All held back.
    return stream(text);
  }
  std::optional<Frame> finish() override {
    const std::string text = utf8_.finish();
    tail_.clear();
    if (text.empty()) return std::nullopt;
    return stream(text);
  }

  void attached(const Attached& info, Frames& out) override {
    focused_ = info.session.focused;
    all_focused_ = info.all_focused;  // Known from now on; status() tells changes only.
    const auto& id = info.session.id;
    const Json place{{"sessionId", id}, {"workingDir", info.session.current_path}};
    if (info.tier == "new") {
      put(out, focus_json(info.session.focused, info.all_focused));
      put(out, merge({{"type", "connected"}}, place));
      return;
    }
    // Two generations of clients: one reads `buffered`, the other `history`.
    const std::string replay = feed(info.replay);
    if (!replay.empty()) put(out, {{"type", "buffered"}, {"data", replay}, {"sessionId", id}});
    put(out, merge({{"type", "reconnected"}}, place));
    put(out, {{"type", "history"}, {"data", replay}});
  }
  void repaint(std::string_view bytes, Frames& out) override {
    if (auto frame = dress(bytes); frame && !frame->payload.empty()) out.push_back(*frame);
  }
  void status(const SessionRecord& session, const std::vector<SessionId>& focused,
              Frames& out) override {
    if (session.focused == focused_ && focused == all_focused_) return;
    focused_ = session.focused;
    all_focused_ = focused;
    put(out, focus_json(session.focused, focused));
  }
  void suspended(const SessionId& id, std::size_t sessions, Frames& out) override {
    put(out, {{"type", "suspended"},
              {"message", std::to_string(sessions) + " session(s) suspended"},
              {"sessionId", id}});
  }
  void resumed(const SessionId& id, std::size_t sessions, Frames& out) override {
    put(out, {{"type", "resumed"},
              {"message", std::to_string(sessions) + " session(s) resumed"},
              {"sessionId", id}});
  }
  void notice(const Notice& notice, const Owners&, Frames& out) override {
    // Its clients pass over a type that they do not know (reference/origin.md P-33).
    if (notice.kind != "maintenance") return;
    Json json{{"type", "notice"}, {"kind", notice.kind}, {"message", notice.message}};
    if (!notice.eta.empty()) json["eta"] = notice.eta;
    if (notice.over) json["over"] = true;
    put(out, json);
  }
  void exited(const ExitStatus& status, Frames& out) override {
    Json json{{"type", "exit"}, {"code", status.code.value_or(0)}};
    if (!status.signal.empty()) json["signal"] = status.signal;
    if (!status.code && status.signal.empty()) json["code"] = nullptr;
    put(out, json);
  }
  void error(std::string_view, std::string_view message, bool, Frames& out) override {
    put(out, {{"type", "error"}, {"message", message}});
  }
  void pong(const std::string&, Frames& out) override { put(out, {{"type", "pong"}}); }

  std::string state() const override {
    return Json{{"tail", base64_encode(tail_)}, {"focused", focused_}, {"allFocused", all_focused_}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  Result<void> restore(std::string_view state) override {
    if (state.empty()) return {};
    const Json json = Json::parse(state, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return Error{Errc::bad_snapshot, "dialectState: expected an object"};
    std::optional<Error> error;
    JsonFields fields(json, "dialectState.", error);
    std::string tail;
    fields.text("tail", tail);
    fields.boolean("focused", focused_);
    fields.texts("allFocused", [&](const std::string& id) { all_focused_.push_back(id); });
    if (error) return *error;
    const auto bytes = base64_decode(tail);
    if (!bytes || incomplete_utf8_tail(*bytes) != bytes->size())
      return Error{Errc::bad_snapshot, "dialectState.tail: expected the start of a character"};
    (void)feed(*bytes);
    return {};
  }

 private:
  /// As Utf8Stream::feed, and remembers what it holds back.
  std::string feed(std::string_view bytes) {
    std::string text = utf8_.feed(bytes);
    tail_ += bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 4));
    tail_.erase(0, tail_.size() - utf8_.held());
    return text;
  }
  static Json merge(Json into, const Json& from) {
    into.update(from);
    return into;
  }
  static Json focus_json(bool focused, const std::vector<SessionId>& all) {
    return {{"type", "focusUpdate"}, {"focused", focused}, {"allFocused", all}};
  }
  static void put(Frames& out, const Json& message) {
    out.push_back(
        {.text = true, .payload = message.dump(-1, ' ', false, Json::error_handler_t::replace)});
  }
  Frame stream(const std::string& text) const {
    Frame frame{.text = true, .payload = "{\"data\":"};
    append_json_string(frame.payload, text);
    frame.payload += ",\"type\":\"stream\"";
    if (!focused_) frame.payload += ",\"unfocused\":true";
    frame.payload += '}';
    return frame;
  }

  Utf8Stream utf8_;
  std::string tail_;  ///< What utf8_ holds back.
  bool focused_ = true;
  std::vector<SessionId> all_focused_;
};

}  // namespace

std::unique_ptr<Dialect> make_legacy_dialect() { return std::make_unique<LegacyDialect>(); }

}  // namespace term::server
