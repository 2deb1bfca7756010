// What a viewer gets that comes late, or falls behind: modes, or a painted screen.

#include "server/viewer_connection.h"

namespace term::server {

namespace {
/// A viewer that falls out again and again sees the screen four times a second.
constexpr auto kBetweenRepaints = std::chrono::milliseconds(250);
}  // namespace

struct ViewerConnection::Repaint {
  Repaint(net::io_context& io, Signal& signal) : timer(io), wake(&signal) {}

  net::steady_timer timer;
  Signal* wake;  ///< Of the viewer, who owns us.
  bool waiting = false;
  bool done = false;
  bool lapped = false;  ///< It fell out, and has no screen since.
  Offset at = 0;        ///< The painting shows the screen before this byte.
  unsigned missed = 0;  ///< Paintings that came too late.
  std::string painting;
  std::chrono::steady_clock::time_point not_before;
};

std::string ViewerConnection::modes_before(Offset from) const {
  return from == 0 ? std::string() : mode_preamble(session_->modes_at(from));
}

std::string ViewerConnection::cleared_before(Offset from) const {
  return soft_reset() + "\x1B[H\x1B[J" + modes_before(from);
}

bool ViewerConnection::waits_for_screen() const {
  if (!repaint_ || !repaint_->lapped || repaint_->done) return false;
  return repaint_->waiting || std::chrono::steady_clock::now() < repaint_->not_before;
}

bool ViewerConnection::bridge_gap(Offset from) {
  if (!repaint_) repaint_ = std::make_shared<Repaint>(shard_.io, viewer_.wake);
  Repaint& repaint = *repaint_;
  repaint.lapped = true;
  if (repaint.waiting) return false;
  if (std::exchange(repaint.done, false)) {
    const std::string painting = std::exchange(repaint.painting, {});
    if (repaint.at >= session_->ring().first()) {
      go_on_behind(from, painting);
      return true;
    }
    ++repaint.missed;  // It fell out again while this was painted.
  }
  const auto now = std::chrono::steady_clock::now();
  if (now < repaint.not_before || !start_painting()) {
    repaint.timer.expires_at(std::max(repaint.not_before, now + kBetweenRepaints / 10));
    repaint.timer.async_wait([weak = std::weak_ptr(repaint_)](const boost::system::error_code& ec) {
      if (const auto still = weak.lock(); still && !ec) still->wake->notify_all();
    });
  }
  return false;
}

bool ViewerConnection::start_painting() {
  const OutputRing& ring = session_->ring();
  const Offset begin = session_->replay_start();
  PaintRequest request{.bytes = ring.copy(begin, ring.size()),
                       .at_begin = session_->modes_at(begin),
                       .attempt = repaint_->missed};
  if (const auto record = session_->sessions().find(session_->id())) request.size = record->window;
  const Offset at = ring.next();
  const auto painted = [weak = std::weak_ptr(repaint_)](std::string painting) {
    const auto repaint = weak.lock();
    if (!repaint) return;
    repaint->painting = std::move(painting);
    repaint->waiting = false;
    repaint->done = true;
    repaint->wake->notify_all();
  };
  if (!operations_.painter().paint(std::move(request), shard_.io.get_executor(), painted))
    return false;
  repaint_->waiting = true;
  repaint_->at = at;
  return true;
}

void ViewerConnection::go_on_behind(Offset from, const std::string& painting) {
  const Offset at = repaint_->at;
  dialect_->gap(from, at, frames_);
  dialect_->repaint(painting, frames_);
  session_->sent(viewer_, at);
  (void)session_->acked(viewer_, at);
  session_->telemetry().error(session_->id(), "gap", "a viewer fell out of the ring");
  repaint_->missed = 0;
  repaint_->lapped = false;
  repaint_->not_before = std::chrono::steady_clock::now() + kBetweenRepaints;
}

}  // namespace term::server
