#include "store/transfer.h"

#include <map>
#include <tuple>

namespace term::store {

namespace {

constexpr std::size_t kPage = 50;  // At most 12 MiB of scrollback.

auto age(const StoredSession& stored) {
  const SessionRecord& record = stored.snapshot.session;
  return std::tuple(record.last_activity, record.updated_at,
                    stored.snapshot.telemetry.output_bytes);
}

/// The same page without scrollback: states that may be further on than it.
Result<std::map<SessionId, StoredSession>> states(Store& store, Table from,
                                                  const SessionId& after) {
  auto page = store.sessions(from, after, kPage, /*scrollback=*/false);
  if (!page) return page.error();
  std::map<SessionId, StoredSession> all;
  for (StoredSession& stored : *page) all.emplace(stored.snapshot.session.id, std::move(stored));
  return all;
}

void put(Batch& batch, StoredSession stored) {
  batch.sessions.push_back({std::move(stored), /*both_tables=*/false, /*keep_other=*/true});
}

}  // namespace

Result<TransferReport> transfer(Store& store, Table from, bool dry_run,
                                const TransferProgress& progress) {
  const Engine engine = from == Table::legacy ? Engine::refactored : Engine::legacy;
  const Table to = table_of(engine);
  TransferReport report;
  SessionId last;
  for (;;) {
    auto page = store.sessions(from, last, kPage, /*scrollback=*/true);
    if (!page) return page.error();
    if (page->empty()) return report;
    auto newest = states(store, from, last);
    if (!newest) return newest.error();
    last = page->back().snapshot.session.id;
    Batch batch;
    for (StoredSession& stored : *page) {
      ++report.rows;
      auto there = store.session(to, stored.snapshot.session.id);
      if (!there) return there.error();
      stored.owners = {engine, engine, engine};
      if (*there && **there == stored) {
        ++report.unchanged;
      } else if (*there && age(**there) > age(stored)) {
        ++report.newer;
      } else {
        ++report.written;
        const auto state = newest->find(stored.snapshot.session.id);
        put(batch, std::move(stored));
        if (state == newest->end()) continue;
        state->second.owners = {engine, engine, engine};
        put(batch, std::move(state->second));
      }
    }
    if (!dry_run)
      if (auto written = store.write(batch); !written) return written.error();
    if (progress) progress(report);
  }
}

}  // namespace term::store
