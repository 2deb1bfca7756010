#pragma once
// The old process's half of a hand-over: everything to a new process, or back to work
// (DESIGN.md 2.1, docs/handover.md).

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "server/handover_channel.h"
#include "server/handover_state.h"

namespace term::server {

class Service;

struct HandoverReport {
  pid_t pid = 0;        ///< Of the new process.
  std::string version;  ///< Of the new program.
  std::size_t sessions = 0;
  std::size_t connections = 0;
  Millis pause{0};  ///< From the first thing frozen to the new process serving.
  /// Of the pause: until all rested, until all was collected and sent, until the new one had it.
  Millis freezing{0}, handing{0}, adopting{0};
};

/// Starts the new program, and does not touch anything until it says that it is ready. Then
/// freezes, hands over, and ends only when the new one has the same sessions, offsets and
/// connections and serves. Until the moment of `commit` any failure ends in the old process going
/// on as if nothing had been; after it, in a process that starts anew and goes on as after a crash,
/// with the listening sockets kept.
/// Thread: the first shard's.
class Handover {
 public:
  explicit Handover(Service& service) : service_(service) {}

  struct Request {
    std::string binary;  ///< Empty: the program that runs now, as it is on disk.
    /// The old process stays this long to step in if the new one dies.
    Millis probation{1500};
    std::size_t own_requests = 0;  ///< HTTP requests that wait for us.
    /// While it adopts, everybody waits: the most without a sign of life, and in all on top of that
    /// for each session and connection.
    Millis silence{2000};
    Millis adopt_each{10};
  };
  /// Errors: busy (one is under way, or a flip), bad_argument (no such program), bad_snapshot (it
  /// refuses the state, or took over something else), os_error (it ended, it hangs).
  net::awaitable<Result<HandoverReport>> run(Request request);
  bool running() const { return running_; }
  /// Another process has everything; nothing here is ours to take down. Thread: any.
  bool has_left() const { return left_.load(); }

 private:
  struct Child;
  net::awaitable<Result<HandoverReport>> attempt(Request request, Child& child);
  net::awaitable<Result<void>> freeze(std::size_t own_requests);
  net::awaitable<void> thaw();
  net::awaitable<Result<std::string>> hand(Child& child, HandoverReport& report);
  net::awaitable<Result<HandoverChannel::Message>> answer(Child& child, std::string type,
                                                          Millis timeout);
  net::awaitable<Result<HandoverChannel::Message>> adopted_by(Child& child, Millis silence,
                                                              Millis in_all);
  net::awaitable<void> leave(Request request, std::shared_ptr<Child> child);
  [[noreturn]] void start_anew();

  Service& service_;
  bool running_ = false;
  std::atomic<bool> left_{false};
  UniqueFd listeners_[2];  ///< Kept for start_anew().
};

}  // namespace term::server
