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
/// Input is acknowledged behind the output that it brings, which somebody waits for; or when this
/// has passed, or that much is not acknowledged.
constexpr auto kAckPatience = std::chrono::milliseconds(5);
constexpr Offset kAckBytes = 4096;
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
    bool wrote = false;
    if (!frozen_) {
      const bool asks = viewer_.news.status;  // Of another shard.
      bool ok = co_await write_news();
      // There may be news again that came while these were written, and woke nobody.
      wrote = asks || !frames_.empty();
      if (ok) ok = co_await write_frames();
      if (!ok || closing_) break;
    }
    ws_.next_layer().push();  // The acknowledgement, if any, went with it.
    if (ping_due_ && !frozen_) {
      ping_due_ = false;
      auto [ec] = co_await ws_.async_ping({}, kNoThrow);
      if (ec) break;
      moved_ += kPingBytes;  // Our own ping is no sign of life.
      wrote = true;
    }
    if (!frozen_) {
      const bool more = co_await write_next();
      if (more) ack_due_ = true;
      wrote = wrote || more;
    }
    if (closing_) break;
    // Behind a turn of output: scrollback need not wait for another shard's answer.
    if (viewer_.news.status && !frozen_) {
      co_await write_status();
      wrote = true;
    }
    if (wrote || !open_) continue;
    writer_rests_ = true;
    co_await viewer_.wake.wait();
    writer_rests_ = false;
  }
  writing_ = false;
  if (!closing_) ws_.next_layer().abort();
  open_ = false;
  if (session_) session_->input_room().notify_all();  // The reader may wait there.
  (void)self;
}

net::awaitable<bool> WsConnection::write_frames() {
  while (!frames_.empty() && (!frozen_ || closing_)) {
    wake();  // The reader may wait for room here.
    Dialect::Frames frames = std::exchange(frames_, {});
    std::size_t written = 0;
    while (written < frames.size() && (!frozen_ || closing_)) {
      const Frame& frame = frames[written++];
      if (frame.payload.empty()) continue;
      ws_.text(frame.text);
      auto [ec, n] = co_await ws_.async_write(net::buffer(frame.payload), kNoThrow);
      if (ec) co_return false;
    }
    // Frozen on the way: the others go on before what came meanwhile.
    const auto next = frames.begin() + static_cast<std::ptrdiff_t>(written);
    frames_.insert(frames_.begin(), std::move_iterator(next), std::move_iterator(frames.end()));
  }
  co_return true;
}

net::awaitable<bool> WsConnection::write_news() {
  ViewerNews& news = viewer_.news;
  if (news.abort) co_return false;
  if (news.resized) {
    dialect_->resized(*std::exchange(news.resized, {}), news.resized_by, frames_);
  }
  if (news.status && (news.close_now || session_->ended())) co_await write_status();  // The last.
  if (std::exchange(news.engine, false)) {
    const Owners owners = session_->owners();
    dialect_->notice(
        {.kind = "engine", .message = "now served by " + std::string(to_string(owners.streams))},
        owners, frames_);
  }
  for (const Notice& notice : std::exchange(news.notices, {}))
    dialect_->notice(notice, session_->owners(), frames_);
  acknowledge();
  if (news.close_now && !frozen_) {
    begin_closing();
    const bool ok = co_await write_frames();
    if (ok) co_await close(*news.close_code, news.close_reason);
    co_return ok;
  }
  co_return true;
}

net::awaitable<void> WsConnection::write_status() {
  viewer_.news.status = false;
  auto record = session_->sessions().find(session_->id());
  if (!record) co_return;
  std::vector<SessionId> focused;
  if (!record->project_id.empty()) focused = co_await operations_.focused(record->project_id);
  dialect_->status(*record, focused, frames_);
}

Offset WsConnection::input_written() const {
  return session_->streams().input_offsets(session_->id(), viewer_.client).written;
}

/// Is there input to be acknowledged as soon as output has been written?
bool WsConnection::owes_ack() const {
  return dialect_->attaches_itself() && !viewer_.news.status && input_written() > input_told_;
}

void WsConnection::acknowledge() {
  const Offset written = input_written();
  const bool due = std::exchange(ack_due_, false) || viewer_.news.close_now || session_->ended();
  if (written <= input_told_) return;
  if (due || written - input_told_ >= kAckBytes) {
    input_told_ = written;
    return dialect_->input_written(written, frames_);
  }
  if (std::exchange(ack_waits_, true)) return;
  ack_timer_.expires_after(kAckPatience);
  ack_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!self || ec) return;
    self->ack_waits_ = false;
    self->ack_due_ = true;
    self->wake();
  });
}

net::awaitable<bool> WsConnection::write_next() {
  // Bulk waits until the kernel has taken what it was given; control frames do not.
  if (ws_.next_layer().pending() > 0) co_return false;
  // Where it may go on moves with each turn of a flood, and costs a look through the ring.
  if (waits_for_screen()) co_return false;
  const Delivery delivery = session_->next_delivery(viewer_, kFrameBytes);
  if (delivery.gap_from) co_return bridge_gap(*delivery.gap_from);
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
  // Compressing takes several turns of the loop.
  if (!extensions_.empty() || !spans[1].empty() || near_the_edge(ring, delivery.first)) {
    copied = ring.copy(delivery.first, size);
    bytes = copied;
  }
  if (size <= kAckBytes && owes_ack()) ws_.next_layer().more_follows();
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
  begin_closing();
  if (auto rest = dialect_->finish()) frames_.push_back(std::move(*rest));
  const int code = viewer_.news.close_code.value_or(1000);
  if (code == 4000)
    dialect_->error("no_shell", viewer_.news.close_reason, true, frames_);
  else
    dialect_->exited(session_->exit_status().value_or(ExitStatus{}), frames_);
  const bool written = co_await write_frames();
  if (written) co_await close(code, viewer_.news.close_reason);
  if (!written) ws_.next_layer().abort();
}

net::awaitable<void> WsConnection::fail_attach(Error error) {
  begin_closing();
  dialect_->error(to_string(error.code), error.detail, true, frames_);
  co_await write_frames();
  co_await close(close_code(error.code), error.detail);
}

void WsConnection::begin_closing() {
  closing_ = true;
  frozen_ = false;  // It ends here, in this process.
  ws_.next_layer().keep_nothing();
  ws_.next_layer().thaw();
}

net::awaitable<void> WsConnection::close(int code, std::string reason) {
  begin_closing();
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
  begin_closing();
  lingers_ = true;
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

void WsConnection::finish() {
  shard_.connections.erase(this);
  ++shard_.counts.closed;
  if (!writing_) ws_.next_layer().abort();
}

void WsConnection::check_alive() {
  if (frozen_) return;
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
  over_ = true;
  ws_.next_layer().abort();
  if (session_) session_->input_room().notify_all();
  wake();
}

bool WsConnection::ending() const {
  return !serves_ || over_ || closing_ || lingers_ || (accepted_ && !open_);
}

void WsConnection::freeze() {
  if (ending()) return;
  frozen_ = true;
  ws_.next_layer().freeze();
}

bool WsConnection::quiet() const {
  if (ending()) return true;
  const bool reader = reader_rests_ || (in_read_ && ws_.next_layer().asking());
  return frozen_ && reader && (!writing_ || writer_rests_);
}

void WsConnection::thaw() {
  if (!frozen_) return;
  frozen_ = carried_ = false;
  ws_.next_layer().thaw();
  if (late_) return abort();
  if (session_) session_->input_room().notify_all();
  wake();
}

std::optional<CarriedConnection> WsConnection::carry() {
  auto& wire = ws_.next_layer();
  CarriedState state;
  if (ending() || !wire.carriable() || !describe(state)) return std::nullopt;
  if (!accepted_) state.stage = CarriedState::Stage::upgrade;
  if (state.stage == CarriedState::Stage::waiting) {
    const auto left = attach_by_ - std::chrono::steady_clock::now();
    state.attach_within = std::max(std::chrono::ceil<Millis>(left), Millis{0});
  }
  state.headers = upgrade_.headers;
  state.extensions = extensions_;
  state.received = wire.unhandled();
  state.unsent = wire.unsent();
  state.ping_due = ping_due_;
  state.quiet_checks = quiet_checks_;
  carried_ = true;
  return CarriedConnection{
      .fd = wire.native_handle(), .session = choice_.session, .state = to_cbor(state)};
}

Result<void> WsConnection::restore(CarriedState state) {
  frozen_ = true;
  ws_.next_layer().freeze();
  ws_.next_layer().send_first(std::move(state.unsent));
  adopted_ = state.stage != CarriedState::Stage::upgrade;
  extensions_ = std::move(state.extensions);
  patience_ = state.attach_within;
  ping_due_ = state.ping_due;
  quiet_checks_ = static_cast<unsigned>(state.quiet_checks);
  return take_up(state);
}

void WsConnection::forget() {
  if (std::exchange(attached_, false)) session_->detach(viewer_);
  closing_ = false;
  frozen_ = false;
  abort();
}

}  // namespace term::server
