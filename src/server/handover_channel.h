#pragma once
// What the old process and the new one say to each other in a hand-over (docs/handover.md).

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "session/types.h"
#include "session/unique_fd.h"

namespace term::server {

/// Versions of the state that this program writes and reads. It goes forward and back by one: a
/// program that reads neither is told from the one it was to replace, before anything is frozen.
inline constexpr int kStateVersion = 1;
inline constexpr int kOldestStateVersion = 1;

/// One JSON object to a packet, descriptors beside it. The old process sends `begin`, `state`,
/// `descriptors`, `commit`; the new one `ready`, `adopting` (as long as it is at it, where the old
/// one listens to that), `adopted`, `serving`, or `failed` at any time. Thread: one at a time.
class HandoverChannel {
 public:
  explicit HandoverChannel(UniqueFd socket) : socket_(std::move(socket)) {}
  /// Both ends. Errors: os_error.
  static Result<std::pair<UniqueFd, UniqueFd>> make();

  struct Message {
    std::string type;
    std::string text;  ///< All of it.
    std::vector<UniqueFd> fds;
  };
  /// Errors: os_error (the other end is gone).
  Result<void> send(const nlohmann::json& message, std::span<const int> fds = {});
  /// Waits for one. Errors: os_error (nothing came in time, or the other end is gone), bad_snapshot
  /// (no message of ours).
  Result<Message> receive(std::chrono::milliseconds timeout);
  /// One of this type. Errors: as receive(); what a `failed` message says; bad_snapshot for others.
  Result<Message> expect(const std::string& type, std::chrono::milliseconds timeout) {
    return expected(receive(timeout), type);
  }
  /// The same of one that was received.
  static Result<Message> expected(Result<Message> message, const std::string& type);

  int fd() const { return socket_.get(); }
  /// Set when the old process waits on as long as `adopting` comes.
  bool tell_progress = false;

 private:
  UniqueFd socket_;
};

/// A text of any size as a descriptor, and back. Errors: os_error.
Result<UniqueFd> bytes_to_memfd(const std::string& bytes);
Result<std::string> bytes_of_memfd(int fd);

}  // namespace term::server
