#include "store/writer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <random>
#include <thread>

#include "store/pending_file.h"

namespace term::store {

namespace {

using Steady = std::chrono::steady_clock;

constexpr Millis kFirstPause{100};
constexpr Millis kLongestPause{5000};
/// What comes one after the other goes in together.
constexpr Millis kGather{20};
constexpr std::size_t kBatchBytes = 16 * 1024 * 1024;
constexpr std::size_t kScrollbackWaits = 64 * 1024 * 1024;
/// Right after a hand-over the process before us still writes; who asks then waits so long for it.
constexpr std::chrono::seconds kPatience{5};
/// A database that takes longer over a batch is as good as none.
constexpr std::chrono::seconds kSlow{10};

/// The begin of this process's audit keys.
std::string random_prefix() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}-", device(), device());
}

}  // namespace

struct Writer::Impl {
  explicit Impl(Setup given)
      : setup(std::move(given)),
        audit_prefix(random_prefix()),
        files(setup.keep_in, setup.database) {
    state.reason = "not open yet";
    state.unavailable_since = setup.clock();
  }

  void run();
  /// A round: everything that waits now, then the questions. Called and returns with the lock.
  void round(std::unique_lock<std::mutex>& lock);
  Result<void> open();
  /// Nothing is to be written, and it was not to be had: is it now?
  Result<void> probe();
  /// Writes all of `work`; what is left when it fails stays in it.
  Result<void> write_all(Pending& work);
  void succeeded();
  void failed(const Error& why);
  void count(Pending& from);
  /// What an earlier process left comes before `work`, once nobody else has the database.
  void take_left(const Result<void>& opened, Pending& work);
  /// At the end: what could not be written.
  void keep();
  bool patient() const { return busy_until && Steady::now() < *busy_until && !stopping(); }
  bool stopping() const { return stop_at.has_value(); }
  bool out_of_time() const { return stop_at && Steady::now() >= *stop_at; }

  const Setup setup;
  const std::string audit_prefix;
  PendingFiles files;  ///< The thread's.
  bool left_taken = false;

  mutable std::mutex mutex;
  std::condition_variable wake;  ///< For the thread.
  std::condition_variable done;  ///< For who waits for it.
  Pending pending;
  std::vector<Work> asked;
  std::size_t flushing = 0;  ///< Callers in flush(): they do not wait for more to come.
  std::uint64_t round_number = 1;
  std::uint64_t written_round = 0;
  WriterStatus state;
  std::size_t in_flight_sessions = 0;
  std::size_t in_flight_bytes = 0;
  std::size_t in_flight_rows = 0;
  std::optional<Steady::time_point> batch_began;
  Steady::time_point retry_at{};
  std::optional<Steady::time_point> busy_until;  ///< Set while another process has the database.
  Millis pause = kFirstPause;
  std::optional<Steady::time_point> stop_at;
  std::uint64_t audited = 0;
  std::unique_ptr<Store> store;  ///< Set and reset by the thread, under the lock.
  bool finished = false;
  std::thread thread;
};

void Writer::Impl::run() {
  std::unique_lock lock(mutex);
  while (!out_of_time()) {
    if (pending.empty() && asked.empty() && (stopping() || state.available)) {
      if (stopping()) break;
      wake.wait(lock);
      continue;
    }
    if (!stopping() && Steady::now() < retry_at) {
      // Whoever asks now is told what is known.
      std::vector<Work> questions;
      if (!patient()) questions.swap(asked);
      for (const Work& work : questions) {
        const Error why{Errc::store_unavailable, state.reason};
        lock.unlock();
        work(why);
        lock.lock();
      }
      wake.wait_until(lock, retry_at);
      continue;
    }
    if (!stopping() && asked.empty() && flushing == 0 && !pending.empty())
      wake.wait_for(lock, kGather);
    round(lock);
    if (stopping() && !state.available && !out_of_time())
      wake.wait_until(lock, std::min(*stop_at, Steady::now() + kFirstPause));
  }
  if (!pending.empty()) keep();
  auto questions = std::exchange(asked, {});
  lock.unlock();
  for (const Work& work : questions) work(Error{Errc::store_unavailable, "the service stops"});
  lock.lock();
  auto closing = std::move(store);
  finished = true;
  done.notify_all();
  lock.unlock();
}

void Writer::Impl::round(std::unique_lock<std::mutex>& lock) {
  Pending work = std::exchange(pending, {});
  auto questions = std::exchange(asked, {});
  const std::uint64_t number = round_number++;
  in_flight_sessions = work.sessions();
  in_flight_bytes = work.bytes();
  in_flight_rows = work.rows();
  batch_began = Steady::now();
  lock.unlock();
  auto result = store ? Result<void>{} : open();
  if (!left_taken && files.enabled()) take_left(result, work);
  if (result && work.empty() && !state.available) result = probe();
  if (result) result = write_all(work);
  if (result) files.discard();
  lock.lock();
  in_flight_sessions = in_flight_bytes = in_flight_rows = 0;
  batch_began.reset();
  if (result) {
    succeeded();
    written_round = number;
  } else {
    work.add(std::exchange(pending, {}));
    pending = std::move(work);
    failed(result.error());
  }
  if (result || result.error().code != Errc::busy)
    busy_until.reset();
  else if (!busy_until)
    busy_until = Steady::now() + kPatience;
  if (!result && patient()) {
    questions.insert(questions.end(), std::make_move_iterator(asked.begin()),
                     std::make_move_iterator(asked.end()));
    asked = std::exchange(questions, {});
  }
  count(pending);
  lock.unlock();
  for (const Work& question : questions) {
    if (result)
      question(store.get());
    else
      question(result.error());
  }
  lock.lock();
  done.notify_all();
}

void Writer::Impl::take_left(const Result<void>& opened, Pending& work) {
  if (!opened && opened.error().code == Errc::busy) return;
  left_taken = true;
  Pending all = files.load();
  all.add(std::move(work));
  work = std::move(all);
}

void Writer::Impl::keep() {
  const std::size_t rows = pending.sessions() + pending.rows();
  const auto file = files.enabled()
                        ? files.save(std::exchange(pending, {}), setup.clock())
                        : Result<std::filesystem::path>(Error{Errc::os_error, "nowhere to keep"});
  if (file) {
    state.kept += rows;
    files.discard();
    spdlog::warn("store.stop rows={} file={} why=\"{}\"", rows, file->string(), state.reason);
    return;
  }
  state.lost += rows;
  spdlog::error("store.stop ERROR {} rows are not written: {}; and not kept: {}", rows,
                state.reason, file.error().detail);
}

Result<void> Writer::Impl::open() {
  auto opened = setup.open();
  if (!opened) return opened.error();
  const std::lock_guard lock(mutex);
  store = std::move(*opened);
  state.store = store->name();
  return {};
}

Result<void> Writer::Impl::probe() {
  if (auto version = store->version(); !version) return version.error();
  return {};
}

Result<void> Writer::Impl::write_all(Pending& work) {
  while (!work.empty()) {
    if (const std::lock_guard lock(mutex); out_of_time())
      return Error{Errc::store_unavailable, "no time left"};
    Batch batch = work.take(setup.batch_rows, kBatchBytes);
    const std::uint64_t rows = batch.sessions.size() + batch.ended.size() + batch.projects.size() +
                               batch.ended_projects.size() + batch.settings.size() +
                               batch.flips.size() + batch.audit.size() + batch.commands.size();
    const auto began = Steady::now();
    auto written = store->write(batch);
    const std::lock_guard lock(mutex);
    if (!written) {
      ++state.failed_batches;
      Pending all = Pending::of(std::move(batch));
      all.add(std::move(work));
      work = std::move(all);
      return written;
    }
    ++state.batches;
    state.written += rows;
    state.last_write = std::chrono::duration_cast<Millis>(Steady::now() - began);
    state.last_written_at = setup.clock();
    in_flight_sessions = work.sessions();
    in_flight_bytes = work.bytes();
    in_flight_rows = work.rows();
    batch_began = Steady::now();
  }
  return {};
}

void Writer::Impl::succeeded() {
  if (!state.available)
    spdlog::info("store.available store={} written={}", state.store, state.written);
  state.available = true;
  state.reason.clear();
  state.unavailable_since.reset();
  pause = kFirstPause;
  retry_at = {};
}

void Writer::Impl::failed(const Error& why) {
  // Said once, not with each attempt.
  if (why.code == Errc::busy)
    spdlog::debug("store.waiting reason=\"{}\"", why.detail);
  else if (state.available || state.reason != why.detail)
    spdlog::error("store.unavailable ERROR {}; {} rows wait", why.detail,
                  pending.sessions() + pending.rows());
  if (state.available || !state.unavailable_since) state.unavailable_since = setup.clock();
  state.available = false;
  state.reason = why.detail;
  retry_at = Steady::now() + pause;
  // Whoever is busy with it is done soon.
  if (why.code != Errc::busy) pause = std::min(2 * pause, kLongestPause);
}

void Writer::Impl::count(Pending& from) {
  const auto counts = from.take_counts();
  state.superseded += counts.superseded;
  state.dropped += counts.dropped;
  state.lost += counts.lost;
}

Writer::Writer(Setup setup) : impl_(std::make_shared<Impl>(std::move(setup))) {
  impl_->thread = std::thread([impl = impl_] { impl->run(); });
}

Writer::~Writer() { stop(Millis{0}); }

bool Writer::wants_scrollback() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->pending.bytes() + impl_->in_flight_bytes < kScrollbackWaits;
}

namespace {
/// The thread is woken for the first thing only; for more it looks by itself.
template <class I, class F>
void leave(I& impl, const F& put) {
  const std::lock_guard lock(impl.mutex);
  const bool first = impl.pending.empty();
  put(impl.pending);
  impl.count(impl.pending);
  if (first) impl.wake.notify_all();
}
}  // namespace

void Writer::put(StoredSession session, bool both_tables) {
  leave(*impl_, [&](Pending& p) { p.put(std::move(session), both_tables); });
}
void Writer::ended(SessionId id) {
  leave(*impl_, [&](Pending& p) { p.ended(id); });
}
void Writer::put(ProjectRecord project) {
  leave(*impl_, [&](Pending& p) { p.put(std::move(project)); });
}
void Writer::ended_project(ProjectId id) {
  leave(*impl_, [&](Pending& p) { p.ended_project(id); });
}
void Writer::setting(std::string key, std::string json) {
  leave(*impl_, [&](Pending& p) { p.setting(std::move(key), std::move(json)); });
}
void Writer::flip(FlipRow row) {
  leave(*impl_, [&](Pending& p) { p.flip(std::move(row)); });
}
void Writer::audit(AuditRow row) {
  leave(*impl_, [&](Pending& p) {
    if (row.key.empty()) row.key = impl_->audit_prefix + std::to_string(impl_->audited++);
    p.audit(std::move(row));
  });
}
void Writer::command(CommandRow row) {
  leave(*impl_, [&](Pending& p) { p.command(std::move(row)); });
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
  const std::uint64_t number =
      impl_->pending.empty() ? impl_->round_number - 1 : impl_->round_number;
  ++impl_->flushing;
  impl_->wake.notify_all();
  const bool written = impl_->done.wait_until(lock, until, [&] {
    const bool nothing = impl_->pending.empty() && !impl_->batch_began;
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
         next = Steady::now() + kFirstPause)
      if (impl_->store) impl_->store->interrupt();
  }
  impl_->thread.join();
}

WriterStatus Writer::status() const {
  const std::lock_guard lock(impl_->mutex);
  WriterStatus status = impl_->state;
  status.waiting_sessions = impl_->pending.sessions() + impl_->in_flight_sessions;
  status.waiting_bytes = impl_->pending.bytes() + impl_->in_flight_bytes;
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
