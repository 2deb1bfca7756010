#pragma once
// Scrollback is compressed beside everything else, not in its way.

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

#include "store/store.h"

namespace term::store {

/// Compresses what sessions have printed on a thread of its own, which gives way (nice 10): it has
/// seconds of time, and keystrokes and the writer's rows have not. Of each session the newest.
///
/// Thread: any, with the owner's mutex, unless told otherwise.
class Packer final {
 public:
  using Pack = std::function<Scrollback(std::string_view bytes, Offset next)>;
  /// `give` is called with the mutex: what was put, packed; after it the newer state if there is
  /// one, so that it stays the newer one.
  using Give = std::function<void(Batch::Session)>;
  /// `mutex` outlives it.
  Packer(std::mutex& mutex, Pack pack, Give give);
  ~Packer();  ///< Without the mutex. What waits is gone: hand_out() before.
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  /// `session` has `stream.data`. True if it takes the place of an older one.
  bool put(Batch::Session session);
  /// A session without data, put elsewhere: if scrollback of it is here, this will follow it.
  void newer(const Batch::Session& state);
  /// True if something of it was here.
  bool ended(const SessionId& id);
  /// Gives what waits as it was put, and waits for what is being packed: who must not wait for a
  /// thread that gives way packs for himself. Releases the mutex meanwhile.
  void hand_out(std::unique_lock<std::mutex>& lock);

  std::size_t sessions() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Batch::Session session;  ///< Its data is with the thread once that has it in hand.
    std::optional<Batch::Session> newer;
    std::size_t bytes = 0;
    bool in_hand = false;
  };
  using Entries = std::map<SessionId, Entry>;

  void run();
  /// Whose turn it is; of none of them is anything in hand, and there is one.
  Entries::iterator next();
  void give(Entries::iterator entry);

  std::mutex& mutex_;
  const Pack pack_;
  const Give give_;
  std::condition_variable wake_;  ///< For the thread.
  std::condition_variable done_;  ///< For who waits for it.
  Entries entries_;
  std::size_t bytes_ = 0;
  SessionId last_;            ///< Whose turn it was.
  std::uint64_t packed_ = 0;  ///< How often the thread took something and was done with it.
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace term::store
