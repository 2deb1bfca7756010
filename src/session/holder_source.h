#pragma once
// Ptys that the holder starts and keeps.

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "session/holder_link.h"
#include "session/pty.h"

namespace term {

/// Thread: any; the holder's answers come on the link's executor.
class HolderPtySource final : public PtySource {
 public:
  /// From now on this is the holder. Those who wait for the end of a child go on waiting.
  void use(std::shared_ptr<HolderLink> link);
  /// No holder any more, and nobody waits for the end of a child: what waits holds its session,
  /// which must be gone before its event loop.
  void close();
  /// To be called for each HolderLink::Events::exited, and for what a list of its says.
  void ended(std::uint32_t slot, const ExitStatus& status);

  void spawn(PtyRequest request, Started done) override;
  void on_end(const Pty& pty, const boost::asio::any_io_executor& executor, Ended ended) override;
  void signal(const Pty& pty, int signal) override;
  void release(Pty pty) override;

 private:
  std::shared_ptr<HolderLink> link() const;

  struct Child {
    boost::asio::any_io_executor executor;
    Ended ended;                     ///< Null: nobody asked yet.
    std::optional<ExitStatus> exit;  ///< Set: it ended before somebody asked.
  };
  mutable std::mutex mutex_;  ///< Shards share it; it is taken a few times in a session's life.
  std::shared_ptr<HolderLink> link_;
  std::map<std::uint32_t, Child> children_;  ///< By slot.
};

}  // namespace term
