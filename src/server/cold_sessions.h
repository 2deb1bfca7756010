#pragma once
// Sessions that are stored and not live: which there are, and what is stored of one.

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "session/snapshot.h"
#include "store/writer.h"

namespace term::server {

namespace net = boost::asio;

/// Their ids are kept in memory, so that nobody who opens a new session waits for a database. Until
/// they are loaded no session counts as cold.
///
/// Thread: any.
class ColdSessions {
 public:
  explicit ColdSessions(store::Writer& writer) : writer_(writer) {}

  /// Reads the ids of all stored sessions; those in `live` are not cold. Tries until the store can
  /// be read.
  net::awaitable<void> load(std::vector<SessionId> live);
  bool has(const SessionId& id) const;
  std::size_t size() const;

  /// What is stored of it; nothing if it is not stored after all. Errors: store_unavailable.
  net::awaitable<Result<std::optional<SessionSnapshot>>> fetch(SessionId id);
  /// It is live now.
  void opened(const SessionId& id);
  /// They were restored, and are stored.
  void add(const std::vector<SessionId>& ids);
  /// Nobody will want it any more: what is stored of it goes. False if it is not cold.
  bool end(const SessionId& id);

  store::Writer& writer() { return writer_; }

 private:
  store::Writer& writer_;
  mutable std::mutex mutex_;
  std::set<SessionId, std::less<>> ids_;
  std::set<SessionId, std::less<>> gone_;  ///< What became live or ended while loading.
  bool loaded_ = false;
};

}  // namespace term::server
