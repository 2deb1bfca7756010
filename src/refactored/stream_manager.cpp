#include "refactored/stream_manager.h"

#include <algorithm>
#include <utility>

#include "session/input_clients.h"

namespace term::refactored {

namespace {
/// What contradicts itself in a record; empty when nothing does.
std::string contradiction(const StreamRecord& record) {
  if (record.first_offset > record.next_offset) return "firstOffset is beyond nextOffset";
  if (!valid(record.window)) return "cols and rows must be 1..1000";
  for (const auto& [client, offsets] : record.input) {
    if (offsets.written > offsets.accepted)
      return "input of " + client + " written beyond accepted";
  }
  for (std::size_t i = 0; i < record.viewers.size(); ++i) {
    const ViewerState& viewer = record.viewers[i];
    const std::string name = "viewer " + std::to_string(viewer.id);
    if (i > 0 && record.viewers[i - 1].id >= viewer.id) return name + " is out of order";
    if (viewer.sent > record.next_offset) return name + " was sent more than there is";
    if (viewer.acked > viewer.sent) return name + " acknowledged more than it was sent";
    if (viewer.wanted && !valid(*viewer.wanted)) return name + " wants a size outside 1..1000";
  }
  return {};
}

bool full(const ViewerState& viewer, Offset end) {
  return end - (viewer.acks ? viewer.acked : viewer.sent) >= viewer.window;
}

std::vector<ViewerState>::iterator place(StreamRecord& record, ViewerId id) {
  return std::ranges::lower_bound(record.viewers, id, {}, &ViewerState::id);
}

Error no_such_viewer(const SessionId& id, ViewerId viewer) {
  return {Errc::bad_argument,
          "session " + id + " has no viewer " + std::to_string(viewer) + ": attach first"};
}

Error not_permitted(const SessionId& id, ViewerId viewer, std::string_view what) {
  return {Errc::not_permitted, "viewer " + std::to_string(viewer) + " of session " + id +
                                   " only watches and may not " + std::string(what)};
}

Error bad_size(const SessionId& id, WindowSize size) {
  return {Errc::bad_argument, "session " + id + ": " + std::to_string(size.cols) + "x" +
                                  std::to_string(size.rows) + " is outside 1..1000"};
}

/// Makes `size` the stream's; given back when it was another.
std::optional<WindowSize> apply(StreamRecord& record, WindowSize size) {
  if (record.window == size) return std::nullopt;
  record.window = size;
  return size;
}
}  // namespace

StreamManager::StreamManager(Clock clock, const StreamLimits& limits)
    : limits_(limits), breaker_(std::move(clock), limits.breaker_failures, limits.breaker_reset) {}

StreamManager::Stream* StreamManager::find(const SessionId& id) {
  const auto held = streams_.find(id);
  return held == streams_.end() ? nullptr : &held->second;
}

const StreamManager::Stream* StreamManager::find(const SessionId& id) const {
  const auto held = streams_.find(id);
  return held == streams_.end() ? nullptr : &held->second;
}

ViewerState* StreamManager::find(const SessionId& id, ViewerId viewer) {
  Stream* stream = find(id);
  if (!stream) return nullptr;
  const auto at = place(stream->record, viewer);
  return at != stream->record.viewers.end() && at->id == viewer ? &*at : nullptr;
}

Result<void> StreamManager::may_start() const { return breaker_.may_start(); }

void StreamManager::start_result(bool started) { breaker_.result(started); }

Result<void> StreamManager::create(const SessionId& id, WindowSize window, Offset next_offset) {
  if (find(id)) return Error{Errc::session_exists, "session " + id + " has a stream already"};
  if (!valid(window)) return bad_size(id, window);
  StreamRecord record;
  record.first_offset = next_offset;
  record.next_offset = next_offset;
  record.window = window;
  streams_.emplace(id, Stream{std::move(record), {}});
  return {};
}

Result<void> StreamManager::opened(const SessionId& id, pid_t pid) {
  Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  stream->record.open = true;
  stream->record.pid = pid;
  stream->record.exit.reset();
  return {};
}

Result<void> StreamManager::exited(const SessionId& id, const ExitStatus& status) {
  Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  stream->record.open = false;
  stream->record.exit = status;
  return {};
}

Result<void> StreamManager::close(const SessionId& id) { return release(id); }

std::size_t StreamManager::read_budget(const SessionId& id, bool contended) {
  const Stream* stream = find(id);
  if (!stream) return 0;
  bool somebody_counts = false;
  bool somebody_has_room = false;
  for (const ViewerState& viewer : stream->record.viewers) {
    if (viewer.exempt) continue;
    somebody_counts = true;
    somebody_has_room = somebody_has_room || !full(viewer, stream->record.next_offset);
  }
  if (somebody_counts && !somebody_has_room) return 0;
  return contended ? limits_.shared_turn_bytes : limits_.turn_bytes;
}

void StreamManager::output(const SessionId& id, Offset first, std::span<const char> bytes,
                           Offset ring_first) {
  Stream* stream = find(id);
  if (!stream) return;
  StreamRecord& record = stream->record;
  if (first != record.next_offset && stream->fault.empty()) {
    stream->fault = "output came at " + std::to_string(first) + " and not at " +
                    std::to_string(record.next_offset);
  }
  // Offsets are never given twice, whatever the pump says.
  record.next_offset = std::max(record.next_offset, first + bytes.size());
  record.first_offset = std::clamp(ring_first, record.first_offset, record.next_offset);
}

Result<void> StreamManager::attach(const SessionId& id, const ViewerState& viewer) {
  Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  StreamRecord& record = stream->record;
  if (viewer.sent > record.next_offset) {
    return Error{Errc::bad_argument,
                 "session " + id + " has printed " + std::to_string(record.next_offset) +
                     " bytes, so nobody can go on at " + std::to_string(viewer.sent)};
  }
  if (viewer.acks && viewer.acked > viewer.sent) {
    return Error{Errc::bad_argument, "viewer " + std::to_string(viewer.id) + " acknowledged " +
                                         std::to_string(viewer.acked) + " but was sent " +
                                         std::to_string(viewer.sent)};
  }
  if (viewer.wanted && !valid(*viewer.wanted)) return bad_size(id, *viewer.wanted);
  ViewerState state = viewer;
  if (state.window == 0) state.window = limits_.viewer_window;
  if (!state.acks) state.acked = state.sent;
  const auto at = place(record, state.id);
  if (at != record.viewers.end() && at->id == state.id) {
    *at = std::move(state);
  } else {
    record.viewers.insert(at, std::move(state));
  }
  return {};
}

void StreamManager::detach(const SessionId& id, ViewerId viewer) {
  if (Stream* stream = find(id)) {
    std::erase_if(stream->record.viewers, [&](const ViewerState& v) { return v.id == viewer; });
  }
}

Delivery StreamManager::next_delivery(const SessionId& id, ViewerId viewer, std::size_t max) {
  const ViewerState* state = find(id, viewer);
  if (!state) return {};
  const StreamRecord& record = find(id)->record;
  std::size_t allowed = max;
  if (state->acks && !state->exempt) {
    const Offset in_flight = state->sent - state->acked;
    if (in_flight >= state->window) return {.first = state->sent, .end = state->sent};
    allowed = std::min<std::size_t>(max, state->window - in_flight);
  }
  Delivery delivery{.first = std::max(state->sent, record.first_offset)};
  if (state->sent < record.first_offset) delivery.gap_from = state->sent;
  delivery.end = delivery.first + std::min<Offset>(allowed, record.next_offset - delivery.first);
  return delivery;
}

void StreamManager::sent(const SessionId& id, ViewerId viewer, Offset upto) {
  ViewerState* state = find(id, viewer);
  if (!state) return;
  const StreamRecord& record = find(id)->record;
  upto = std::min(upto, record.next_offset);
  if (upto <= state->sent) return;
  // Across a gap: what it will never get, it cannot acknowledge.
  if (state->sent < record.first_offset) state->acked = std::min(record.first_offset, upto);
  state->sent = upto;
  if (!state->acks) state->acked = upto;
}

Result<void> StreamManager::acked(const SessionId& id, ViewerId viewer, Offset upto) {
  if (!find(id)) return no_such_session(id);
  ViewerState* state = find(id, viewer);
  if (!state) return no_such_viewer(id, viewer);
  if (upto > state->sent) {
    return Error{Errc::bad_argument, "viewer " + std::to_string(viewer) + " acknowledged " +
                                         std::to_string(upto) + " but was sent " +
                                         std::to_string(state->sent)};
  }
  state->acked = std::max(state->acked, upto);
  return {};
}

void StreamManager::set_exempt(const SessionId& id, ViewerId viewer, bool exempt) {
  if (ViewerState* state = find(id, viewer)) state->exempt = exempt;
}

Result<InputVerdict> StreamManager::input(const SessionId& id, ViewerId viewer, Offset first,
                                          std::size_t n, std::size_t room) {
  Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  const ViewerState* typist = find(id, viewer);
  if (!typist) return no_such_viewer(id, viewer);
  if (typist->role == ViewerRole::viewer) return not_permitted(id, viewer, "type");

  StreamRecord& record = stream->record;
  const auto attached = [&](const std::string& client) {
    return std::ranges::find(record.viewers, client, &ViewerState::client) != record.viewers.end();
  };
  Offset& accepted = offsets_of(record.input, typist->client, first, attached).accepted;
  if (first > accepted) {
    return Error{Errc::bad_argument, "input of " + typist->client + " starts at " +
                                         std::to_string(first) + " but only " +
                                         std::to_string(accepted) + " bytes came before"};
  }
  InputVerdict verdict;
  verdict.skip = static_cast<std::size_t>(std::min<Offset>(n, accepted - first));
  verdict.take = std::min(n - verdict.skip, room);
  accepted += verdict.take;
  if (typist->wanted) verdict.resize = apply(record, *typist->wanted);
  return verdict;
}

bool StreamManager::may_write(const SessionId& id) const {
  const Stream* stream = find(id);
  return stream && stream->record.open && !stream->record.suspended;
}

void StreamManager::input_written(const SessionId& id, const std::string& client, Offset upto) {
  Stream* stream = find(id);
  if (!stream) return;
  const auto offsets = stream->record.input.find(client);
  if (offsets == stream->record.input.end()) return;
  offsets->second.written =
      std::max(offsets->second.written, std::min(upto, offsets->second.accepted));
}

InputOffsets StreamManager::input_offsets(const SessionId& id, const std::string& client) const {
  const Stream* stream = find(id);
  if (!stream) return {};
  const auto offsets = stream->record.input.find(client);
  return offsets == stream->record.input.end() ? InputOffsets{} : offsets->second;
}

Result<void> StreamManager::set_suspended(const SessionId& id, bool suspended) {
  Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  stream->record.suspended = suspended;
  return {};
}

Result<std::optional<WindowSize>> StreamManager::resize(const SessionId& id, ViewerId viewer,
                                                        WindowSize size) {
  Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  ViewerState* state = find(id, viewer);
  if (!state) return no_such_viewer(id, viewer);
  if (state->role == ViewerRole::viewer) return not_permitted(id, viewer, "resize");
  if (!valid(size)) return bad_size(id, size);
  state->wanted = size;
  return apply(stream->record, size);
}

Result<std::optional<WindowSize>> StreamManager::resize(const SessionId& id, WindowSize size) {
  Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  if (!valid(size)) return bad_size(id, size);
  return apply(stream->record, size);
}

Result<StreamRecord> StreamManager::export_session(const SessionId& id) const {
  const Stream* stream = find(id);
  if (!stream) return no_such_session(id);
  return stream->record;
}

Result<void> StreamManager::import_session(const SessionId& id, const StreamRecord& record) {
  if (find(id)) return Error{Errc::session_exists, "session " + id + " has a stream already"};
  std::string why = contradiction(record);
  if (record.data) why = "output.data belongs into the ring, not into an engine";
  if (!why.empty()) return Error{Errc::bad_snapshot, "session " + id + ": " + why};
  streams_.emplace(id, Stream{record, {}});
  return {};
}

Result<void> StreamManager::release(const SessionId& id) {
  if (streams_.erase(id) == 0) return no_such_session(id);
  return {};
}

std::vector<ModuleHealth> StreamManager::health() const {
  ModuleHealth line{.module = "StreamManager",
                    .healthy = true,
                    .detail = std::to_string(streams_.size()) + " streams, all consistent"};
  if (auto start = breaker_.may_start(); !start) {
    line.healthy = false;
    line.detail = start.error().detail;
  }
  for (const auto& [id, stream] : streams_) {
    const std::string why = stream.fault.empty() ? contradiction(stream.record) : stream.fault;
    if (why.empty()) continue;
    line.healthy = false;
    line.detail = "session " + id + ": " + why;
    break;
  }
  return {line};
}

}  // namespace term::refactored
