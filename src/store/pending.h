#pragma once
// What waits to be written: the newest of each thing.

#include <deque>
#include <map>
#include <optional>

#include "store/store.h"

namespace term::store {

/// A plain value with rules: what replaces what. Thread: the owner's.
class Pending final {
 public:
  static constexpr std::size_t kMaxRows = 100'000;

  void put(Batch::Session session);
  void ended(const SessionId& id);
  void put(ProjectRecord project);
  void ended_project(const ProjectId& id);
  void setting(std::string key, std::string json);
  void flip(FlipRow row);
  void audit(AuditRow row);
  void command(CommandRow row);

  /// Everything of `newer`, as if it had been put after what is here.
  void add(Pending newer);
  /// Takes up to `rows` rows or `bytes` bytes out, at least one row.
  Batch take(std::size_t rows, std::size_t bytes);
  /// A batch as it was before it was taken.
  static Pending of(Batch batch);

  bool empty() const;
  std::size_t sessions() const { return sessions_.size() + projects_.size() + settings_.size(); }
  std::size_t rows() const { return flips_.size() + audit_.size() + commands_.size(); }
  std::size_t bytes() const { return bytes_; }

  struct Counts {
    std::uint64_t superseded = 0;
    std::uint64_t dropped = 0;  ///< Commands.
    std::uint64_t lost = 0;     ///< Audit rows.
  };
  /// Since the last call.
  Counts take_counts() { return std::exchange(counts_, {}); }

 private:
  struct Entry {
    bool ended = false;                   ///< What is stored goes first.
    std::optional<Batch::Session> data;   ///< The newest that has scrollback.
    std::optional<Batch::Session> state;  ///< Newer than that, without.
  };
  struct Project {
    bool ended = false;
    std::optional<ProjectRecord> record;
  };
  void drop(std::optional<Batch::Session>& old);
  void trim();

  std::map<SessionId, Entry> sessions_;
  std::map<ProjectId, Project> projects_;
  std::map<std::string, std::string> settings_;
  std::map<std::string, FlipRow> flips_;
  std::deque<AuditRow> audit_;
  std::deque<CommandRow> commands_;
  std::size_t bytes_ = 0;
  Counts counts_;
};

}  // namespace term::store
