#include "server/shards.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <csignal>

#include "adapter/flags.h"

namespace term::server {

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
