// Attaching, commands, input: what a connection does with its session.

#include "server/viewer_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace term::server {

ViewerConnection::ViewerConnection(Shard& shard, Operations& operations, Choice choice)
    : shard_(shard),
      operations_(operations),
      choice_(std::move(choice)),
      dialect_(std::move(choice_.dialect)),
      viewer_(shard.io.get_executor()) {
  viewer_.id = shard.new_viewer_id();
}

net::awaitable<void> ViewerConnection::rest(Signal& signal) {
  reader_rests_ = true;
  co_await signal.wait();
  reader_rests_ = false;
}

net::awaitable<bool> ViewerConnection::hold() {
  while (frozen_ && !over_) co_await rest(viewer_.wake);
  co_return !over_;
}

Result<void> ViewerConnection::place_viewer(const AttachCommand& command, Offset from) {
  ViewerState state;
  state.id = viewer_.id;
  state.client = command.client;
  state.dialect = dialect_->name();
  state.role = role_ = command.role;
  state.sent = state.acked = from;
  state.window = window();
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

Attached ViewerConnection::describe(const AttachCommand& command, bool created, std::string replay,
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
  info.window = window();
  info.replay = std::move(replay);
  return info;
}

std::size_t ViewerConnection::window() const {
  // Not beyond what the ring can keep for it: a viewer that is alone must never fall out.
  return std::min(operations_.config().viewer_window_bytes, session_->ring().capacity() / 2);
}

bool ViewerConnection::may(const Command& command) {
  const bool acts = std::holds_alternative<FocusCommand>(command) ||
                    std::holds_alternative<SuspendCommand>(command) ||
                    std::holds_alternative<ResumeCommand>(command) ||
                    std::holds_alternative<RenameCommand>(command) ||
                    std::holds_alternative<CloseCommand>(command);
  return !acts || role_ == ViewerRole::writer;  // The engine refuses typing and resizing.
}

net::awaitable<void> ViewerConnection::handle(Command command) {
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

net::awaitable<void> ViewerConnection::take_input(std::string_view bytes) {
  untaken_ = bytes;
  while (!untaken_.empty() && open_) {
    const bool go = co_await hold();
    if (!go) break;
    auto taken = session_->input(viewer_, input_next_, untaken_);
    if (!taken) {
      answer(taken.error());
      break;
    }
    untaken_.remove_prefix(*taken);
    input_next_ += *taken;
    if (untaken_.empty()) break;
    if (session_->queued_input() == 0) {
      // It was full, but the pty took all of it at once: nobody is left to wake us.
      co_await net::post(shard_.io, kNoThrow);
      continue;
    }
    // The queue is full: the socket is not read until it has room, so the client feels it.
    if (!exempt_) session_->set_exempt(viewer_, exempt_ = true);
    wake();
    co_await rest(session_->input_room());
  }
  untaken_ = {};
  if (over_) co_return;
  if (exempt_) session_->set_exempt(viewer_, exempt_ = false);
  if (session_->streams().may_write(session_->id())) suspended_told_ = false;
  if (session_->started() && !session_->ended() && !suspended_told_ &&
      !session_->streams().may_write(session_->id())) {
    suspended_told_ = true;
    dialect_->suspended(session_->id(), 1, frames_);
    wake();
  }
}

net::awaitable<void> ViewerConnection::suspend_project() {
  const auto count = co_await operations_.suspend(session_->project(), session_->id());
  suspended_told_ = true;
  dialect_->suspended(session_->id(), count, frames_);
  wake();
}

net::awaitable<void> ViewerConnection::resume_project() {
  const auto records = co_await operations_.resume(session_->project(), session_->id());
  suspended_told_ = false;
  dialect_->resumed(session_->id(), records.size(), frames_);
  wake();
}

void ViewerConnection::bad_message(const std::string& code, const std::string& message) {
  ++shard_.counts.bad_messages;
  if (session_) session_->telemetry().error(session_->id(), code, message);
  // A client that sends nothing but nonsense must not make us hoard answers.
  if (frames_.size() < 64) dialect_->error(code, message, false, frames_);
  wake();
}

void ViewerConnection::answer(Error error) {
  bad_message(std::string(to_string(error.code)), error.detail);
}

void ViewerConnection::leave_session() {
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

}  // namespace term::server
