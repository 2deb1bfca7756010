#pragma once
// orchestrator: whose turn it is. Offsets, viewers, input numbering, backpressure, the spawn
// breaker.

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "legacy/circuit_breaker.h"
#include "legacy/events.h"
#include "session/ports.h"

namespace term::legacy {

/// StreamService of the legacy engine, complete in one module. Source: reference/origin.md 2.2.
///
/// It knows the offsets of every session's output and input and who has seen what, never a byte of
/// either. A session has one id, its own (origin's orchestrator made up a second one, P-22).
class Orchestrator final : public StreamService {
 public:
  Orchestrator(const Clock& clock, EventBus& bus, const StreamLimits& limits);
  Orchestrator(const Orchestrator&) = delete;
  Orchestrator& operator=(const Orchestrator&) = delete;

  Result<void> may_start() const override;
  void start_result(bool started) override;

  Result<void> create(const SessionId& id, WindowSize window, Offset next_offset) override;
  Result<void> opened(const SessionId& id, pid_t pid) override;
  Result<void> exited(const SessionId& id, const ExitStatus& status) override;
  Result<void> close(const SessionId& id) override;

  std::size_t read_budget(const SessionId& id, bool contended) override;
  void output(const SessionId& id, Offset first, std::span<const char> bytes,
              Offset ring_first) override;

  /// A window of 0 is the default of StreamLimits. A viewer attached already is replaced.
  Result<void> attach(const SessionId& id, const ViewerState& viewer) override;
  void detach(const SessionId& id, ViewerId viewer) override;
  /// A viewer with a full window gets nothing, not even its gap, until it acknowledges.
  Delivery next_delivery(const SessionId& id, ViewerId viewer, std::size_t max) override;
  void sent(const SessionId& id, ViewerId viewer, Offset upto) override;
  Result<void> acked(const SessionId& id, ViewerId viewer, Offset upto) override;
  void set_exempt(const SessionId& id, ViewerId viewer, bool exempt) override;

  Result<InputVerdict> input(const SessionId& id, ViewerId viewer, Offset first, std::size_t n,
                             std::size_t room) override;
  bool may_write(const SessionId& id) const override;
  void input_written(const SessionId& id, const std::string& client, Offset upto) override;
  InputOffsets input_offsets(const SessionId& id, const std::string& client) const override;
  Result<void> set_suspended(const SessionId& id, bool suspended) override;
  Result<std::optional<WindowSize>> resize(const SessionId& id, ViewerId viewer,
                                           WindowSize size) override;
  Result<std::optional<WindowSize>> resize(const SessionId& id, WindowSize size) override;

  Result<StreamRecord> export_session(const SessionId& id) const override;
  /// Errors: session_exists; bad_snapshot, also when it carries `data`: bytes belong in the ring.
  Result<void> import_session(const SessionId& id, const StreamRecord& record) override;
  Result<void> release(const SessionId& id) override;

  /// The breaker is not open, and the output of every session followed on without a hole. The
  /// newest alert of metrics is named, but does not make it unhealthy.
  std::vector<ModuleHealth> health() const override;

 private:
  /// The books of one session's bytes.
  struct Stream {
    Offset first = 0;  ///< Oldest byte in the ring.
    Offset next = 0;   ///< Next byte of the pty.
    std::map<std::string, InputOffsets> input;
    std::map<ViewerId, ViewerState> viewers;
    bool suspended = false;
    bool open = false;
    pid_t pid = 0;
    WindowSize window;
    std::optional<ExitStatus> exit;
  };
  Stream* find(const SessionId& id);
  const Stream* find(const SessionId& id) const;
  static ViewerState* find(Stream& stream, ViewerId viewer);

  EventBus& bus_;
  StreamLimits limits_;
  CircuitBreaker spawns_;
  std::unordered_map<SessionId, Stream> streams_;
  std::set<SessionId> broken_;  ///< Whose output did not follow on; a bug of the pump if any.
  std::string last_alert_;
};

}  // namespace term::legacy
