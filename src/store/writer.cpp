#include "store/writer.h"

#include <condition_variable>
#include <mutex>

#include "store/writer_thread.h"

namespace term::store {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kScrollbackWaits = 64 * 1024 * 1024;
/// A database that takes longer over a batch is as good as none.
constexpr std::chrono::seconds kSlow{10};

}  // namespace

Writer::Writer(Setup setup) : impl_(std::make_shared<Impl>(std::move(setup))) {
  impl_->thread = std::thread([impl = impl_] { impl->run(); });
}

Writer::~Writer() { stop(Millis{0}); }

bool Writer::wants_scrollback() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->bytes() < kScrollbackWaits;
}

void Writer::put(StoredSession session, bool both_tables) {
  Batch::Session made{std::move(session), both_tables};
  const std::lock_guard lock(impl_->mutex);
  if (made.has_data()) {
    if (impl_->packer.put(std::move(made))) ++impl_->state.superseded;
    return;
  }
  impl_->packer.newer(made);
  impl_->add([&](Pending& p) { p.put(std::move(made)); });
}
void Writer::ended(SessionId id) {
  impl_->leave([&](Pending& p) {
    if (impl_->packer.ended(id)) ++impl_->state.superseded;
    p.ended(id);
  });
}
void Writer::put(ProjectRecord project) {
  impl_->leave([&](Pending& p) { p.put(std::move(project)); });
}
void Writer::ended_project(ProjectId id) {
  impl_->leave([&](Pending& p) { p.ended_project(id); });
}
void Writer::setting(std::string key, std::string json) {
  impl_->leave([&](Pending& p) { p.setting(std::move(key), std::move(json)); });
}
void Writer::flip(FlipRow row) {
  impl_->leave([&](Pending& p) { p.flip(std::move(row)); });
}
void Writer::audit(AuditRow row) {
  impl_->leave([&](Pending& p) {
    if (row.key.empty()) row.key = impl_->audit_prefix + std::to_string(impl_->audited++);
    p.audit(std::move(row));
  });
}
void Writer::command(CommandRow row) {
  impl_->leave([&](Pending& p) { p.command(std::move(row)); });
}

void Writer::ask(Work work) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->finished) {
      impl_->asked.push_back(std::move(work));
      impl_->wake.notify_all();
      return;
    }
  }
  work(Error{Errc::store_unavailable, "the service stops"});
}

bool Writer::flush(Millis limit) {
  std::unique_lock lock(impl_->mutex);
  const auto until = Steady::now() + limit;
  const std::uint64_t number = impl_->waits() ? impl_->round_number : impl_->round_number - 1;
  ++impl_->flushing;
  impl_->wake.notify_all();
  const bool written = impl_->done.wait_until(lock, until, [&] {
    const bool nothing = !impl_->waits() && !impl_->batch_began;
    return impl_->written_round >= number || nothing || impl_->finished;
  });
  --impl_->flushing;
  return written && !(impl_->finished && impl_->state.lost + impl_->state.kept > 0);
}

void Writer::stop(Millis limit) {
  {
    std::unique_lock lock(impl_->mutex);
    if (!impl_->thread.joinable()) return;
    const auto until = Steady::now() + limit;
    impl_->stop_at = until;
    impl_->wake.notify_all();
    // Again and again: it may just be between two statements.
    for (auto next = until; !impl_->done.wait_until(lock, next, [&] { return impl_->finished; });
         next = Steady::now() + Impl::kFirstPause)
      if (impl_->store) impl_->store->interrupt();
  }
  impl_->thread.join();
}

WriterStatus Writer::status() const {
  const std::lock_guard lock(impl_->mutex);
  WriterStatus status = impl_->state;
  status.waiting_sessions =
      impl_->pending.sessions() + impl_->in_flight_sessions + impl_->packer.sessions();
  status.waiting_bytes = impl_->bytes();
  status.waiting_rows = impl_->pending.rows() + impl_->in_flight_rows;
  if (status.available && impl_->batch_began && Steady::now() - *impl_->batch_began > kSlow) {
    status.available = false;
    status.reason =
        status.store + " has not answered for more than " + std::to_string(kSlow.count()) + " s";
    status.unavailable_since = impl_->setup.clock() - kSlow;
  }
  return status;
}

}  // namespace term::store
