// The service and its store: what an earlier process left, what this one leaves (STATE.md 3).

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

void join(Shard& home, ProjectRecord record) {
  const Engine engine = home.sessions->flags().choose(record.id, {}).sessions;
  if (auto joined = home.sessions->projects().join(std::move(record), engine); !joined)
    spdlog::error("service.project ERROR {}", joined.error().detail);
}

}  // namespace

void Service::restore_stored(bool handed_over) {
  const std::string arena = keeper_ ? keeper_->service_books() : std::string();
  flags_restored_ = !arena.empty();
  const auto write = [this] {
    const std::string books = join_service_books(to_text(flips_.flags()), admission_.text());
    if (keeper_) keeper_->write_service_books(books);
    if (persistence_) persistence_->flags(books);
  };
  flips_.on_change([write](const std::string&) { write(); });
  admission_.on_change([this, write] {
    write();
    monitor_->admission_changed();
  });
  if (!persistence_) return restore_books(arena);
  commands_.forward_to(
      [this](store::CommandRow row) { persistence_->writer().command(std::move(row)); });
  flips_.on_journal([this](const adapter::FlipEntry& entry) { persistence_->flip(entry); });
  // In a hand-over the process before us still has the store, and everybody waits.
  auto left = handed_over ? std::nullopt : persistence_->load(kLoadLimit);
  stored_known_ = left.has_value();
  restore_books(flags_restored_ || !left ? arena : left->flags);
  if (flags_restored_) persistence_->flags(arena);  // It was written first, so it is the newer one.
  if (!left) {
    if (!handed_over)
      spdlog::error("service.store ERROR not to be had at the start: {}; going on without",
                    persistence_->status().reason);
    return;
  }
  flips_.restore_journal(std::move(left->flips));
  for (ProjectRecord& record : left->projects) {
    Shard& home = shards_.home(record.id);
    join(home, std::move(record));
  }
}

void Service::restore_books(const std::string& books) {
  flips_.restore(books);
  admission_.restore(admission_share(books));
}

void Service::ask_store_again() {
  if (!persistence_ || stored_known_ || asking_ || !persistence_->status().available) return;
  asking_ = true;
  persistence_->load_later([this](std::optional<LeftBehind> left) {
    net::post(shards_.first(),
              [this, late = std::move(left)]() mutable { restore_late(std::move(late)); });
  });
}

void Service::restore_late(std::optional<LeftBehind> left) {
  asking_ = false;
  if (!left || std::exchange(stored_known_, true)) return;
  flips_.restore_journal(std::move(left->flips));
  if (!flags_restored_ && !left->flags.empty())
    spawn_logged(shards_.first().get_executor(), "flags", flips_.adopt(std::move(left->flags)));
  join_projects(std::move(left->projects));
}

void Service::join_projects(std::vector<ProjectRecord> stored) {
  for (ProjectRecord& record : stored) {
    Shard& home = shards_.home(record.id);
    net::post(home.io, [&home, one = std::move(record)]() mutable { join(home, std::move(one)); });
  }
}

void Service::audit_calls() {
  if (!persistence_) return;
  operator_.on_call([this](const HttpServer::Call& call) {
    persistence_->audit("operator", call.peer, call.method + " " + call.path,
                        audit_detail(call.path, call.body), std::to_string(call.status));
  });
}

void Service::store_all() {
  if (!persistence_) return;
  const auto store = [](Shard& shard) {
    shard.sessions->store_all();
    // Shells that end with us were not closed by anybody: their rows stay, to be restored.
    shard.sessions->stop_storing();
    return std::size_t{0};
  };
  (void)wait_until_none(store);
}

}  // namespace term::server
