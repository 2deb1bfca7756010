// A session as a value: taken out of it, and put behind a new shell.

#include <algorithm>

#include "session/session.h"

namespace term {

void Session::put_saved(std::string_view output, Offset next) {
  if (output.size() > ring_.capacity()) output.remove_prefix(output.size() - ring_.capacity());
  const Offset first = next - output.size();
  if (slot_) {
    slot_->header().first.store(first);
    slot_->header().next.store(first);
  } else {
    ring_ = OutputRing(ring_.capacity(), first);
  }
  modes_->restart(first);
  ring_.append(output);
}

void Session::restore_input(const std::vector<InputQueue::Run>& runs) {
  for (const auto& run : runs) input_.push(run.client, run.first, run.bytes);
}

std::size_t Session::give_up_scrollback(std::size_t keep) {
  if (frozen_ || ring_.size() <= keep) return 0;
  const auto stream = streams().export_session(id_);
  if (!stream) return 0;
  Offset first = ring_.next() - keep;
  for (const ViewerState& viewer : stream->viewers) {
    // One that has fallen out of the ring goes on behind its gap, whatever goes with it.
    const Offset wants = viewer.acked < ring_.first() ? viewer.sent : viewer.acked;
    if (wants >= ring_.first()) first = std::min(first, wants);
  }
  if (first <= ring_.first()) return 0;
  const std::size_t before = ring_.size();
  modes_->before_overwrite(ring_, first);
  ring_.shrink(static_cast<std::size_t>(ring_.next() - first));
  streams().output(id_, ring_.next(), {}, ring_.first());
  return before - ring_.size();
}

Result<SessionSnapshot> Session::snapshot(bool with_data) const {
  auto session = sessions().export_session(id_);
  if (!session) return session.error();
  auto stream = streams().export_session(id_);
  if (!stream) return stream.error();
  auto telemetry_share = telemetry().export_session(id_);
  if (!telemetry_share) return telemetry_share.error();
  SessionSnapshot snapshot{std::move(*session), std::move(*stream), std::move(*telemetry_share)};
  if (with_data) snapshot.stream.data = ring_.copy(ring_.first(), ring_.size());
  return snapshot;
}

void Session::wake_viewers() {
  for (Viewer* viewer : viewers_) viewer->wake.notify_all();
}

void Session::progress() { room_.notify_all(); }

}  // namespace term
