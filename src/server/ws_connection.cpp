// Accepting, attaching, reading. Writing and ending are in ws_output.cpp.

#include "server/ws_connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "server/gate.h"
#include "session/ids.h"
#include "session/replay.h"
#include "session/snapshot_json.h"

namespace term::server {

namespace websocket = boost::beast::websocket;
namespace http = boost::beast::http;

namespace {
constexpr std::size_t kIdleBuffer = 256;  ///< Of a connection that receives nothing.
}

WsConnection::WsConnection(Shard& shard, Operations& operations, net::ip::tcp::socket socket,
                           Upgrade upgrade, Choice choice)
    : ViewerConnection(shard, operations, std::move(choice)),
      upgrade_(std::move(upgrade)),
      // Most that is received and not handled: one message, with the heads of its fragments.
      ws_(WireStream(std::move(socket), std::move(upgrade_.leftover),
                     2 * operations.config().max_message_bytes + 64 * 1024)),
      ack_timer_(shard.io) {
  serves_ = dialect_ != nullptr;
  keep_handshake_fields(upgrade_.headers);
  shard_.connections.insert(this);
}

void WsConnection::set_options() {
  const auto& config = operations_.config();
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = config.handshake_timeout;
  timeout.idle_timeout = websocket::stream_base::none();
  timeout.keep_alive_pings = false;
  ws_.set_option(timeout);
  ws_.read_message_max(config.max_message_bytes);
  ws_.auto_fragment(false);  // One frame a turn, straight from the ring.
  websocket::permessage_deflate deflate;
  deflate.server_enable = adopted_ ? !extensions_.empty() : config.ws_compression;
  // A process that takes the connection over has not seen what the client sent before; what we
  // send may refer to nothing before, whoever sends it (reliability.md 2.4 f).
  deflate.client_no_context_takeover = true;
  deflate.compLevel = 3;
  deflate.msg_size_threshold = 64;
  ws_.set_option(deflate);
}

net::awaitable<bool> WsConnection::accept() {
  if (!adopted_) co_await hold();  // Another process may accept it.
  if (over_) co_return false;
  set_options();
  const std::string protocol(dialect_ ? dialect_->subprotocol() : std::string_view{});
  std::string extensions;
  ws_.set_option(websocket::stream_base::decorator([&](websocket::response_type& response) {
    if (!protocol.empty()) response.set(http::field::sec_websocket_protocol, protocol);
    response.set(http::field::server, "terminal-service");
    extensions = std::string(response[http::field::sec_websocket_extensions]);
  }));
  http::request<http::string_body> request{http::verb::get, "/", 11};
  for (const auto& [name, value] : upgrade_.headers) request.insert(name, value);
  ws_.next_layer().swallow(adopted_);
  auto [ec] = co_await ws_.async_accept(request, kNoThrow);
  ws_.next_layer().swallow(false);
  if (ec || over_) co_return false;
  if (adopted_ && extensions != extensions_) {
    spdlog::error("connection.adopt session={} ERROR other extensions: \"{}\", not \"{}\"",
                  choice_.session, extensions, extensions_);
    co_return false;
  }
  extensions_ = std::move(extensions);
  upgrade_.headers.shrink_to_fit();
  Upgrade kept;  // The rest of the request has had its say.
  kept.headers = std::move(upgrade_.headers);
  upgrade_ = std::move(kept);
  accepted_ = open_ = true;
  attach_by_ =
      std::chrono::steady_clock::now() + patience_.value_or(operations_.config().handshake_timeout);
  ws_.next_layer().on_drained([this] { wake(); });
  co_return true;
}

net::awaitable<void> WsConnection::refuse(std::shared_ptr<WsConnection> self, int code,
                                          std::string reason) {
  // A browser that offered a subprotocol and gets none never sees the close code.
  if (std::ranges::find(upgrade_.protocols, "terminal.v1") != upgrade_.protocols.end())
    dialect_ = make_native_dialect();
  const bool accepted = co_await accept();
  if (accepted) co_await close(code, std::move(reason));
  finish();
  (void)self;
}

net::awaitable<void> WsConnection::run(std::shared_ptr<WsConnection> self) {
  ++shard_.counts.opened;
  ++shard_.counts.by_dialect[std::string(dialect_->name())];
  const bool accepted = co_await accept();
  bool serves = accepted && attached_;  // By the process before.
  if (accepted && !attached_) serves = co_await be_attached();
  if (serves) {
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

net::awaitable<bool> WsConnection::be_attached() {
  // Some clients listen only one turn after `open` (reference/origin.md R-09).
  co_await net::post(shard_.io, kNoThrow);
  // A name that no other process gives, nor this one to another.
  std::optional<AttachCommand> command = AttachCommand{
      .client = "viewer-" + std::to_string(viewer_.id) + make_session_id({}).substr(9),
      .size = choice_.size,
      .token = choice_.token};
  const bool go = co_await hold();
  if (!go) co_return false;
  if (dialect_->attaches_itself()) command = co_await wait_for_attach();
  if (!command) co_return false;
  co_return co_await attach(std::move(*command));
}

net::awaitable<std::optional<AttachCommand>> WsConnection::wait_for_attach() {
  attach_by_ =
      std::chrono::steady_clock::now() + patience_.value_or(operations_.config().handshake_timeout);
  net::steady_timer deadline(shard_.io, attach_by_);
  deadline.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!self || ec) return;
    if (self->frozen_) self->late_ = true;
    if (!self->frozen_) self->abort();
  });
  for (;;) {
    co_await hold();
    const bool written = co_await write_frames();
    if (!written || over_) co_return std::nullopt;
    if (!frames_.empty()) continue;  // Frozen on the way.
    const auto ec = co_await read_message();
    if (ec) {
      broke_protocol(ec);
      co_return std::nullopt;
    }
    auto commands = dialect_->decode(ws_.got_text(), message());
    if (commands.size() == 1) {
      if (auto* command = std::get_if<AttachCommand>(&commands.front())) {
        if (command->token.empty()) command->token = choice_.token;
        co_return std::move(*command);
      }
    }
    const auto* bad = commands.empty() ? nullptr : std::get_if<BadCommand>(&commands.front());
    bad_message(bad ? bad->code : "attach_first",
                bad ? bad->message : "the first message must be attach");
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
  request.resume = dialect_->attaches_itself() && command.output.has_value();
  auto opened = co_await operations_.open(shard_, std::move(request));
  if (!opened) {
    co_await fail_attach(opened.error());
    co_return false;
  }
  session_ = std::move(opened->session);
  // Without numbers of its own, all a client types is new, whoever had its name before.
  if (!dialect_->attaches_itself())
    command.input = session_->streams().input_offsets(session_->id(), command.client).accepted;
  const OutputRing& ring = session_->ring();
  const bool counted = dialect_->attaches_itself();
  const bool resumes = counted && command.output;
  Offset from = resumes ? *command.output : session_->replay_start();
  std::string replay;
  const Offset until = ring.next();
  if (!counted && !opened->created) {
    replay = modes_before(from) + mute_queries(ring.copy(from, until - from));
    from = until;
  }
  const bool met = session_->has_met(command.client);
  // A client may have seen more than was saved before its shell was lost: it begins anew, too.
  const bool lost = session_->cold() && !met && from > until;
  const bool missing = resumes && (from < ring.first() || lost);
  if (missing) from = session_->replay_start();
  if (auto placed = place_viewer(command, from); !placed) {
    co_await fail_attach(placed.error());
    co_return false;
  }
  // What is gone is said before where the stream goes on, and how the terminal is there.
  if (missing) {
    dialect_->gap(*command.output, from, frames_);
    dialect_->repaint(cleared_before(from), frames_);
  } else if (counted && !command.output) {
    const std::string modes = modes_before(from);
    if (!modes.empty()) dialect_->repaint(modes, frames_);
  }
  Attached info = describe(command, opened->created, std::move(replay), until);
  // The service process changed since this client was here: its shell has outlived that.
  if (session_->adopted() && !met) info.tier = "live";
  if (session_->cold() && !met) info.tier = "cold";
  info.output = from;
  auto project = info.session.project_id;
  if (!counted && !project.empty())  // Those that count tell it with the status alone.
    info.all_focused = co_await operations_.focused(std::move(project));
  dialect_->attached(info, frames_);
  if (shard_.admission->maintenance)
    dialect_->notice(adapter::maintenance_notice(*shard_.admission), session_->owners(), frames_);
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
  session_->telemetry().operation("attach", true, took);
  co_return true;
}

net::awaitable<boost::system::error_code> WsConnection::read_message() {
  const bool go = co_await hold();
  if (!go) co_return net::error::operation_aborted;
  buffer_.clear();
  if (buffer_.capacity() > kIdleBuffer) buffer_ = {};
  in_read_ = true;
  boost::system::error_code ec;
  // As async_read(), which would hold a buffer of 1.5 KiB ready while nothing comes.
  do {
    const auto room = buffer_.prepare(ws_.read_size_hint(kIdleBuffer));
    auto [failed, n] = co_await ws_.async_read_some(room, kNoThrow);
    buffer_.commit(n);
    ec = failed;
  } while (!ec && !ws_.is_message_done());
  in_read_ = false;
  if (ec) co_return ec;
  ws_.next_layer().came();
  // Frozen meanwhile: it is not handled yet, and is carried as it came.
  const bool still = co_await hold();
  if (!still) co_return net::error::operation_aborted;
  ws_.next_layer().handled();
  co_return ec;
}

std::string_view WsConnection::message() const {
  const auto data = buffer_.cdata();
  return {static_cast<const char*>(data.data()), data.size()};
}

net::awaitable<void> WsConnection::read_commands() {
  const std::string before = std::exchange(untaken_before_, {});
  if (!before.empty()) co_await take_input(before);
  for (;;) {
    const auto ec = co_await read_message();
    if (ec) {
      if (ec == websocket::error::closed) {
        if (session_->ended()) session_->told_end();  // It has our close frame, and all before it.
        close_code_ = ws_.reason().code;
        close_reason_ = std::string(ws_.reason().reason.data(), ws_.reason().reason.size());
      } else if (broke_protocol(ec)) {
        close_code_ = ec == websocket::error::message_too_big ? 1009 : 1002;
      }
      co_return;
    }
    quiet_checks_ = 0;
    auto commands = dialect_->decode(ws_.got_text(), message());
    for (auto& command : commands) co_await handle(std::move(command));
    // Answers that the client does not fetch must not pile up: no more questions then.
    while (frames_.size() > 256 && open_) co_await rest(viewer_.wake);
  }
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

Result<void> adopt_websocket(Shard& shard, Operations& operations, UniqueFd socket,
                             std::string_view state) {
  auto carried = carried_state_from_cbor(state);
  if (!carried) return carried.error();
  Choice choice{.dialect = make_dialect(carried->dialect),
                .session = carried->session,
                .project = carried->project,
                .path = carried->path,
                .size = carried->size,
                .create = carried->create,
                .token = carried->token};
  if (!choice.dialect)
    return Error{Errc::bad_snapshot, "connection.dialect: expected native, raw or legacy"};
  if (!valid_session_id(choice.session))
    return Error{Errc::bad_snapshot, "connection.session: expected a session id"};
  Upgrade upgrade;
  upgrade.headers = std::move(carried->headers);
  upgrade.leftover = std::move(carried->received);
  auto wire = adopt_socket(shard, std::move(socket));
  if (!wire) return wire.error();
  auto connection = std::make_shared<WsConnection>(shard, operations, std::move(*wire),
                                                   std::move(upgrade), std::move(choice));
  if (auto restored = connection->restore(std::move(*carried)); !restored) {
    shard.connections.erase(connection.get());
    return restored;
  }
  spawn_logged(shard.io.get_executor(), "connection", connection->run(connection));
  return {};
}

}  // namespace term::server
