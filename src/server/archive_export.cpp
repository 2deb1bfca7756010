// An export: the live sessions one by one, then what is stored, as fast as the receiver takes it.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>

#include "server/archive.h"
#include "server/ask_store.h"
#include "server/service.h"

namespace term::server {

namespace {

constexpr std::size_t kStoredPage = 8;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "unknown";
}

/// Its ids on this shard.
std::vector<SessionId> live_ids(Shard& shard, const ExportFilter& filter) {
  std::vector<SessionId> ids;
  for (const auto& session : shard.sessions->live()) {
    if (filter.project && session->project() != *filter.project) continue;
    if (filter.session && session->id() != *filter.session) continue;
    ids.push_back(session->id());
  }
  return ids;
}

std::optional<SessionSnapshot> snapshot_on(Shard& shard, const SessionId& id) {
  const auto session = shard.sessions->find(id);
  if (!session || !shard.sessions->registered(id)) return std::nullopt;  // It ended meanwhile.
  auto snapshot = session->snapshot(/*with_data=*/true);
  return snapshot ? std::optional(std::move(*snapshot)) : std::nullopt;
}

/// A document takes the newest of a very large ring.
void trim(StreamRecord& stream) {
  if (!stream.data || stream.data->size() <= store::kMaxDocumentScrollback) return;
  stream.data->erase(0, stream.data->size() - store::kMaxDocumentScrollback);
  stream.first_offset = stream.next_offset - stream.data->size();
}

struct StoredPage {
  std::vector<store::StoredSession> rows;
  store::StoredCursor cursor;
};

class ExportPieces final : public Pieces {
 public:
  ExportPieces(Archive& archive, Service& service, ExportFilter filter,
               const store::DocumentHead& head)
      : archive_(archive),
        service_(service),
        filter_(std::move(filter)),
        writer_(std::make_shared<store::DocumentWriter>(head)) {}

  /// What there is, before anything is sent. Errors: those of Archive::export_state.
  net::awaitable<Result<void>> prepare() {
    auto ids = [filter = filter_](Shard& shard) { return live_ids(shard, filter); };
    for (auto& part : co_await service_.shards().gather(std::move(ids)))
      live_.insert(live_.end(), part.begin(), part.end());
    std::ranges::sort(live_);
    known_.insert(live_.begin(), live_.end());
    if (auto projects = co_await find_projects(); !projects) co_return projects;
    cursor_.over = filter_.live_only || service_.writer() == nullptr;
    if (!cursor_.over) {  // Now it can still be said; later the document could only break off.
      const auto first = co_await next_page();
      if (!first) co_return first.error();
    }
    if (filter_.session && live_.empty() && stored_.empty() && cursor_.over)
      co_return no_such_session(*filter_.session);
    co_return Result<void>{};
  }

  /// While a piece is on its way the next one is made.
  net::awaitable<Result<std::string>> next() override {
    if (!std::exchange(begun_, true)) co_return head();
    if (!made_) made_ = co_await make();
    if (!*made_) co_return made_->error();
    const auto piece = **made_;
    if (!piece) co_return std::string{};
    made_ = co_await make();
    co_return co_await piece->result();
  }

 private:
  using Making = std::shared_ptr<Underway<Result<std::string>>>;

  /// Begins the next piece; nothing after the end. Errors: those of the store.
  net::awaitable<Result<Making>> make() {
    const auto executor = co_await net::this_coro::executor;
    for (;;) {
      std::optional<SessionSnapshot> snapshot;
      if (at_ < live_.size()) {
        const SessionId id = live_[at_++];
        auto get = [id](Shard& shard) { return snapshot_on(shard, id); };
        snapshot = co_await service_.shards().on(service_.shards().of(id), std::move(get));
      } else if (!stored_.empty()) {
        snapshot = std::move(stored_.front());
        stored_.pop_front();
      } else if (!cursor_.over) {
        const auto page = co_await next_page();
        if (!page) co_return page.error();
      } else {
        if (std::exchange(ended_, true)) co_return Making{};
        auto end = [writer = writer_]() -> Result<std::string> { return writer->end(); };
        co_return archive_.begin_apart(executor, std::move(end));
      }
      if (!snapshot) continue;
      auto text = [writer = writer_,
                   session = std::move(*snapshot)]() mutable -> Result<std::string> {
        trim(session.stream);
        return writer->session(session);
      };
      co_return archive_.begin_apart(executor, std::move(text));
    }
  }

  std::string head() {
    std::string text = writer_->begin();
    for (const auto& [id, project] : projects_) text += writer_->project(project);
    projects_.clear();
    return text;
  }

  net::awaitable<Result<void>> find_projects() {
    auto records = [](Shard& shard) { return shard.sessions->projects().records(); };
    for (auto& part : co_await service_.shards().gather(std::move(records)))
      for (auto& record : part) add(std::move(record));
    if (filter_.live_only || service_.writer() == nullptr) co_return Result<void>{};
    auto read = [](store::Store& store) { return store.projects(); };
    auto stored = co_await ask_store(*service_.writer(), std::move(read));
    if (!stored) co_return stored.error();
    for (auto& record : *stored) add(std::move(record));
    co_return Result<void>{};
  }

  void add(ProjectRecord record) {
    if (filter_.session || (filter_.project && record.id != *filter_.project)) return;
    projects_.try_emplace(record.id, std::move(record));
  }

  net::awaitable<Result<void>> next_page() {
    auto read = [page = StoredPage{{}, cursor_},
                 only = filter_.session](store::Store& store) mutable -> Result<StoredPage> {
      if (only) {
        auto row = store::find_stored(store, *only);
        if (!row) return row.error();
        if (*row) page.rows.push_back(std::move(**row));
        page.cursor.over = true;
        return std::move(page);
      }
      auto rows = store::next_stored(store, page.cursor, kStoredPage, /*scrollback=*/true);
      if (!rows) return rows.error();
      page.rows = std::move(*rows);
      return std::move(page);
    };
    auto page = co_await ask_store(*service_.writer(), std::move(read));
    if (!page) co_return page.error();
    cursor_ = page->cursor;
    for (auto& row : page->rows) {
      const SessionRecord& record = row.snapshot.session;
      if (known_.contains(record.id) || record.status == SessionState::closed) continue;
      if (filter_.project && record.project_id != *filter_.project) continue;
      stored_.push_back(std::move(row.snapshot));
    }
    co_return Result<void>{};
  }

  Archive& archive_;
  Service& service_;
  ExportFilter filter_;
  std::shared_ptr<store::DocumentWriter> writer_;
  std::map<ProjectId, ProjectRecord> projects_;
  std::vector<SessionId> live_;
  std::set<SessionId> known_;
  std::size_t at_ = 0;
  store::StoredCursor cursor_;
  std::deque<SessionSnapshot> stored_;
  bool begun_ = false;
  bool ended_ = false;
  std::optional<Result<Making>> made_;  ///< What next() has begun and not given yet.
};

}  // namespace

net::awaitable<Result<std::shared_ptr<Pieces>>> Archive::export_state(ExportFilter filter) {
  const Engine engine = service_.flips().flags().choose({}, {}).sessions;
  store::DocumentHead head{.at = service_.now(),
                           .service = service_.version(),
                           .host = host_name(),
                           .pid = ::getpid(),
                           .mode = std::string(to_string(engine)),
                           .reason = filter.reason};
  auto pieces = std::make_shared<ExportPieces>(*this, service_, std::move(filter), head);
  const auto ready = co_await pieces->prepare();
  if (!ready) co_return ready.error();
  co_return pieces;
}

}  // namespace term::server
