#pragma once
// What a connection does with its session, whatever carries its frames: attaching, commands, input.

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/carry_state.h"
#include "server/connection.h"

namespace term::server {

/// One viewer, its dialect, its commands. A reader coroutine calls it; what is to be told to the
/// client goes to `frames_`, and wake() has them written.
class ViewerConnection : public Connection {
 protected:
  ViewerConnection(Shard& shard, Operations& operations, Choice choice);

  Attached describe(const AttachCommand& command, bool created, std::string replay,
                    Offset replay_until) const;
  Result<void> place_viewer(const AttachCommand& command, Offset from);
  net::awaitable<void> handle(Command command);
  net::awaitable<void> take_input(std::string_view bytes);
  void bad_message(const std::string& code, const std::string& message);
  void answer(Error error);
  void wake() { viewer_.wake.notify_all(); }
  void leave_session();

  /// What brings a terminal just made into the modes that are in force at `from`; may be empty.
  std::string modes_before(Offset from) const;
  /// The same for a terminal in any state, whose screen is cleared.
  std::string cleared_before(Offset from) const;
  /// The viewer fell out of the ring and lacks what comes from `from` on. Puts a gap and a painted
  /// screen into frames_ once that is painted; the stream goes on behind it. False: not yet, the
  /// viewer will be woken.
  bool bridge_gap(Offset from);
  /// It fell out, and is woken when it has a screen or may have one.
  bool waits_for_screen() const;

  /// The reader waits, with nothing in hand that describe(CarriedState&) does not know.
  net::awaitable<void> rest(Signal& signal);
  /// Waits while frozen; false when it is over.
  net::awaitable<bool> hold();
  /// Its share of what is carried; false: it is ending by itself. While frozen and quiet.
  bool describe(CarriedState& state) const;
  /// Takes it up; with Stage::attached it is a viewer of its session then. Errors: bad_snapshot.
  Result<void> take_up(CarriedState& state);

  Shard& shard_;
  Operations& operations_;
  Choice choice_;
  std::unique_ptr<Dialect> dialect_;
  Viewer viewer_;
  std::shared_ptr<Session> session_;
  Dialect::Frames frames_;  ///< To be written before the next output.
  Offset input_next_ = 0;   ///< Number of the next input byte.
  Offset input_told_ = 0;   ///< Last acknowledgement sent.
  ViewerRole role_ = ViewerRole::writer;
  bool attached_ = false;
  bool open_ = false;  ///< Between the handshake and the end.
  bool over_ = false;  ///< Aborted, or somebody else's.
  bool suspended_told_ = false;
  int close_code_ = 1006;  ///< As the client gave it.
  std::string close_reason_;

  bool frozen_ = false;
  bool reader_rests_ = false;
  bool exempt_ = false;         ///< The window does not count: untaken input keeps us from reading.
  std::string_view untaken_;    ///< Input in hand that the queue had no room for.
  std::string untaken_before_;  ///< The same, of the process before.

 private:
  struct Repaint;
  bool start_painting();
  void go_on_behind(Offset from, const std::string& painting);
  std::size_t window() const;
  bool may(const Command& command);
  net::awaitable<void> suspend_project();
  net::awaitable<void> resume_project();

  std::shared_ptr<Repaint> repaint_;  ///< Once it fell out; nobody else keeps it.
};

/// Of an upgrade request, leaves what accepting the WebSocket reads.
void keep_handshake_fields(std::vector<std::pair<std::string, std::string>>& fields);

/// The socket of another process's connection. Errors: os_error.
Result<net::ip::tcp::socket> adopt_socket(Shard& shard, UniqueFd fd);

}  // namespace term::server
