#pragma once
// What the writer's thread and its callers share.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "store/packer.h"
#include "store/pending_file.h"
#include "store/writer.h"

namespace term::store {

/// Everything from `mutex` on is used with it.
struct Writer::Impl {
  using Steady = std::chrono::steady_clock;
  /// After a failure, doubling to 5 s.
  static constexpr Millis kFirstPause{100};

  explicit Impl(Setup given);

  void run();
  /// With the lock. The thread is woken for the first thing only; for more it looks by itself.
  template <class F>
  void add(const F& put) {
    const bool first = pending.empty();
    put(pending);
    count(pending);
    if (first) wake.notify_all();
  }
  template <class F>
  void leave(const F& put) {
    const std::lock_guard lock(mutex);
    add(put);
  }
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
  void set_in_flight(const Pending& work);
  bool waits() const { return !pending.empty() || packer.sessions() > 0; }
  /// Something is to be written now. Scrollback that is not packed yet, only if someone waits.
  bool due() const { return stopping() || flushing > 0 ? waits() : !pending.empty(); }
  std::size_t bytes() const { return pending.bytes() + in_flight_bytes + packer.bytes(); }
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
  Packer packer;  ///< Last: its thread gives to what is above.
};

}  // namespace term::store
