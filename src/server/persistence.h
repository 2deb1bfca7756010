#pragma once
// The service's side of the store: what goes there, what an earlier process left there.

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "adapter/flip.h"
#include "adapter/sessions.h"
#include "server/config.h"
#include "session/unique_fd.h"
#include "store/writer.h"

namespace term::server {

/// What an earlier process left.
struct LeftBehind {
  std::string flags;                      ///< As flags_text.h has them; empty if there are none.
  std::vector<adapter::FlipEntry> flips;  ///< Oldest first.
  std::vector<ProjectRecord> projects;
};

/// Owns the Writer. One process at a time writes to the store of a state directory: it holds
/// `store.lock` there, and the successor of a hand-over waits for it with its writes, so that
/// nothing old comes after something new.
///
/// Thread: any; nothing waits for the database but load() and stop().
class Persistence final {
 public:
  Persistence(const Config& config, Clock clock);

  store::Writer& writer() { return writer_; }
  store::WriterStatus status() const { return writer_.status(); }

  /// The hooks of a shard's sessions.
  adapter::Storing storing();
  void flags(const std::string& text) { writer_.setting("flags", text); }
  void flip(const adapter::FlipEntry& entry);
  /// `who`: operator, environment, guard or service.
  void audit(std::string who, std::string from, std::string action, std::string detail,
             std::string result);

  /// What an earlier process left, if the store gives it within `limit`.
  std::optional<LeftBehind> load(Millis limit);
  /// The same without waiting; `take` is called on the writer's thread, once, with nothing when the
  /// store could not be read: ask again.
  void load_later(std::function<void(std::optional<LeftBehind>)> take);

  /// Writes what waits within `limit`; nothing is stored afterwards.
  void stop(Millis limit) { writer_.stop(limit); }

 private:
  Clock clock_;
  store::Writer writer_;
};

/// What may be kept of a request: no secrets, no environment, no long documents.
std::string audit_detail(std::string_view path, std::string_view body);

}  // namespace term::server
