#pragma once
// TelemetryService of the legacy engine: metrics, analytics and logging together.

#include "legacy/analytics.h"
#include "legacy/logging.h"
#include "legacy/metrics.h"
#include "session/ports.h"

namespace term::legacy {

/// Hands what happens to the modules that keep it, and puts a session's record together from them.
/// Keeps nothing itself. The modules are borrowed from the engine.
class TelemetryPort final : public TelemetryService {
 public:
  TelemetryPort(Clock clock, Metrics& metrics, Analytics& analytics, Logging& logging);

  Result<void> opened(const SessionId& id, const ProjectId& project,
                      std::string_view user = {}) override;
  Result<void> closed(const SessionId& id) override;

  void record_text(bool on) override { analytics_.record_text(on); }
  void finished(const SessionId& id, int exit_code) override;
  std::vector<CommandEvent> take_commands() override { return analytics_.events().take(); }

  void output(const SessionId& id, std::size_t bytes) override;
  void input(const SessionId& id, std::span<const char> bytes, bool echo) override;
  void operation(std::string_view kind, bool ok, Millis took) override;
  void error(const SessionId& id, std::string_view kind, std::string_view detail) override;
  void state_changed(const SessionId& id, SessionState from, SessionState to) override;
  void sampled(const SessionId& id, double cpu_percent, std::uint64_t memory_bytes) override;
  void tick() override;

  TelemetryTotals totals() const override;
  std::vector<LogEntry> logs(const LogQuery& query) const override;
  std::vector<CommandPattern> patterns(std::uint64_t min_frequency) const override;
  Result<CommandStatistics> statistics(const SessionId& id) const override;

  Result<TelemetryRecord> export_session(const SessionId& id) const override;
  Result<void> import_session(const SessionId& id, const ProjectId& project,
                              const TelemetryRecord& record, std::string_view user = {}) override;
  Result<void> release(const SessionId& id) override;

  std::vector<ModuleHealth> health() const override;

 private:
  Clock clock_;
  Metrics& metrics_;
  Analytics& analytics_;
  Logging& logging_;
};

}  // namespace term::legacy
