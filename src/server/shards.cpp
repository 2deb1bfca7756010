#include "server/shards.h"

#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <csignal>
#include <cstdint>

#include "adapter/flags.h"

namespace term::server {

namespace {

/// As linux/sched/types.h has it (sched_setattr(2)), which cannot be included beside libc's
/// sched.h.
struct SchedAttr {
  std::uint32_t size = sizeof(SchedAttr);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;  ///< Nanoseconds; of SCHED_OTHER the slice.
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

/// Asks for the core often and for short: a shard that carries floods would else run for the
/// scheduler's 3 ms while the program that echoes a key, or its reader, waits for that core. Since
/// Linux 6.12; an older one ignores the figure or refuses it.
void ask_for_short_slices() {
  constexpr std::uint64_t kResetOnFork = 1;
  SchedAttr attributes;
  attributes.flags = kResetOnFork;
  attributes.nice = ::getpriority(PRIO_PROCESS, 0);
  attributes.runtime = 100'000;
  (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

Shards::Shards(unsigned count, const adapter::Sessions::Setup& setup) {
  for (unsigned i = 0; i < count; ++i) {
    auto shard = std::make_unique<Shard>();
    shard->index = i;
    adapter::Sessions::Setup own = setup;
    own.executor = shard->io.get_executor();
    shard->sessions = std::make_unique<adapter::Sessions>(std::move(own));
    shards_.push_back(std::move(shard));
  }
}

Shards::~Shards() { stop(); }

void Shards::start() {
  for (auto& shard : shards_) {
    work_.push_back(net::make_work_guard(shard->io));
    threads_.emplace_back([&io = shard->io] {
      // Signals are the main thread's.
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      ask_for_short_slices();
      for (;;) {
        try {
          io.run();
          return;
        } catch (const std::exception& e) {
          // A handler threw: that is a bug, but no reason to end everybody's shells.
          spdlog::error("shard.exception ERROR {}", e.what());
        }
      }
    });
  }
}

void Shards::stop() {
  for (auto& shard : shards_) shard->io.stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  work_.clear();
}

Shard& Shards::of(const SessionId& id) {
  return *shards_[adapter::stable_hash(id) % shards_.size()];
}

Shard& Shards::home(const ProjectId& project) {
  return *shards_[adapter::stable_hash(project) % shards_.size()];
}

}  // namespace term::server
