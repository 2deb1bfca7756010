#include "legacy/memory_pool.h"

#include <algorithm>

namespace term::legacy {

namespace {
/// Nothing of a session stays readable in the object of the next; only capacity is kept.
void wipe(PooledSession& session) {
  session.id.clear();
  session.shell.clear();
  session.args.clear();
  session.current_path.clear();
  session.environment.clear();
  session.window = {};
  session.layout_position.reset();
  session.metadata.clear();
}
}  // namespace

MemoryPool::MemoryPool(EventBus& bus) {
  bus.session_created.subscribe(
      [this](const SessionCreated& event) { allocate_session(event.record); });
  bus.session_closed.subscribe(
      [this](const SessionClosed& event) { deallocate_session(event.id); });
}

std::unique_ptr<PooledSession> MemoryPool::take() {
  ++allocations_;
  if (recycled_.empty()) return std::make_unique<PooledSession>();
  ++pool_hits_;
  auto session = std::move(recycled_.back());
  recycled_.pop_back();
  return session;
}

PooledSession& MemoryPool::allocate_session(const SessionRecord& record) {
  std::unique_ptr<PooledSession>& slot = allocated_[record.id];
  if (!slot) slot = take();
  slot->id = record.id;
  slot->shell = record.shell;
  slot->args = record.args;
  slot->current_path = record.current_path;
  slot->environment = record.environment;
  slot->window = record.window;
  slot->layout_position = record.layout_position;
  slot->metadata = record.metadata;
  return *slot;
}

void MemoryPool::deallocate_session(const SessionId& id) {
  const auto it = allocated_.find(id);
  if (it == allocated_.end()) return;
  std::unique_ptr<PooledSession> session = std::move(it->second);
  allocated_.erase(it);
  ++deallocations_;
  if (recycled_.size() >= kMaxRecycled) return;
  wipe(*session);
  recycled_.push_back(std::move(session));
}

PooledSession* MemoryPool::get_session(const SessionId& id) {
  const auto it = allocated_.find(id);
  return it == allocated_.end() ? nullptr : it->second.get();
}

PoolStats MemoryPool::stats() const {
  return {.active_sessions = allocated_.size(),
          .recycled_available = recycled_.size(),
          .allocations = allocations_,
          .deallocations = deallocations_,
          .pool_hits = pool_hits_,
          .pool_misses = allocations_ - pool_hits_};
}

void MemoryPool::describe(const SessionId& id, SessionRecord& record) const {
  const auto it = allocated_.find(id);
  if (it == allocated_.end()) return;
  const PooledSession& session = *it->second;
  record.shell = session.shell;
  record.args = session.args;
  record.current_path = session.current_path;
  record.environment = session.environment;
  record.window = session.window;
  record.layout_position = session.layout_position;
  record.metadata = session.metadata;
}

ModuleHealth MemoryPool::health(std::span<const SessionStatus> memory) const {
  const auto unhealthy = [](std::string why) {
    return ModuleHealth{.module = "memory_pool", .healthy = false, .detail = std::move(why)};
  };
  for (const auto& [id, session] : allocated_) {
    if (session->id != id) {
      return unhealthy("the object of session " + id + " is marked as that of " + session->id);
    }
  }
  if (!std::ranges::all_of(recycled_, [](const auto& session) { return session->id.empty(); })) {
    return unhealthy("a recycled object still belongs to a session");
  }
  for (const auto& [id, status] : memory) {
    if (!allocated_.contains(id)) return unhealthy("session " + id + " has no object");
  }
  if (allocated_.size() != memory.size()) {
    return unhealthy(std::to_string(allocated_.size()) + " objects for " +
                     std::to_string(memory.size()) + " sessions");
  }
  return {.module = "memory_pool",
          .detail = std::to_string(allocated_.size()) + " objects, each of one session; " +
                    std::to_string(recycled_.size()) + " recycled"};
}

}  // namespace term::legacy
