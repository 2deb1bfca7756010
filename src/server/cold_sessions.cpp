#include "server/cold_sessions.h"

#include <spdlog/spdlog.h>

#include <boost/asio/steady_timer.hpp>

#include "server/ask_store.h"
#include "session/signal.h"
#include "store/restore.h"

namespace term::server {

namespace {

constexpr auto kTryAgain = std::chrono::seconds(2);

Result<std::vector<SessionId>> stored_ids(store::Store& store) {
  constexpr std::size_t kPage = 500;
  std::vector<SessionId> ids;
  for (const auto table : {store::Table::legacy, store::Table::refactored}) {
    SessionId after;
    for (bool more = true; more;) {
      auto rows = store.sessions(table, after, kPage, /*scrollback=*/false);
      if (!rows) return rows.error();
      more = rows->size() == kPage;
      for (const auto& row : *rows) {
        after = row.snapshot.session.id;
        if (row.snapshot.session.status != SessionState::closed) ids.push_back(after);
      }
    }
  }
  return ids;
}

}  // namespace

net::awaitable<void> ColdSessions::load(std::vector<SessionId> live) {
  net::steady_timer pause(co_await net::this_coro::executor);
  for (;;) {
    const auto ids = co_await ask_store(writer_, stored_ids);
    if (ids) {
      const std::lock_guard lock(mutex_);
      gone_.insert(live.begin(), live.end());
      for (const auto& id : *ids)
        if (!gone_.contains(id)) ids_.insert(id);
      gone_.clear();
      loaded_ = true;
      spdlog::info("cold.loaded sessions={}", ids_.size());
      co_return;
    }
    spdlog::warn("cold.load why=\"{}\"", ids.error().detail);
    pause.expires_after(kTryAgain);
    co_await pause.async_wait(kNoThrow);
  }
}

bool ColdSessions::has(const SessionId& id) const {
  const std::lock_guard lock(mutex_);
  return ids_.contains(id);
}

std::size_t ColdSessions::size() const {
  const std::lock_guard lock(mutex_);
  return ids_.size();
}

net::awaitable<Result<std::optional<SessionSnapshot>>> ColdSessions::fetch(SessionId id) {
  auto find = [id](store::Store& store) { return store::find_stored(store, id); };
  auto stored = co_await ask_store(writer_, std::move(find));
  if (!stored) co_return stored.error();
  std::optional<SessionSnapshot> snapshot;
  if (*stored && (*stored)->snapshot.session.status != SessionState::closed)
    snapshot = std::move((*stored)->snapshot);
  if (!snapshot) opened(id);
  co_return snapshot;
}

void ColdSessions::opened(const SessionId& id) {
  const std::lock_guard lock(mutex_);
  ids_.erase(id);
  if (!loaded_) gone_.insert(id);
}

void ColdSessions::add(const std::vector<SessionId>& ids) {
  const std::lock_guard lock(mutex_);
  ids_.insert(ids.begin(), ids.end());
}

bool ColdSessions::end(const SessionId& id) {
  {
    const std::lock_guard lock(mutex_);
    if (ids_.erase(id) == 0) return false;
    if (!loaded_) gone_.insert(id);
  }
  writer_.ended(id);
  return true;
}

}  // namespace term::server
