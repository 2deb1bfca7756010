#pragma once
// What goes over from one process to the next as a whole, beside the sessions: flags, admission,
// journal and projects, in the arena and in the store (STATE.md 3).

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "server/persistence.h"

namespace term::server {

class Service;
struct Shard;

/// Reads it when the service starts, or later once the store can be had, and writes flags and
/// admission whenever they change. Until the store was read they go into the arena only: what is
/// stored must not be replaced unread.
///
/// Thread: the first shard's, or the one that starts and stops the service.
class StoredBooks final {
 public:
  explicit StoredBooks(Service& service) : service_(service) {}

  /// Before the loops run. In a hand-over (`handed_over`) the store is not asked: the process
  /// before us still has it, and everybody waits.
  void restore(bool handed_over);
  /// Once a second until the store answered.
  void ask_again();
  /// Restored projects join those that are here.
  boost::asio::awaitable<void> join(std::vector<ProjectRecord> restored);
  /// The loops have ended: what was never written because the store was never read.
  void stop();

 private:
  std::string text() const;
  void write();
  void put_back(const std::string& books);
  void join_on(Shard& home, const std::vector<ProjectRecord>& records);
  boost::asio::awaitable<void> restore_late(std::shared_ptr<const LeftBehind> left);

  Service& service_;
  bool stored_known_ = false;  ///< What an earlier process left in the store was read.
  bool from_arena_ = false;    ///< Flags and admission: they are newer than the store's.
  bool held_back_ = false;     ///< They have changed since, and are not in the store.
  bool asking_ = false;        ///< The store, since it was not to be had.
};

}  // namespace term::server
