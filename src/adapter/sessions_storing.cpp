// What goes to the store, and when: states as they change, output now and then (STATE.md 3).

#include "adapter/sessions.h"

namespace term::adapter {

namespace {

constexpr Millis kOutputEvery{5000};  ///< Of one session, at the most.
/// Newest output of a session that is stored.
constexpr std::size_t kOutputBytes = 256 * 1024;
/// Copied in a tick of the shard: about a millisecond. With more to do, sessions take turns.
constexpr std::size_t kBytesPerTick = 4 * 1024 * 1024;
/// A fifth of all beside them: none waits longer than kOutputEvery.
constexpr std::size_t kLookedAtPerTick = 500;
constexpr std::size_t kProjectsPerTick = 100;

}  // namespace

void Sessions::store_books(Entry& entry, const Books& books, const std::string& text) {
  if (!storing_.on_books) return;
  const bool dual = flags_->dual_write_on();
  // look_after() comes by all the time, and mostly nothing changed.
  const std::size_t hash = std::hash<std::string>{}(text) + (dual ? 1 : 0);
  if (hash == entry.stored_books) return;
  entry.stored_books = hash;
  storing_.on_books(books, dual);
}

bool Sessions::store_output(Entry& entry, Millis at_most_every) {
  const Session& session = *entry.session;
  const OutputRing& ring = session.ring();
  if (!entry.registered || !session.started() || ring.next() == entry.stored_upto) return false;
  const WallTime now = clock_();
  if (entry.stored_upto > 0 && now - entry.stored_at < at_most_every) return false;
  auto books = books_of(session, /*queued=*/false);
  if (!books) return false;
  StreamRecord& stream = books->snapshot.stream;
  const std::size_t size = std::min(ring.size(), kOutputBytes);
  stream.first_offset = ring.next() - size;
  stream.next_offset = ring.next();
  stream.data = ring.copy(stream.first_offset, size);
  entry.stored_upto = ring.next();
  entry.stored_at = now;
  storing_.on_books(*books, flags_->dual_write_on());
  return true;
}

void Sessions::store_some() {
  store_projects();
  if (!storing_.on_books || !storing_.wants_output || !storing_.wants_output()) return;
  std::size_t bytes = 0;
  const std::size_t most = std::min(sessions_.size(), kLookedAtPerTick + sessions_.size() / 5);
  auto it = sessions_.upper_bound(last_stored_);
  for (std::size_t n = 0; n < most && bytes < kBytesPerTick; ++n, ++it) {
    if (it == sessions_.end()) it = sessions_.begin();
    last_stored_ = it->first;
    if (store_output(it->second, kOutputEvery))
      bytes += std::min(it->second.session->ring().size(), kOutputBytes);
  }
}

void Sessions::store_projects() {
  if (!storing_.on_project) return;
  for (const auto& id : projects_.take_changed(kProjectsPerTick))
    if (!id.empty()) storing_.on_project(id, projects_.record(id));  // Without one: nobody's.
}

void Sessions::store_all() {
  if (!storing_.on_books) return;
  for (auto& [id, entry] : sessions_) {
    note(*entry.session);
    if (!storing_.wants_output || storing_.wants_output()) (void)store_output(entry, Millis(0));
  }
  while (projects_.any_changed()) store_projects();
}

}  // namespace term::adapter
