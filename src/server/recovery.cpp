#include "server/recovery.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>

namespace term::server {

namespace {

/// What can be known of a session of which nothing was put down.
Books bare_books(const HeldSession& held, ArenaSlot slot, const adapter::Flags& flags,
                 WallTime now) {
  Books books;
  SessionRecord& record = books.snapshot.session;
  record.id = held.id;
  record.tab_name = held.id;
  record.created_at = record.updated_at = record.last_activity = now;
  record.lifecycle.entered_at = now;
  const std::uint64_t window = slot.header().window.load();
  const WindowSize size{.rows = static_cast<std::uint16_t>(window >> 16U & 0xFFFFU),
                        .cols = static_cast<std::uint16_t>(window & 0xFFFFU)};
  if (valid(size)) record.window = size;
  record.current_path = working_directory(held.pid);
  books.snapshot.stream.window = record.window;
  books.owners = flags.choose(record.project_id, record.id);
  return books;
}

class Recovery {
 public:
  Recovery(Shards& shards, RecoveryInput& input) : shards_(shards), input_(input) {}

  RecoveryReport run() {
    const auto begun = std::chrono::steady_clock::now();
    shards_.before_start([this](Shard& shard) {
      for (HeldSession& held : input_.held)
        if (&shards_.of(held.id) == &shard) adopt(shard, held);
    });
    input_.arena.clear_unclaimed();
    restore_projects();
    report_.adopted = adopted_;
    report_.ended = ended_;
    report_.took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
    return std::move(report_);
  }

 private:
  void disagree(const SessionId& id, const std::string& what) {
    const std::lock_guard lock(reporting_);
    report_.disagreements.push_back(id + ": " + what);
    spdlog::error("recovery.disagreement id={} ERROR {}", id, what);
  }

  void fail(const SessionId& id, const std::string& why) {
    const std::lock_guard lock(reporting_);
    report_.failed.emplace_back(id, why);
    spdlog::error("recovery.failed id={} ERROR {}", id, why);
  }

  /// On a thread of the shard's own.
  void adopt(Shard& shard, HeldSession& held) {
    input_.alive();
    if (!input_.arena.claim(held.slot))
      return fail(held.id, "its slot " + std::to_string(held.slot) + " is none of this arena");
    const ArenaSlot slot = input_.arena.slot(held.slot);
    Books books = books_of_slot(shard, held, slot);
    prepare(books, held, slot);
    if (held.exit) {
      input_.source.ended(held.slot, *held.exit);
      ++ended_;
    }
    Pty pty{.fd = std::move(held.pty), .pid = held.pid, .slot = held.slot};
    const std::uint64_t pts = slot.header().pts.load();
    if (pts != 0 && pts != static_cast<std::uint64_t>(pty_number(pty) + 1))
      disagree(held.id, "the arena has pts " + std::to_string(pts - 1) + ", the holder's pty is " +
                            std::to_string(pty_number(pty)));
    auto& sessions = *shard.sessions;
    auto adopted = sessions.adopt(books, slot, pty, /*frozen=*/true);
    if (!adopted && adopted.error().code == Errc::bad_snapshot) {
      disagree(held.id, adopted.error().detail + "; its record is made anew");
      Books bare = bare_books(held, slot, sessions.flags(), input_.now);
      bare.snapshot.stream.input = std::move(books.snapshot.stream.input);
      adopted = sessions.adopt(std::move(bare), slot, pty, /*frozen=*/true);
    }
    if (!adopted) return fail(held.id, adopted.error().detail);
    shards_.reserve();
    ++adopted_;
    if (slot.header().closing.load() != 0)
      (void)sessions.close(**adopted, "closed before the service ended", 4001);
  }

  Books books_of_slot(Shard& shard, const HeldSession& held, ArenaSlot slot) {
    const std::uint64_t pid = slot.header().pid.load();
    if (pid != 0 && pid != static_cast<std::uint64_t>(held.pid)) {
      disagree(held.id, "the arena has process " + std::to_string(pid) +
                            " in its slot, the holder " + std::to_string(held.pid) +
                            "; its output so far is given up");
      slot.release();
      (void)input_.arena.claim(held.slot);
      return bare_books(held, slot, shard.sessions->flags(), input_.now);
    }
    const auto carried = input_.books.find(held.slot);
    auto books =
        books_from_text(carried != input_.books.end() ? carried->second : slot.books().read());
    if (books && books->snapshot.session.id == held.id) return std::move(*books);
    disagree(held.id,
             books ? "its books are those of " + books->snapshot.session.id : books.error().detail);
    return bare_books(held, slot, shard.sessions->flags(), input_.now);
  }

  /// What is not as it was when the books were written.
  void prepare(Books& books, const HeldSession& held, ArenaSlot slot) {
    if (input_.books.contains(held.slot)) return;  // As they were a moment ago.
    StreamRecord& stream = books.snapshot.stream;
    SessionRecord& record = books.snapshot.session;
    // The slot is newer; what was queued and not written the clients still have.
    stream.input.clear();
    for (const auto& [client, written] : slot.clients())
      stream.input[client] = {.accepted = written, .written = written};
    stream.suspended = record.suspension.has_value();
    stream.window = record.window;
    books.queued.clear();
    // Time without a service is nobody's fault: what would have run out begins anew.
    auto& keep = record.disconnect.keep_alive_until;
    if (keep && input_.detached_ttl.count() > 0)
      keep = std::max(*keep, input_.now + input_.detached_ttl);
    if (record.suspension && record.suspension->over(input_.now))
      record.suspension->expires_at =
          input_.now + (record.suspension->expires_at - record.suspension->suspended_at);
    if (record.status == SessionState::failed || record.status == SessionState::closed)
      disagree(held.id, "its books have it " + std::string(to_string(record.status)));
  }

  /// A project's record is made of its sessions where nobody carried it.
  void restore_projects() {
    std::map<ProjectId, ProjectRecord> made;
    for (auto& record : input_.projects) made[record.id] = std::move(record);
    const bool carried = !made.empty();
    std::vector<SessionRecord> records;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      auto part = shards_.at(i).sessions->records(std::nullopt);
      records.insert(records.end(), part.begin(), part.end());
    }
    std::ranges::sort(records, {}, &SessionRecord::last_activity);
    for (const auto& record : records)
      if (!carried && !record.project_id.empty()) add(made[record.project_id], record);
    for (auto& [id, record] : made) {
      auto& home = *shards_.home(id).sessions;
      if (auto in = home.projects().restore(record, home.flags().choose(id, {}).sessions); !in)
        disagree("project " + id, in.error().detail);
    }
  }

  static void add(ProjectRecord& project, const SessionRecord& session) {
    project.id = session.project_id;
    project.sessions.push_back(session.id);
    if (session.focused) project.focused.push_back(session.id);
    constexpr std::string_view kName = "Terminal ";
    std::uint32_t number = 0;
    const std::string& name = session.tab_name;
    if (name.starts_with(kName)) {
      (void)std::from_chars(name.data() + kName.size(), name.data() + name.size(), number);
      project.name_counter = std::max(project.name_counter, number);
    }
  }

  Shards& shards_;
  RecoveryInput& input_;
  std::atomic<std::size_t> adopted_{0};
  std::atomic<std::size_t> ended_{0};
  std::mutex reporting_;
  RecoveryReport report_;
};

}  // namespace

RecoveryReport recover_sessions(Shards& shards, RecoveryInput input) {
  return Recovery(shards, input).run();
}

}  // namespace term::server
