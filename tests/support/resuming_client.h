#pragma once
// A native client that never gives up: it comes back after every loss of its connection, goes on at
// its offsets and checks every byte.

#include <deque>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/frame_socket.h"
#include "support/numbered.h"

namespace term::test {

/// What all clients of a run have lived through.
struct ClientLog {
  std::uint64_t connections = 0;  ///< Attached.
  std::uint64_t disconnects = 0;
  std::map<int, std::uint64_t> closes;  ///< By code.
  std::vector<double> resumed_ms;       ///< From the loss to `attached`.
  std::uint64_t gaps = 0;
  std::uint64_t gap_bytes = 0;
  std::map<std::string, std::uint64_t> tiers;
  std::vector<std::string> violations;  ///< Of the protocol, with the session's id.
  /// Losses before this do not count: the last time the harness itself took the service away.
  SteadyClock::time_point away_since{};
};

/// How a session ended, as its clients were told.
struct Told {
  bool exit = false;  ///< There was an `exit` message.
  std::optional<int> code;
  std::string signal;
  int close_code = 0;
};

/// Thread: the loop's. Lifetime: loop and log outlive it.
class ResumingClient final : FrameSocket::Listener {
 public:
  struct Options {
    unsigned short port = 0;
    std::string session;
    std::string client = "chaos";
    bool writer = true;
    bool create = false;  ///< The first attach may make the session.
    /// Unread output allowed for; typing waits for it. Below the ring, so that nothing is overrun.
    std::uint64_t window = 128 * 1024;
  };
  ResumingClient(EventLoop& loop, ClientLog& log, Options options);

  /// By time: reconnects, acknowledges what is left over. Called at each beat.
  void beat(SteadyClock::time_point now);

  /// Types up to `bytes` more, as far as the window lets; the number typed. The first output must
  /// have come: until then the program may not listen.
  std::size_t type(std::size_t bytes);
  /// Fills the last record and types the ending.
  void type_ending(const Ending& ending);

  bool attached() const { return attached_; }
  bool known() const { return known_; }  ///< Was attached once.
  bool greeted() const { return check_.at() >= kGreetingBytes; }
  bool ended() const { return ended_; }
  bool ending() const { return ending_at_.has_value(); }
  /// Typed, and not acknowledged as written.
  std::uint64_t unwritten() const { return typed_ - acknowledged_; }
  /// Bytes of output that will come for what was typed, and have not.
  std::uint64_t outstanding() const;
  std::uint64_t typed() const { return typed_; }
  const Told& told() const { return told_; }
  StreamCheck& check() { return check_; }
  FrameSocket& socket() { return socket_; }
  const Options& options() const { return options_; }
  /// The longest time without a byte while some were due, since this was last asked.
  Millis take_longest_wait();
  SteadyClock::time_point heard_at() const { return heard_at_; }  ///< The last output.
  /// Cuts the connection and comes back only after this time.
  void stay_away(Millis time);
  std::string where() const;  ///< Its offsets, in words.
  bool away() const { return SteadyClock::now() < away_until_; }

 private:
  void opened() override;
  void message(bool text, std::string_view payload) override;
  void closed(int code, const std::string& reason) override;
  void control(const nlohmann::json& message);
  void attached_message(const nlohmann::json& message);
  void gap(const nlohmann::json& message);
  void output(std::string_view payload);
  void acknowledge(std::uint64_t least);
  void send_input();
  std::string input_bytes(std::uint64_t from, std::uint64_t to) const;
  void violation(const std::string& text);

  EventLoop& loop_;
  ClientLog& log_;
  const Options options_;
  const Role role_;
  const NumberedStream input_;
  StreamCheck check_;
  FrameSocket socket_;

  bool attached_ = false;
  bool known_ = false;  ///< Was attached once: the session exists.
  bool ended_ = false;
  std::optional<std::uint64_t> asked_;  ///< Output of the attach under way.
  std::uint64_t received_ = 0;          ///< In the service's numbers.
  std::uint64_t output_acked_ = 0;
  std::size_t repaint_ = 0;
  bool refused_offset_ = false;  ///< By the service; take what there is.
  std::uint64_t typed_ = 0;
  std::uint64_t input_sent_ = 0;  ///< On this connection.
  std::uint64_t acknowledged_ = 0;
  std::optional<std::uint64_t> ending_at_;
  std::string ending_record_;
  Told told_;

  SteadyClock::time_point lost_at_{};
  SteadyClock::time_point retry_at_{};
  SteadyClock::time_point trying_since_{};
  SteadyClock::time_point away_until_{};
  SteadyClock::time_point heard_at_{};
  Millis back_off_{0};
  SteadyClock::time_point last_byte_{};
  Millis longest_wait_{0};
};

}  // namespace term::test
