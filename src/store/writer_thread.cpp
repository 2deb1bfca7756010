#include "store/writer_thread.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <random>

namespace term::store {

namespace {

constexpr Millis kLongestPause{5000};
/// What comes one after the other goes in together.
constexpr Millis kGather{20};
constexpr std::size_t kBatchBytes = 16 * 1024 * 1024;
/// Right after a hand-over the process before us still writes; who asks then waits so long for it.
constexpr std::chrono::seconds kPatience{5};

/// The begin of this process's audit keys.
std::string random_prefix() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}-", device(), device());
}

}  // namespace

Writer::Impl::Impl(Setup given)
    : setup(std::move(given)),
      audit_prefix(random_prefix()),
      files(setup.keep_in, setup.database),
      packer(mutex, setup.pack, [this](Batch::Session session) {
        add([&](Pending& p) { p.put(std::move(session)); });
      }) {
  state.reason = "not open yet";
  state.unavailable_since = setup.clock();
}

void Writer::Impl::run() {
  std::unique_lock lock(mutex);
  while (!out_of_time()) {
    if (!due() && asked.empty() && (stopping() || state.available)) {
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
  packer.hand_out(lock);
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
  const std::uint64_t number = round_number++;
  auto questions = std::exchange(asked, {});
  // They are answered from everything that was put before them.
  if (!questions.empty() || flushing > 0 || stopping()) packer.hand_out(lock);
  Pending work = std::exchange(pending, {});
  set_in_flight(work);
  batch_began = Steady::now();
  lock.unlock();
  auto result = store ? Result<void>{} : open();
  if (!left_taken && files.enabled()) take_left(result, work);
  if (result && work.empty() && !state.available) result = probe();
  if (result) result = write_all(work);
  if (result) files.discard();
  lock.lock();
  set_in_flight({});
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
    set_in_flight(work);
    batch_began = Steady::now();
  }
  return {};
}

void Writer::Impl::set_in_flight(const Pending& work) {
  in_flight_sessions = work.sessions();
  in_flight_bytes = work.bytes();
  in_flight_rows = work.rows();
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

}  // namespace term::store
