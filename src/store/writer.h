#pragma once
// The store, off the event loops: what is to be written is left here and goes in by itself.

#include <filesystem>
#include <functional>
#include <memory>

#include "store/store.h"

namespace term::store {

struct WriterStatus {
  std::string store;  ///< `sqlite`, `postgresql`; empty while it was never open.
  bool available = false;
  std::string reason;  ///< Why not, since when it is not.
  std::optional<WallTime> unavailable_since;
  /// One may count twice: its state, and its scrollback that is still being compressed.
  std::size_t waiting_sessions = 0;
  std::size_t waiting_bytes = 0;  ///< Of everything that waits.
  std::size_t waiting_rows = 0;   ///< Flips, audit and commands.
  std::uint64_t batches = 0;
  std::uint64_t written = 0;  ///< Rows.
  std::uint64_t failed_batches = 0;
  std::uint64_t superseded = 0;  ///< States that a newer one replaced before they were written.
  std::uint64_t dropped = 0;     ///< Commands given up for the bound.
  /// Of anything else: audit rows beyond theirs, and what stop() could neither write nor keep.
  std::uint64_t lost = 0;
  std::uint64_t kept = 0;  ///< What stop() left in a file for the next Writer.
  Millis last_write{0};    ///< How long the newest batch took.
  std::optional<WallTime> last_written_at;
};

/// One thread, one store, and a Packer beside it: a state does not wait for scrollback that is
/// still being compressed. Newest state of a session wins; a failed batch is kept and tried again
/// with back-off (100 ms doubling to 5 s), merged with what came since.
///
/// Bounds: sessions, projects, settings and flips by their number (the newest of each), and a
/// session's scrollback: who puts it asks wants_scrollback() before. Audit and commands 100,000
/// rows each, the oldest dropped and counted.
///
/// What stop() cannot write it leaves in a file in `keep_in`; the next Writer there puts it in
/// before anything else, once nobody else has the database (open() says busy until then).
///
/// Thread: any. Nothing here waits for the database, except stop() and flush().
class Writer final {
 public:
  using Open = std::function<Result<std::unique_ptr<Store>>()>;
  struct Setup {
    Open open;
    Clock clock;
    std::size_t batch_rows = 500;
    std::function<Scrollback(std::string_view, Offset)> pack = store::pack;
    std::filesystem::path keep_in;  ///< Empty: what cannot be written at the end is lost.
    std::string database;           ///< Which one, without secrets: only there the file goes in.
  };
  explicit Writer(Setup setup);
  ~Writer();  ///< Does not wait for the database: stop() before it.
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// False while much waits already: states alone are to be put then.
  bool wants_scrollback() const;

  void put(StoredSession session, bool both_tables);
  void ended(SessionId id);
  void put(ProjectRecord project);
  void ended_project(ProjectId id);
  void setting(std::string key, std::string json);
  void flip(FlipRow row);
  void audit(AuditRow row);
  void command(CommandRow row);

  /// Calls `work` on the writer's thread once everything put before is written; with the error
  /// instead of a store when it is unavailable.
  using Work = std::function<void(Result<Store*>)>;
  void ask(Work work);
  /// Waits until everything put before is written; false when it is not within `limit`.
  bool flush(Millis limit);
  /// Writes what waits within `limit`, then ends the thread. What was not written is kept in a
  /// file, else counted as lost.
  void stop(Millis limit);

  WriterStatus status() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace term::store
