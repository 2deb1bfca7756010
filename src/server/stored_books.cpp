#include "server/stored_books.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "server/flags_text.h"
#include "server/monitor.h"
#include "server/service.h"
#include "server/service_books.h"

namespace term::server {

namespace {
/// A database that is not there must not keep terminals away.
constexpr Millis kLoadLimit{3000};
}  // namespace

void StoredBooks::restore(bool handed_over) {
  Persistence* const persistence = service_.persistence();
  const std::string arena =
      service_.keeper() != nullptr ? service_.keeper()->service_books() : std::string();
  from_arena_ = !arena.empty();
  service_.flips().on_change([this](const std::string&) { write(); });
  service_.admission().on_change([this] {
    write();
    service_.monitor().admission_changed();
  });
  if (persistence == nullptr) return put_back(arena);
  service_.commands().forward_to(
      [persistence](store::CommandRow row) { persistence->writer().command(std::move(row)); });
  service_.flips().on_journal(
      [persistence](const adapter::FlipEntry& entry) { persistence->flip(entry); });
  auto left = handed_over ? std::nullopt : persistence->load(kLoadLimit);
  stored_known_ = left.has_value();
  put_back(from_arena_ || !left ? arena : left->flags);
  if (from_arena_) persistence->flags(arena);  // It was written first, so it is the newer one.
  if (!left) {
    if (!handed_over)
      spdlog::error("service.store ERROR not to be had at the start: {}; going on without",
                    persistence->status().reason);
    return;
  }
  service_.flips().restore_journal(std::move(left->flips));
  for (std::size_t i = 0; i < service_.shards().size(); ++i)
    join_on(service_.shards().at(i), left->projects);
}

std::string StoredBooks::text() const {
  return join_service_books(to_text(service_.flips().flags()), service_.admission().text());
}

void StoredBooks::write() {
  const std::string books = text();
  if (Keeper* keeper = service_.keeper()) keeper->write_service_books(books);
  held_back_ = !stored_known_ && !from_arena_;
  if (service_.persistence() != nullptr && !held_back_) service_.persistence()->flags(books);
}

void StoredBooks::put_back(const std::string& books) {
  service_.flips().restore(books);
  service_.admission().restore(admission_share(books));
}

/// Those of `records` whose home it is.
void StoredBooks::join_on(Shard& home, const std::vector<ProjectRecord>& records) {
  for (const ProjectRecord& record : records) {
    if (&service_.shards().home(record.id) != &home) continue;
    const Engine engine = home.sessions->flags().choose(record.id, {}).sessions;
    if (auto joined = home.sessions->projects().join(record, engine); !joined)
      spdlog::error("service.project ERROR {}", joined.error().detail);
  }
}

net::awaitable<void> StoredBooks::join(std::vector<ProjectRecord> restored) {
  const auto records = std::make_shared<const std::vector<ProjectRecord>>(std::move(restored));
  auto here = [this, records](Shard& home) {
    join_on(home, *records);
    return true;
  };
  co_await service_.shards().gather(std::move(here));
}

void StoredBooks::ask_again() {
  Persistence* const persistence = service_.persistence();
  if (persistence == nullptr || stored_known_ || asking_ || !persistence->status().available)
    return;
  asking_ = true;
  persistence->load_later([this](std::optional<LeftBehind> left) {
    auto shared = left ? std::make_shared<const LeftBehind>(std::move(*left)) : nullptr;
    net::post(service_.shards().first(), [this, late = std::move(shared)]() {
      spawn_logged(service_.shards().first().get_executor(), "stored", restore_late(late));
    });
  });
}

net::awaitable<void> StoredBooks::restore_late(std::shared_ptr<const LeftBehind> left) {
  if (left == nullptr) {
    asking_ = false;
    co_return;
  }
  service_.flips().restore_journal(left->flips);
  if (!from_arena_ && !left->flags.empty()) {
    co_await service_.admission().adopt(admission_share(left->flags));
    co_await service_.flips().adopt(left->flags);
  }
  co_await join(left->projects);
  // Both at once: one of them alone would have replaced the other in the store.
  stored_known_ = true;
  if (held_back_) write();
}

void StoredBooks::stop() {
  if (held_back_) service_.persistence()->flags(text());
}

}  // namespace term::server
