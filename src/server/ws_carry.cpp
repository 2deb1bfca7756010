// A connection as a value, and back: what of it is neither Beast's nor the wire's.

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>

#include "server/http_head.h"
#include "server/viewer_connection.h"

namespace term::server {

namespace {
Error not_taken_up(std::string_view field, const std::string& why) {
  return {Errc::bad_snapshot, "connection." + std::string(field) + ": " + why};
}
}  // namespace

bool ViewerConnection::describe(CarriedState& state) const {
  const ViewerNews& news = viewer_.news;
  if (news.close_now || news.abort) return false;
  state.stage = attached_ ? CarriedState::Stage::attached : CarriedState::Stage::waiting;
  state.dialect = dialect_->name();
  state.dialect_state = dialect_->state();
  state.session = choice_.session;
  state.project = choice_.project;
  state.path = choice_.path;
  state.size = choice_.size;
  state.create = choice_.create;
  state.frames = frames_;
  if (!attached_) {
    state.token = choice_.token;
    return true;
  }
  if (session_->ended() || !shard_.sessions->registered(session_->id())) return false;
  const auto stream = session_->streams().export_session(session_->id());
  if (!stream) return false;
  const auto viewer = std::ranges::find(stream->viewers, viewer_.id, &ViewerState::id);
  if (viewer == stream->viewers.end()) return false;
  state.viewer = *viewer;
  state.news = news;
  state.input_rest = untaken_;
  state.input_next = input_next_;
  state.input_told = input_told_;
  state.suspended_told = suspended_told_;
  return true;
}

Result<void> ViewerConnection::take_up(CarriedState& state) {
  frames_ = std::move(state.frames);
  if (auto restored = dialect_->restore(state.dialect_state); !restored) return restored;
  if (state.stage != CarriedState::Stage::attached) return {};
  session_ = shard_.sessions->find(choice_.session);
  if (!session_) return not_taken_up("session", "there is no session " + choice_.session);
  ViewerState viewer = state.viewer;
  viewer.id = viewer_.id;
  viewer.dialect = dialect_->name();
  viewer.exempt = viewer.exempt && !state.input_rest.empty();
  if (viewer.window == 0) viewer.window = operations_.config().viewer_window_bytes;
  if (auto attached = shard_.sessions->attach(*session_, viewer_, viewer); !attached)
    return not_taken_up("viewer", attached.error().detail);
  viewer_.news = std::move(state.news);
  attached_ = true;
  role_ = viewer.role;
  exempt_ = viewer.exempt;
  untaken_before_ = std::move(state.input_rest);
  input_next_ = state.input_next;
  input_told_ = state.input_told;
  suspended_told_ = state.suspended_told;
  return {};
}

void keep_handshake_fields(std::vector<std::pair<std::string, std::string>>& fields) {
  std::erase_if(fields, [](const auto& field) {
    const std::string name = lower_case(field.first);
    const bool ours = name.starts_with("sec-websocket-") && name != "sec-websocket-protocol";
    return !ours && name != "host" && name != "connection" && name != "upgrade" && name != "expect";
  });
}

Result<net::ip::tcp::socket> adopt_socket(Shard& shard, UniqueFd fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  boost::system::error_code ec;
  if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 ||  // NOLINT: variadic by POSIX
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    ec = {errno, boost::system::system_category()};
  const auto protocol = address.ss_family == AF_INET6 ? net::ip::tcp::v6() : net::ip::tcp::v4();
  net::ip::tcp::socket socket(shard.io);
  if (!ec) socket.assign(protocol, fd.get(), ec);
  if (!ec) (void)fd.release();
  if (!ec) socket.non_blocking(true, ec);
  if (ec) return Error{Errc::os_error, "cannot take the connection's socket: " + ec.message()};
  return socket;
}

}  // namespace term::server
