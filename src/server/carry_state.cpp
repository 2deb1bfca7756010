#include "server/carry_state.h"

#include <algorithm>
#include <array>

#include "server/cbor.h"

namespace term::server {

namespace {

using Stage = CarriedState::Stage;

constexpr std::uint64_t kVersion = 1;
constexpr std::uint64_t kMost = (1ULL << 53U) - 1;
constexpr std::array<std::pair<Stage, std::string_view>, 3> kStages{
    {{Stage::upgrade, "upgrade"}, {Stage::waiting, "waiting"}, {Stage::attached, "attached"}}};

void put_window(CborWriter& out, std::string_view key, const std::optional<WindowSize>& size) {
  out.text(key);
  if (!size) return out.null();
  out.map(2);
  out.count("cols", size->cols);
  out.count("rows", size->rows);
}

void put_viewer(CborWriter& out, const ViewerState& viewer) {
  out.map(8);
  out.bytes("client", viewer.client);
  out.text("role", viewer.role == ViewerRole::writer ? "writer" : "viewer");
  out.count("sent", viewer.sent);
  out.count("acked", viewer.acked);
  out.count("window", viewer.window);
  out.boolean("acks", viewer.acks);
  out.boolean("exempt", viewer.exempt);
  put_window(out, "wanted", viewer.wanted);
}

void put_news(CborWriter& out, const ViewerNews& news) {
  out.map(news.close_code ? 7 : 6);
  put_window(out, "resized", news.resized);
  out.bytes("resizedBy", news.resized_by);
  out.boolean("status", news.status);
  out.boolean("engine", news.engine);
  out.text("notices");
  out.array(news.notices.size());
  for (const Notice& notice : news.notices) {
    out.map(4);
    out.text("kind", notice.kind);
    out.text("message", notice.message);
    out.text("eta", notice.eta);
    out.boolean("over", notice.over);
  }
  out.text("closeReason", news.close_reason);
  if (news.close_code) out.count("closeCode", static_cast<std::uint64_t>(*news.close_code));
}

void put_lists(CborWriter& out, const CarriedState& state) {
  out.text("headers");
  out.array(state.headers.size());
  for (const auto& [name, value] : state.headers) {
    out.map(2);
    out.text("name", name);
    out.bytes("value", value);
  }
  out.text("frames");
  out.array(state.frames.size());
  for (const Frame& frame : state.frames) {
    out.map(2);
    out.boolean("text", frame.text);
    out.bytes("payload", frame.payload);
  }
}

template <class T>
void read_number(CborReader& in, T& out, std::uint64_t max) {
  auto read = static_cast<std::uint64_t>(out);
  in.count(read, max);
  out = static_cast<T>(read);
}

void read_window(CborReader& in, std::optional<WindowSize>& out) {
  WindowSize size;
  bool any = false;
  in.object([&](std::string_view key) {
    any = true;
    if (key == "cols") read_number(in, size.cols, kMaxWindowCells);
    if (key == "rows") read_number(in, size.rows, kMaxWindowCells);
  });
  if (!any) return;
  if (size.cols == 0 || size.rows == 0) in.refuse("at least one cell");
  out = size;
}

void read_viewer(CborReader& in, ViewerState& viewer) {
  std::string role = "writer";
  in.object([&](std::string_view key) {
    if (key == "client") in.bytes(viewer.client);
    if (key == "role") in.text(role);
    if (key == "sent") in.count(viewer.sent);
    if (key == "acked") in.count(viewer.acked);
    if (key == "window") read_number(in, viewer.window, kMost);
    if (key == "acks") in.boolean(viewer.acks);
    if (key == "exempt") in.boolean(viewer.exempt);
    if (key == "wanted") read_window(in, viewer.wanted);
  });
  if (role != "writer" && role != "viewer") in.refuse(".role", "writer or viewer");
  if (viewer.acked > viewer.sent) in.refuse(".acked", "at most sent");
  viewer.role = role == "viewer" ? ViewerRole::viewer : ViewerRole::writer;
}

void read_notices(CborReader& in, ViewerNews& news) {
  in.array([&] {
    Notice notice;
    in.object([&](std::string_view key) {
      if (key == "kind") in.text(notice.kind);
      if (key == "message") in.text(notice.message);
      if (key == "eta") in.text(notice.eta);
      if (key == "over") in.boolean(notice.over);
    });
    news.notices.push_back(std::move(notice));
  });
}

void read_news(CborReader& in, ViewerNews& news) {
  in.object([&](std::string_view key) {
    if (key == "resized") read_window(in, news.resized);
    if (key == "resizedBy") in.bytes(news.resized_by);
    if (key == "status") in.boolean(news.status);
    if (key == "engine") in.boolean(news.engine);
    if (key == "notices") read_notices(in, news);
    if (key == "closeReason") in.text(news.close_reason);
    if (key != "closeCode") return;
    std::uint64_t code = 0;
    in.count(code, 4999);
    if (code > 0) news.close_code = static_cast<int>(code);
    if (code > 0 && code < 1000) in.refuse("a number from 1000 to 4999");
  });
}

void read_headers(CborReader& in, CarriedState& state) {
  in.array([&] {
    auto& [name, value] = state.headers.emplace_back();
    in.object([&](std::string_view key) {
      if (key == "name") in.text(name);
      if (key == "value") in.bytes(value);
    });
  });
}

void read_frames(CborReader& in, CarriedState& state) {
  in.array([&] {
    Frame& frame = state.frames.emplace_back();
    in.object([&](std::string_view key) {
      if (key == "text") in.boolean(frame.text);
      if (key == "payload") in.bytes(frame.payload);
    });
  });
}

void read_request(CborReader& in, std::string_view key, CarriedState& state) {
  if (key == "headers") read_headers(in, state);
  if (key == "extensions") in.text(state.extensions);
  if (key == "dialect") in.text(state.dialect);
  if (key == "dialectState") in.text(state.dialect_state);
  if (key == "session") in.text(state.session);
  if (key == "project") in.text(state.project);
  if (key == "path") in.bytes(state.path);
  if (key == "size") read_window(in, state.size);
  if (key == "create") in.boolean(state.create);
  if (key == "token") in.bytes(state.token);
}

void read_progress(CborReader& in, std::string_view key, CarriedState& state) {
  if (key == "attachWithin") {
    std::uint64_t left = 0;
    in.count(left);
    state.attach_within = Millis{left};
  }
  if (key == "received") in.bytes(state.received);
  if (key == "unsent") in.bytes(state.unsent);
  if (key == "frames") read_frames(in, state);
  if (key == "viewer") read_viewer(in, state.viewer);
  if (key == "news") read_news(in, state.news);
  if (key == "inputRest") in.bytes(state.input_rest);
  if (key == "inputNext") in.count(state.input_next);
  if (key == "inputTold") in.count(state.input_told);
  if (key == "suspendedTold") in.boolean(state.suspended_told);
  if (key == "pingDue") in.boolean(state.ping_due);
  if (key == "quietChecks") in.count(state.quiet_checks);
}

}  // namespace

std::string to_cbor(const CarriedState& state) {
  const auto* const stage =
      std::ranges::find(kStages, state.stage, [](const auto& entry) { return entry.first; });
  std::string text;
  text.reserve(1024 + state.received.size() + state.unsent.size());
  CborWriter out(text);
  out.map(state.attach_within ? 24 : 23);
  out.count("version", kVersion);
  out.text("stage", stage->second);
  put_lists(out, state);
  out.text("extensions", state.extensions);
  out.text("dialect", state.dialect);
  out.text("dialectState", state.dialect_state);
  out.text("session", state.session);
  out.text("project", state.project);
  out.bytes("path", state.path);
  put_window(out, "size", state.size);
  out.boolean("create", state.create);
  out.bytes("token", state.token);
  out.bytes("received", state.received);
  out.bytes("unsent", state.unsent);
  out.text("viewer");
  put_viewer(out, state.viewer);
  out.text("news");
  put_news(out, state.news);
  out.bytes("inputRest", state.input_rest);
  out.count("inputNext", state.input_next);
  out.count("inputTold", state.input_told);
  out.boolean("suspendedTold", state.suspended_told);
  out.boolean("pingDue", state.ping_due);
  out.count("quietChecks", state.quiet_checks);
  if (state.attach_within)
    out.count("attachWithin", static_cast<std::uint64_t>(state.attach_within->count()));
  return text;
}

Result<CarriedState> carried_state_from_cbor(std::string_view bytes) {
  CarriedState state;
  CborReader in(bytes, "connection.");
  std::uint64_t version = 0;
  std::string stage;
  in.map([&](std::string_view key) {
    if (key == "version") return in.count(version);
    if (key == "stage") return in.text(stage);
    read_request(in, key, state);
    read_progress(in, key, state);
  });
  in.end();
  if (version < kVersion) in.refuse("version", "a number from " + std::to_string(kVersion));
  const auto* const found =
      std::ranges::find(kStages, stage, [](const auto& entry) { return entry.second; });
  if (found == kStages.end()) in.refuse("stage", "upgrade, waiting or attached");
  if (!in.ok()) return *in.error();
  state.stage = found->first;
  return state;
}

}  // namespace term::server
