#pragma once
// The bytes of the refactored engine: who has seen what, who may type, when to hold back.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "refactored/start_breaker.h"
#include "session/ports.h"

namespace term::refactored {

/// StreamService over one StreamRecord per session: offsets and windows, never a byte.
///
/// A viewer's window bounds what it has not acknowledged. Bytes it fell behind on and will never
/// get do not count: after a gap its window starts anew where the ring began.
class StreamManager final : public StreamService {
 public:
  StreamManager(Clock clock, const StreamLimits& limits);

  Result<void> may_start() const override;
  void start_result(bool started) override;

  Result<void> create(const SessionId& id, WindowSize window, Offset next_offset) override;
  Result<void> opened(const SessionId& id, pid_t pid) override;
  Result<void> exited(const SessionId& id, const ExitStatus& status) override;
  Result<void> close(const SessionId& id) override;

  std::size_t read_budget(const SessionId& id, bool contended) override;
  void output(const SessionId& id, Offset first, std::span<const char> bytes,
              Offset ring_first) override;

  /// A window of 0 takes the default of StreamLimits. A viewer known already is replaced.
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
  /// Errors: session_exists; bad_snapshot, also when `data` is set: bytes belong into the ring.
  Result<void> import_session(const SessionId& id, const StreamRecord& record) override;
  Result<void> release(const SessionId& id) override;

  /// One line, `StreamManager`: the breaker is not open and no stream contradicts itself.
  std::vector<ModuleHealth> health() const override;

 private:
  struct Stream {
    StreamRecord record;
    std::string fault;  ///< The first output that did not follow on; kept until the session goes.
  };
  Stream* find(const SessionId& id);
  const Stream* find(const SessionId& id) const;
  ViewerState* find(const SessionId& id, ViewerId viewer);

  StreamLimits limits_;
  StartBreaker breaker_;
  std::unordered_map<SessionId, Stream> streams_;
};

}  // namespace term::refactored
