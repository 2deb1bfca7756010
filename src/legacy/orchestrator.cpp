#include "legacy/orchestrator.h"

#include <algorithm>

#include "session/input_clients.h"

namespace term::legacy {

namespace {

Error stream_exists(const SessionId& id) {
  return {Errc::session_exists, "session " + id + " has a stream already"};
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
  return {Errc::bad_argument, "session " + id + ": a size of " + std::to_string(size.cols) + "x" +
                                  std::to_string(size.rows) + " is not within 1..1000"};
}

Error acked_too_much(ViewerId viewer, Offset acked, Offset sent) {
  return {Errc::bad_argument, "viewer " + std::to_string(viewer) + " acknowledged " +
                                  std::to_string(acked) + " and was sent " + std::to_string(sent)};
}

/// Bytes that the client has been handed and has not acknowledged; 0 for those that never do.
Offset in_flight(const ViewerState& viewer) { return viewer.acks ? viewer.sent - viewer.acked : 0; }

bool full(const ViewerState& viewer, Offset end) {
  return end - (viewer.acks ? viewer.acked : viewer.sent) >= viewer.window;
}

std::optional<WindowSize> change(WindowSize& current, WindowSize wanted) {
  if (current == wanted) return std::nullopt;
  current = wanted;
  return wanted;
}

/// Why a viewer cannot be like this; empty when it can.
std::string contradiction(const ViewerState& viewer, Offset end) {
  const std::string who = "viewer " + std::to_string(viewer.id);
  if (viewer.sent > end) {
    return who + " was sent " + std::to_string(viewer.sent) + " bytes of " + std::to_string(end);
  }
  if (viewer.acked > viewer.sent) {
    return who + " acknowledged " + std::to_string(viewer.acked) + " and was sent " +
           std::to_string(viewer.sent);
  }
  if (viewer.wanted && !valid(*viewer.wanted)) return who + " wants a size outside 1..1000";
  return {};
}

std::string contradiction(const StreamRecord& record) {
  if (record.data) return "output.data belongs in the ring, not in an engine";
  if (record.first_offset > record.next_offset) return "firstOffset is beyond nextOffset";
  if (!valid(record.window)) return "cols and rows must be 1..1000";
  for (const auto& [client, offsets] : record.input) {
    if (offsets.written > offsets.accepted) return "input of " + client + " is ahead of itself";
  }
  for (std::size_t i = 0; i < record.viewers.size(); ++i) {
    if (i > 0 && record.viewers[i - 1].id >= record.viewers[i].id) {
      return "viewers are not in order of their ids";
    }
    if (auto why = contradiction(record.viewers[i], record.next_offset); !why.empty()) return why;
  }
  return {};
}

}  // namespace

Orchestrator::Orchestrator(const Clock& clock, EventBus& bus, const StreamLimits& limits)
    : bus_(bus),
      limits_(limits),
      spawns_("spawn", clock, limits.breaker_failures, limits.breaker_reset) {
  bus_.alerts_triggered.subscribe([this](const AlertsTriggered& event) {
    if (!event.alerts.empty()) last_alert_ = event.alerts.back();
  });
}

Orchestrator::Stream* Orchestrator::find(const SessionId& id) {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : &it->second;
}

const Orchestrator::Stream* Orchestrator::find(const SessionId& id) const {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : &it->second;
}

ViewerState* Orchestrator::find(Stream& stream, ViewerId viewer) {
  const auto it = stream.viewers.find(viewer);
  return it == stream.viewers.end() ? nullptr : &it->second;
}

Result<void> Orchestrator::may_start() const { return spawns_.allow(); }

void Orchestrator::start_result(bool started) { spawns_.record(started); }

Result<void> Orchestrator::create(const SessionId& id, WindowSize window, Offset next_offset) {
  if (find(id)) return stream_exists(id);
  if (!valid(window)) return bad_size(id, window);
  Stream& stream = streams_[id];
  stream.first = next_offset;
  stream.next = next_offset;
  stream.window = window;
  return {};
}

Result<void> Orchestrator::opened(const SessionId& id, pid_t pid) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  stream->open = true;
  stream->pid = pid;
  stream->exit.reset();
  return {};
}

Result<void> Orchestrator::exited(const SessionId& id, const ExitStatus& status) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  stream->open = false;
  stream->exit = status;
  return {};
}

Result<void> Orchestrator::close(const SessionId& id) { return release(id); }

Result<void> Orchestrator::release(const SessionId& id) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return no_such_session(id);
  broken_.erase(id);
  streams_.erase(it);
  return {};
}

std::size_t Orchestrator::read_budget(const SessionId& id, bool contended) {
  const Stream* stream = find(id);
  if (stream == nullptr) return 0;
  bool asked = false;
  bool room = false;
  for (const auto& [viewer_id, viewer] : stream->viewers) {
    if (viewer.exempt) continue;
    asked = true;
    if (!full(viewer, stream->next)) room = true;
  }
  if (asked && !room) return 0;
  return contended ? limits_.shared_turn_bytes : limits_.turn_bytes;
}

void Orchestrator::output(const SessionId& id, Offset first, std::span<const char> bytes,
                          Offset ring_first) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  if (first != stream->next) broken_.insert(id);
  // Whatever the pump says, an offset is never given out twice.
  stream->next = std::max(stream->next, first + bytes.size());
  stream->first = std::clamp(ring_first, stream->first, stream->next);
}

Result<void> Orchestrator::attach(const SessionId& id, const ViewerState& viewer) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  ViewerState attached = viewer;
  if (!attached.acks) attached.acked = attached.sent;
  if (attached.window == 0) attached.window = limits_.viewer_window;
  if (auto why = contradiction(attached, stream->next); !why.empty()) {
    return Error{Errc::bad_argument, "session " + id + ": " + why};
  }
  stream->viewers.insert_or_assign(viewer.id, std::move(attached));
  return {};
}

void Orchestrator::detach(const SessionId& id, ViewerId viewer) {
  if (Stream* stream = find(id)) stream->viewers.erase(viewer);
}

Delivery Orchestrator::next_delivery(const SessionId& id, ViewerId viewer_id, std::size_t max) {
  Stream* stream = find(id);
  const ViewerState* viewer = stream == nullptr ? nullptr : find(*stream, viewer_id);
  if (viewer == nullptr) return {};
  Offset allowed = max;
  if (viewer->acks && !viewer->exempt) {
    const Offset unacknowledged = in_flight(*viewer);
    if (unacknowledged >= viewer->window) return {.first = viewer->sent, .end = viewer->sent};
    allowed = std::min<Offset>(allowed, viewer->window - unacknowledged);
  }
  Delivery delivery{.first = std::max(viewer->sent, stream->first)};
  if (viewer->sent < stream->first) delivery.gap_from = viewer->sent;
  delivery.end = delivery.first + std::min(allowed, stream->next - delivery.first);
  return delivery;
}

void Orchestrator::sent(const SessionId& id, ViewerId viewer_id, Offset upto) {
  Stream* stream = find(id);
  ViewerState* viewer = stream == nullptr ? nullptr : find(*stream, viewer_id);
  if (viewer == nullptr) return;
  upto = std::min(upto, stream->next);
  if (upto <= viewer->sent) return;
  // Bytes it will never get it cannot acknowledge: behind a gap its window begins anew.
  if (viewer->sent < stream->first) {
    viewer->acked = std::max(viewer->acked, std::min(stream->first, upto));
  }
  viewer->sent = upto;
  if (!viewer->acks) viewer->acked = upto;
}

Result<void> Orchestrator::acked(const SessionId& id, ViewerId viewer_id, Offset upto) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  ViewerState* viewer = find(*stream, viewer_id);
  if (viewer == nullptr) return no_such_viewer(id, viewer_id);
  if (upto > viewer->sent) return acked_too_much(viewer_id, upto, viewer->sent);
  viewer->acked = std::max(viewer->acked, upto);
  return {};
}

void Orchestrator::set_exempt(const SessionId& id, ViewerId viewer_id, bool exempt) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  if (ViewerState* viewer = find(*stream, viewer_id)) viewer->exempt = exempt;
}

Result<InputVerdict> Orchestrator::input(const SessionId& id, ViewerId viewer_id, Offset first,
                                         std::size_t n, std::size_t room) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  const ViewerState* typist = find(*stream, viewer_id);
  if (typist == nullptr) return no_such_viewer(id, viewer_id);
  if (typist->role == ViewerRole::viewer) return not_permitted(id, viewer_id, "type");

  const auto attached = [&](const std::string& client) {
    return std::ranges::any_of(stream->viewers,
                               [&](const auto& entry) { return entry.second.client == client; });
  };
  Offset& accepted = offsets_of(stream->input, typist->client, first, attached).accepted;
  if (first > accepted) {
    return Error{Errc::bad_argument, "input of client " + typist->client + " begins at " +
                                         std::to_string(first) + " and " +
                                         std::to_string(accepted) + " bytes came before it"};
  }
  InputVerdict verdict;
  verdict.skip = static_cast<std::size_t>(std::min<Offset>(n, accepted - first));
  verdict.take = std::min(n - verdict.skip, room);
  accepted += verdict.take;
  if (typist->wanted) verdict.resize = change(stream->window, *typist->wanted);
  return verdict;
}

bool Orchestrator::may_write(const SessionId& id) const {
  const Stream* stream = find(id);
  return stream != nullptr && stream->open && !stream->suspended;
}

void Orchestrator::input_written(const SessionId& id, const std::string& client, Offset upto) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  const auto it = stream->input.find(client);
  if (it == stream->input.end()) return;
  InputOffsets& offsets = it->second;
  offsets.written = std::max(offsets.written, std::min(upto, offsets.accepted));
}

InputOffsets Orchestrator::input_offsets(const SessionId& id, const std::string& client) const {
  const Stream* stream = find(id);
  if (stream == nullptr) return {};
  const auto it = stream->input.find(client);
  return it == stream->input.end() ? InputOffsets{} : it->second;
}

Result<void> Orchestrator::set_suspended(const SessionId& id, bool suspended) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  stream->suspended = suspended;
  return {};
}

Result<std::optional<WindowSize>> Orchestrator::resize(const SessionId& id, ViewerId viewer_id,
                                                       WindowSize size) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  ViewerState* viewer = find(*stream, viewer_id);
  if (viewer == nullptr) return no_such_viewer(id, viewer_id);
  if (viewer->role == ViewerRole::viewer) return not_permitted(id, viewer_id, "resize");
  if (!valid(size)) return bad_size(id, size);
  viewer->wanted = size;
  return change(stream->window, size);
}

Result<std::optional<WindowSize>> Orchestrator::resize(const SessionId& id, WindowSize size) {
  Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  if (!valid(size)) return bad_size(id, size);
  return change(stream->window, size);
}

Result<StreamRecord> Orchestrator::export_session(const SessionId& id) const {
  const Stream* stream = find(id);
  if (stream == nullptr) return no_such_session(id);
  StreamRecord record{.first_offset = stream->first,
                      .next_offset = stream->next,
                      .input = stream->input,
                      .suspended = stream->suspended,
                      .open = stream->open,
                      .pid = stream->pid,
                      .window = stream->window,
                      .exit = stream->exit};
  for (const auto& [viewer_id, viewer] : stream->viewers) record.viewers.push_back(viewer);
  return record;
}

Result<void> Orchestrator::import_session(const SessionId& id, const StreamRecord& record) {
  if (find(id)) return stream_exists(id);
  if (auto why = contradiction(record); !why.empty()) {
    return Error{Errc::bad_snapshot, "session " + id + ": " + why};
  }
  Stream stream{.first = record.first_offset,
                .next = record.next_offset,
                .input = record.input,
                .suspended = record.suspended,
                .open = record.open,
                .pid = record.pid,
                .window = record.window,
                .exit = record.exit};
  for (const ViewerState& viewer : record.viewers) stream.viewers.emplace(viewer.id, viewer);
  streams_.emplace(id, std::move(stream));
  return {};
}

std::vector<ModuleHealth> Orchestrator::health() const {
  ModuleHealth line{.module = "orchestrator"};
  line.detail = std::to_string(streams_.size()) + " streams, breaker `" + spawns_.name() + "` " +
                std::string(to_string(spawns_.state()));
  if (!broken_.empty()) {
    line.healthy = false;
    line.detail = "the output of session " + *broken_.begin() + " did not follow on";
  }
  if (auto allowed = spawns_.allow(); !allowed) {
    line.healthy = false;
    line.detail = allowed.error().detail;
  }
  if (!last_alert_.empty()) line.detail += "; last alert: " + last_alert_;
  return {line};
}

}  // namespace term::legacy
