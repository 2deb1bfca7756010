// A restore: the document into a spool and checked, then batch by batch into the store.

#include <spdlog/spdlog.h>

#include <utility>

#include "server/archive.h"
#include "server/ask_store.h"
#include "server/cold_sessions.h"
#include "server/service.h"

namespace term::server {

namespace {

/// Set while it lives, which may be longer than the archive.
struct Held {
  std::shared_ptr<bool> flag;
  explicit Held(std::shared_ptr<bool> f) : flag(std::move(f)) { *flag = true; }
  ~Held() { *flag = false; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
};

using Feeding = std::shared_ptr<Underway<Result<void>>>;

/// How it went, if anything was under way.
net::awaitable<Result<void>> ended(Feeding& feeding) {
  const Feeding last = std::exchange(feeding, nullptr);
  if (!last) co_return Result<void>{};
  co_return co_await last->result();
}

using Ends = std::map<SessionId, Offset>;

/// Where the output of those of `ids` ends that are live on this shard.
Ends ends_on(Shard& shard, const std::vector<SessionId>& ids) {
  Ends ends;
  for (const auto& id : ids)
    if (const auto session = shard.sessions->find(id); session && shard.sessions->registered(id))
      ends[id] = session->ring().next();
  return ends;
}

}  // namespace

net::awaitable<Result<std::shared_ptr<store::CheckedDocument>>> Archive::check(
    std::shared_ptr<Pieces> pieces) {
  auto spool = store::Spool::open(service_.config().state_dir);
  if (!spool) co_return spool.error();
  const auto reader = std::make_shared<store::DocumentReader>(std::move(*spool));
  const auto executor = co_await net::this_coro::executor;
  Feeding feeding;
  for (;;) {
    // What is here is read meanwhile; what is not may never come, and a refusal must not wait.
    Result<void> fed;
    if (!pieces->ready()) fed = co_await ended(feeding);
    if (!fed) co_return fed.error();
    auto piece = co_await pieces->next();
    fed = co_await ended(feeding);
    if (!fed) co_return fed.error();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    auto feed = [reader, bytes = std::move(*piece)] { return reader->feed(bytes); };
    feeding = begin_apart(executor, std::move(feed));
  }
  auto finish = [reader] { return reader->finish(); };
  auto checked = co_await apart(std::move(finish));
  if (!checked) co_return checked.error();
  co_return std::make_shared<store::CheckedDocument>(std::move(*checked));
}

net::awaitable<store::RestoreReport> Archive::restore_sessions(
    std::shared_ptr<store::CheckedDocument> document, std::size_t first, std::size_t end,
    std::optional<Engine> engine) {
  auto batch = std::make_shared<store::RestoreBatch>();
  auto parse = [document, batch, first, end]() -> Result<void> {
    for (std::size_t i = first; i < end; ++i) {
      auto session = document->session(i);
      if (!session) return session.error();
      batch->sessions.push_back(std::move(*session));
    }
    return {};
  };
  const auto parsed = co_await apart(std::move(parse));
  std::vector<SessionId> ids;
  for (const auto& session : batch->sessions) ids.push_back(session.snapshot.session.id);
  if (!parsed) co_return store::all_failed({""}, parsed.error().detail);
  for (const auto& [snapshot, scrollback, trimmed] : batch->sessions)
    batch->owners.push_back(
        engine ? adapter::all(*engine)
               : service_.flips().flags().choose(snapshot.session.project_id, snapshot.session.id));
  auto ends = [ids](Shard& shard) { return ends_on(shard, ids); };
  for (auto& part : co_await service_.shards().gather(std::move(ends))) batch->live.merge(part);
  auto write = [batch](store::Store& store) -> Result<store::RestoreReport> {
    return store::restore_batch(store, std::move(*batch));
  };
  auto report = co_await ask_store(*service_.writer(), std::move(write));
  if (!report) co_return store::all_failed(ids, report.error().detail);
  std::vector<SessionId> cold;
  for (const auto& [id, result] : report->each)
    if (result == "restored" || result == "skipped") cold.push_back(id);
  service_.cold()->add(cold);
  co_return std::move(*report);
}

net::awaitable<Result<store::RestoreReport>> Archive::restore(std::shared_ptr<Pieces> document,
                                                              std::optional<Engine> engine) {
  if (service_.writer() == nullptr)
    co_return Error{Errc::store_unavailable,
                    "there is no store to restore into; set TERMINAL_STATE_DIR"};
  if (*restoring_) co_return Error{Errc::busy, "another restore is running", Millis(10'000)};
  const Held held(restoring_);
  const auto checked = co_await check(std::move(document));
  if (!checked) co_return checked.error();
  store::RestoreReport report;
  auto projects = [&document = **checked](store::Store& store) {
    return store::restore_projects(store, document);
  };
  auto put = co_await ask_store(*service_.writer(), std::move(projects));
  if (!put) co_return put.error();
  co_await service_.books().join(std::move(*put));
  for (std::size_t first = 0; first < (*checked)->sessions.size();) {
    const std::size_t end = store::batch_end(**checked, first);
    report.add(co_await restore_sessions(*checked, first, end, engine));
    first = end;
  }
  spdlog::info("state.restored restored={} adopted={} skipped={} failed={} bytes={}",
               report.restored, report.adopted, report.skipped, report.failed.size(),
               (*checked)->bytes);
  co_return report;
}

}  // namespace term::server
