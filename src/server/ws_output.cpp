// The writing half of a WebSocket connection, and its end.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

#include "server/ws_connection.h"
#include "session/utf8.h"

namespace term::server {

namespace websocket = boost::beast::websocket;

namespace {
/// Largest payload of one output frame: with its header it goes down in one write.
constexpr std::size_t kFrameBytes = 64 * 1024 - 16;
/// An empty ping of a server: RFC 6455 5.2, no mask.
constexpr std::uint64_t kPingBytes = 2;
constexpr auto kLingerTime = std::chrono::seconds(5);

/// Could the ring overwrite these bytes within the few turns a pong may hold the stream?
bool near_the_edge(const OutputRing& ring, Offset first) {
  const Offset margin = std::max<Offset>(ring.capacity() / 4, 256 * 1024);
  const std::size_t room = ring.capacity() - ring.size();
  return first - ring.first() + room < margin;
}
}  // namespace

net::awaitable<void> WsConnection::write_output(std::shared_ptr<WsConnection> self) {
  while (open_) {
    bool ok = co_await write_news();
    if (ok) ok = co_await write_frames();
    if (!ok || closing_) break;
    if (ping_due_) {
      ping_due_ = false;
      auto [ec] = co_await ws_.async_ping({}, kNoThrow);
      if (ec) break;
      moved_ += kPingBytes;  // Our own ping is no sign of life.
    }
    const bool wrote = co_await write_next();
    if (closing_) break;
    if (!wrote && open_) co_await viewer_.wake.wait();
  }
  writing_ = false;
  if (!closing_) ws_.next_layer().abort();
  open_ = false;
  if (session_) session_->input_room().notify_all();  // The reader may wait there.
  (void)self;
}

net::awaitable<bool> WsConnection::write_frames() {
  while (!frames_.empty()) {
    wake();  // The reader may wait for room here.
    const Dialect::Frames frames = std::exchange(frames_, {});
    for (const Frame& frame : frames) {
      if (frame.payload.empty()) continue;
      ws_.text(frame.text);
      auto [ec, n] = co_await ws_.async_write(net::buffer(frame.payload), kNoThrow);
      if (ec) co_return false;
    }
  }
  co_return true;
}

net::awaitable<bool> WsConnection::write_news() {
  ViewerNews& news = viewer_.news;
  if (news.abort) co_return false;
  if (news.resized) {
    dialect_->resized(*std::exchange(news.resized, {}), news.resized_by, frames_);
  }
  if (std::exchange(news.status, false)) {
    auto record = session_->sessions().find(session_->id());
    if (record) {
      std::vector<SessionId> focused;
      if (!record->project_id.empty()) focused = co_await operations_.focused(record->project_id);
      dialect_->status(*record, focused, frames_);
    }
  }
  if (std::exchange(news.engine, false)) {
    const Owners owners = session_->owners();
    dialect_->notice(
        {.kind = "engine", .message = "now served by " + std::string(to_string(owners.streams))},
        owners, frames_);
  }
  for (const Notice& notice : std::exchange(news.notices, {}))
    dialect_->notice(notice, session_->owners(), frames_);
  const auto written = session_->streams().input_offsets(session_->id(), viewer_.client).written;
  if (written > input_told_) {
    input_told_ = written;
    dialect_->input_written(written, frames_);
  }
  if (news.close_now) {
    const bool ok = co_await write_frames();
    if (ok) co_await close(*news.close_code, news.close_reason);
    co_return ok;
  }
  co_return true;
}

net::awaitable<bool> WsConnection::write_next() {
  // Bulk waits until the kernel has taken what it was given; control frames do not.
  if (ws_.next_layer().pending() > 0) co_return false;
  const Delivery delivery = session_->next_delivery(viewer_, kFrameBytes);
  if (delivery.gap_from) {
    dialect_->gap(*delivery.gap_from, delivery.first, frames_);
    session_->sent(viewer_, delivery.first);
    (void)session_->acked(viewer_, delivery.first);
    session_->telemetry().error(session_->id(), "gap", "a viewer fell out of the ring");
    co_return true;
  }
  if (delivery.first < delivery.end) co_return co_await write_bytes(delivery);
  if (session_->ended() && delivery.first >= session_->ring().next()) {
    co_await end_output();
    co_return true;
  }
  co_return false;
}

net::awaitable<bool> WsConnection::write_bytes(const Delivery& delivery) {
  const OutputRing& ring = session_->ring();
  const std::size_t size = static_cast<std::size_t>(delivery.end - delivery.first);
  const auto spans = ring.read(delivery.first, size);
  std::string copied;
  std::string_view bytes(spans[0].data(), spans[0].size());
  if (!spans[1].empty() || near_the_edge(ring, delivery.first)) {
    copied = ring.copy(delivery.first, size);
    bytes = copied;
  }
  boost::system::error_code failed;
  if (auto frame = dialect_->dress(bytes)) {
    if (!frame->payload.empty()) {
      ws_.text(frame->text);
      auto [ec, n] = co_await ws_.async_write(net::buffer(frame->payload), kNoThrow);
      failed = ec;
    }
  } else {
    ws_.binary(true);
    auto [ec, n] = co_await ws_.async_write(net::buffer(bytes), kNoThrow);
    failed = ec;
  }
  if (failed) {
    open_ = false;
    co_return false;
  }
  session_->sent(viewer_, delivery.end);
  co_return true;
}

net::awaitable<void> WsConnection::end_output() {
  if (auto rest = dialect_->finish()) frames_.push_back(std::move(*rest));
  const int code = viewer_.news.close_code.value_or(1000);
  if (code == 4000)
    dialect_->error("no_shell", viewer_.news.close_reason, true, frames_);
  else
    dialect_->exited(session_->exit_status().value_or(ExitStatus{}), frames_);
  const bool written = co_await write_frames();
  if (written) co_await close(code, viewer_.news.close_reason);
}

net::awaitable<void> WsConnection::close(int code, std::string reason) {
  closing_ = true;
  if (reason.size() > 120) reason.resize(120);  // RFC 6455 5.5: at most 123 bytes with the code.
  while (incomplete_utf8_tail(reason) > 0) reason.pop_back();
  websocket::close_reason why(static_cast<websocket::close_code>(code));
  why.reason.assign(reason.data(), reason.size());
  auto [ec] = co_await ws_.async_close(why, kNoThrow);
  (void)ec;
  if (!session_ || !attached_) ws_.next_layer().abort();
}

/// Beast has answered such a read with a close frame already.
bool WsConnection::broke_protocol(const boost::system::error_code& ec) {
  if (ec != websocket::error::message_too_big && ec != websocket::condition::protocol_violation)
    return false;
  ++shard_.counts.bad_messages;
  closing_ = lingers_ = true;
  return true;
}

/// Reads and drops what still comes: closing a socket with unread bytes resets the connection, and
/// the close frame would be lost with it.
net::awaitable<void> WsConnection::linger() {
  net::steady_timer deadline(shard_.io, kLingerTime);
  deadline.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    if (const auto self = weak.lock(); self && !ec) self->ws_.next_layer().abort();
  });
  std::array<char, 4096> scrap{};
  for (;;) {
    auto [ec, n] = co_await ws_.next_layer().async_read_some(net::buffer(scrap), kNoThrow);
    if (ec) break;
  }
  ws_.next_layer().abort();
}

void WsConnection::leave_session() {
  if (attached_) {
    attached_ = false;
    shard_.sessions->detach(*session_, viewer_, close_code_);
    const bool by_reason = close_code_ == 1000 && (close_reason_ == "Session closed by user" ||
                                                   close_reason_ == "Kill terminal test");
    const bool by_config =
        close_code_ == 1000 && operations_.config().close_1000 == CloseNormal::kill;
    if (dialect_->close_may_end() && (by_reason || by_config) && !session_->ended())
      (void)shard_.sessions->close(*session_, "closed by its user", 4001);
  }
}

void WsConnection::finish() {
  shard_.connections.erase(this);
  ++shard_.counts.closed;
  if (!writing_) ws_.next_layer().abort();
}

void WsConnection::check_alive() {
  const auto moved = ws_.next_layer().moved();
  if (moved > moved_) {
    moved_ = moved;
    quiet_checks_ = 0;
    return;
  }
  if (++quiet_checks_ >= 3) return abort();
  ping_due_ = true;
  wake();
}

void WsConnection::go_away(const std::string& message) {
  viewer_.news.notices.push_back({.kind = "restarting", .message = message});
  if (!viewer_.news.close_code) viewer_.news.close_code = 1001;
  viewer_.news.close_reason = message;
  viewer_.news.close_now = true;
  wake();
  if (!writing_) abort();
}

void WsConnection::abort() {
  open_ = false;
  ws_.next_layer().abort();
  if (session_) session_->input_room().notify_all();
  wake();
}

}  // namespace term::server
