// Accepting, attaching, reading. Writing and ending are in ws_output.cpp.

#include "server/ws_connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "server/gate.h"
#include "session/replay.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace websocket = boost::beast::websocket;
namespace http = boost::beast::http;

WsConnection::WsConnection(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                           Upgrade upgrade, Choice choice)
    : shard_(shard),
      operations_(operations),
      upgrade_(std::move(upgrade)),
      choice_(std::move(choice)),
      dialect_(std::move(choice_.dialect)),
      ws_(WireStream(std::move(socket), std::move(upgrade_.leftover))),
      viewer_(shard.io.get_executor()) {
  viewer_.id = shard.new_viewer_id();
}

net::awaitable<bool> WsConnection::accept() {
  const auto& config = operations_.config();
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = config.handshake_timeout;
  timeout.idle_timeout = websocket::stream_base::none();
  timeout.keep_alive_pings = false;
  ws_.set_option(timeout);
  ws_.read_message_max(config.max_message_bytes);
  ws_.auto_fragment(false);  // One frame a turn, straight from the ring.
  const std::string protocol(dialect_ ? dialect_->subprotocol() : std::string_view{});
  ws_.set_option(websocket::stream_base::decorator([protocol](websocket::response_type& response) {
    if (!protocol.empty()) response.set(http::field::sec_websocket_protocol, protocol);
    response.set(http::field::server, "terminal-service");
  }));
  http::request<http::string_body> request{http::verb::get, upgrade_.raw_target, 11};
  for (const auto& [name, value] : upgrade_.headers) request.insert(name, value);
  auto [ec] = co_await ws_.async_accept(request, kNoThrow);
  if (ec) co_return false;
  open_ = true;
  ws_.next_layer().on_drained([this] { wake(); });
  co_return true;
}

net::awaitable<void> WsConnection::refuse(std::shared_ptr<WsConnection> self, int code,
                                          std::string reason) {
  shard_.connections.insert(this);
  // A browser that offered a subprotocol and gets none never sees the close code.
  if (std::ranges::find(upgrade_.protocols, "terminal.v1") != upgrade_.protocols.end())
    dialect_ = make_native_dialect();
  const bool accepted = co_await accept();
  if (accepted) co_await close(code, std::move(reason));
  finish();
  (void)self;
}

net::awaitable<void> WsConnection::run(std::shared_ptr<WsConnection> self) {
  shard_.connections.insert(this);
  ++shard_.counts.opened;
  ++shard_.counts.by_dialect[std::string(dialect_->name())];
  const bool accepted = co_await accept();
  if (!accepted) {
    finish();
    co_return;
  }
  // Some clients listen only one turn after `open` (reference/origin.md R-09).
  co_await net::post(shard_.io, kNoThrow);
  std::optional<AttachCommand> command =
      AttachCommand{.client = "viewer-" + std::to_string(viewer_.id),
                    .size = choice_.size,
                    .token = choice_.token};
  if (dialect_->attaches_itself()) command = co_await wait_for_attach();
  bool attached = false;
  if (command) attached = co_await attach(std::move(*command));
  if (attached) {
    writing_ = true;
    spawn_logged(shard_.io.get_executor(), "writer", write_output(self));
    co_await read_commands();
  }
  open_ = false;
  wake();
  leave_session();
  if (lingers_) co_await linger();
  finish();
}

net::awaitable<std::optional<AttachCommand>> WsConnection::wait_for_attach() {
  net::steady_timer deadline(shard_.io, operations_.config().handshake_timeout);
  deadline.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    if (const auto self = weak.lock(); self && !ec) self->abort();
  });
  for (;;) {
    buffer_.clear();
    auto [ec, n] = co_await ws_.async_read(buffer_, kNoThrow);
    if (ec) {
      broke_protocol(ec);
      co_return std::nullopt;
    }
    const std::string_view payload(static_cast<const char*>(buffer_.data().data()), n);
    auto commands = dialect_->decode(ws_.got_text(), payload);
    if (commands.size() == 1) {
      if (auto* command = std::get_if<AttachCommand>(&commands.front())) {
        if (command->token.empty()) command->token = choice_.token;
        co_return std::move(*command);
      }
    }
    const auto* bad = commands.empty() ? nullptr : std::get_if<BadCommand>(&commands.front());
    bad_message(bad ? bad->code : "attach_first",
                bad ? bad->message : "the first message must be attach");
    const bool written = co_await write_frames();
    if (!written) co_return std::nullopt;
  }
}

net::awaitable<bool> WsConnection::attach(AttachCommand command) {
  const auto& token = operations_.config().token;
  if (token && !same_secret(command.token, token)) {
    co_await close(1008, "token missing or wrong");
    co_return false;
  }
  const auto begun = std::chrono::steady_clock::now();
  OpenRequest request;
  request.id = choice_.session;
  request.project = choice_.project;
  request.path = choice_.path;
  request.size = command.size.value_or(dialect_->default_size());
  request.create = choice_.create;
  auto opened = co_await operations_.open(shard_, std::move(request));
  if (!opened) {
    const Error error = opened.error();
    dialect_->error(to_string(error.code), error.detail, true, frames_);
    co_await write_frames();
    co_await close(close_code(error.code), error.detail);
    co_return false;
  }
  session_ = std::move(opened->session);
  // Without numbers of its own, all a client types is new, whoever had its name before.
  if (!dialect_->attaches_itself())
    command.input = session_->streams().input_offsets(session_->id(), command.client).accepted;
  const OutputRing& ring = session_->ring();
  const bool counted = dialect_->attaches_itself();
  Offset from = safe_replay_start(ring, ring.first());
  std::string replay;
  const Offset until = ring.next();
  if (!counted) {
    if (!opened->created) replay = mute_queries(ring.copy(from, until - from));
    from = opened->created ? from : until;
  } else if (command.output) {
    from = *command.output;
  }
  const bool missing = counted && command.output && from < ring.first();
  if (missing) from = safe_replay_start(ring, ring.first());
  if (auto placed = place_viewer(command, from); !placed) {
    const Error error = placed.error();
    dialect_->error(to_string(error.code), error.detail, true, frames_);
    co_await write_frames();
    co_await close(close_code(error.code), error.detail);
    co_return false;
  }
  // What is gone is said before where the stream goes on.
  if (missing) dialect_->gap(*command.output, from, frames_);
  Attached info = describe(command, opened->created, std::move(replay), until);
  info.output = from;
  if (auto project = info.session.project_id; !project.empty())
    info.all_focused = co_await operations_.focused(std::move(project));
  dialect_->attached(info, frames_);
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
  session_->telemetry().operation("attach", true, took);
  co_return true;
}

Result<void> WsConnection::place_viewer(const AttachCommand& command, Offset from) {
  ViewerState state;
  state.id = viewer_.id;
  state.client = command.client;
  state.dialect = dialect_->name();
  state.role = role_ = command.role;
  state.sent = state.acked = from;
  state.window = operations_.config().viewer_window_bytes;
  state.acks = dialect_->attaches_itself();
  if (auto attached = shard_.sessions->attach(*session_, viewer_, state); !attached)
    return attached;
  attached_ = true;
  // A client's numbering goes on where we have it, whatever it thinks it has.
  input_next_ = command.input;
  input_told_ = session_->streams().input_offsets(session_->id(), command.client).written;
  if (command.size && command.role == ViewerRole::writer)
    return session_->resize(viewer_, *command.size);
  return {};
}

Attached WsConnection::describe(const AttachCommand& command, bool created, std::string replay,
                                Offset replay_until) const {
  Attached info;
  if (auto record = session_->sessions().find(session_->id())) {
    info.session = std::move(*record);
  } else {
    info.session.id = session_->id();  // It just ended; its last output is still to be had.
    info.session.project_id = session_->project();
    info.session.status = SessionState::closed;
  }
  info.tier = created ? "new" : "warm";
  info.owners = session_->owners();
  info.replay_until = replay_until;
  const auto offsets = session_->streams().input_offsets(session_->id(), command.client);
  info.input = offsets == InputOffsets{} ? command.input : offsets.written;
  info.window = operations_.config().viewer_window_bytes;
  info.replay = std::move(replay);
  return info;
}

net::awaitable<void> WsConnection::read_commands() {
  for (;;) {
    buffer_.clear();
    auto [ec, n] = co_await ws_.async_read(buffer_, kNoThrow);
    if (ec) {
      if (ec == websocket::error::closed) {
        close_code_ = ws_.reason().code;
        close_reason_ = std::string(ws_.reason().reason.data(), ws_.reason().reason.size());
      } else if (broke_protocol(ec)) {
        close_code_ = ec == websocket::error::message_too_big ? 1009 : 1002;
      }
      co_return;
    }
    quiet_checks_ = 0;
    const std::string_view payload(static_cast<const char*>(buffer_.data().data()), n);
    auto commands = dialect_->decode(ws_.got_text(), payload);
    for (auto& command : commands) co_await handle(std::move(command));
    // Answers that the client does not fetch must not pile up: no more questions then.
    while (frames_.size() > 256 && open_) co_await viewer_.wake.wait();
    if (n > 64 * 1024) buffer_ = {};  // An idle connection keeps no large buffer.
    if (closing_) continue;           // Drained until the client's close frame.
  }
}

bool WsConnection::may(const Command& command) {
  const bool acts = std::holds_alternative<FocusCommand>(command) ||
                    std::holds_alternative<SuspendCommand>(command) ||
                    std::holds_alternative<ResumeCommand>(command) ||
                    std::holds_alternative<RenameCommand>(command) ||
                    std::holds_alternative<CloseCommand>(command);
  return !acts || role_ == ViewerRole::writer;  // The engine refuses typing and resizing.
}

net::awaitable<void> WsConnection::handle(Command command) {
  if (!may(command)) {
    answer({Errc::not_permitted, "a viewer only watches"});
  } else if (const auto* input = std::get_if<InputCommand>(&command)) {
    co_await take_input(input->view());
  } else if (const auto* resize = std::get_if<ResizeCommand>(&command)) {
    if (auto done = session_->resize(viewer_, resize->size); !done) answer(done.error());
  } else if (const auto* ack = std::get_if<AckCommand>(&command)) {
    if (auto done = session_->acked(viewer_, ack->output); !done) answer(done.error());
    wake();
  } else if (const auto* focus = std::get_if<FocusCommand>(&command)) {
    const auto done = co_await operations_.focus(session_->id(), focus->focused);
    if (!done) answer(done.error());
  } else if (std::holds_alternative<SuspendCommand>(command)) {
    co_await suspend_project();
  } else if (std::holds_alternative<ResumeCommand>(command)) {
    co_await resume_project();
  } else if (auto* rename = std::get_if<RenameCommand>(&command)) {
    if (auto done = shard_.sessions->rename(*session_, rename->name); !done) answer(done.error());
  } else if (std::holds_alternative<CloseCommand>(command)) {
    (void)shard_.sessions->close(*session_, "closed by its user", 4001, &viewer_);
  } else if (const auto* ping = std::get_if<PingCommand>(&command)) {
    dialect_->pong(ping->t, frames_);
    wake();
  } else if (const auto* bad = std::get_if<BadCommand>(&command)) {
    bad_message(bad->code, bad->message);
  } else {
    bad_message("bad_message", "attach: this connection is attached already");
  }
}

net::awaitable<void> WsConnection::take_input(std::string_view bytes) {
  bool exempt = false;
  while (!bytes.empty() && open_) {
    auto taken = session_->input(viewer_, input_next_, bytes);
    if (!taken) {
      answer(taken.error());
      break;
    }
    bytes.remove_prefix(*taken);
    input_next_ += *taken;
    if (bytes.empty()) break;
    if (session_->queued_input() == 0) {
      // It was full, but the pty took all of it at once: nobody is left to wake us.
      co_await net::post(shard_.io, kNoThrow);
      continue;
    }
    // The queue is full: the socket is not read until it has room, so the client feels it.
    if (!exempt) session_->set_exempt(viewer_, exempt = true);
    wake();
    co_await session_->input_room().wait();
  }
  if (exempt) session_->set_exempt(viewer_, false);
  if (session_->streams().may_write(session_->id())) suspended_told_ = false;
  if (session_->started() && !session_->ended() && !suspended_told_ &&
      !session_->streams().may_write(session_->id())) {
    suspended_told_ = true;
    dialect_->suspended(session_->id(), 1, frames_);
    wake();
  }
}

net::awaitable<void> WsConnection::suspend_project() {
  const auto count = co_await operations_.suspend(session_->project(), session_->id());
  suspended_told_ = true;
  dialect_->suspended(session_->id(), count, frames_);
  wake();
}

net::awaitable<void> WsConnection::resume_project() {
  const auto records = co_await operations_.resume(session_->project(), session_->id());
  suspended_told_ = false;
  dialect_->resumed(session_->id(), records.size(), frames_);
  wake();
}

void WsConnection::bad_message(const std::string& code, const std::string& message) {
  ++shard_.counts.bad_messages;
  if (session_) session_->telemetry().error(session_->id(), code, message);
  // A client that sends nothing but nonsense must not make us hoard answers.
  if (frames_.size() < 64) dialect_->error(code, message, false, frames_);
  wake();
}

void WsConnection::answer(Error error) {
  bad_message(std::string(to_string(error.code)), error.detail);
}

void serve_websocket(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                     Upgrade upgrade, Choice choice) {
  auto connection = std::make_shared<WsConnection>(shard, operations, std::move(socket),
                                                   std::move(upgrade), std::move(choice));
  spawn_logged(shard.io.get_executor(), "connection", connection->run(connection));
}

void refuse_websocket(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                      Upgrade upgrade, int code, std::string reason) {
  auto connection = std::make_shared<WsConnection>(shard, operations, std::move(socket),
                                                   std::move(upgrade), Choice{});
  spawn_logged(shard.io.get_executor(), "refusal",
               connection->refuse(connection, code, std::move(reason)));
}

}  // namespace term::server
