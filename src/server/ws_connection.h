#pragma once
// The WebSocket side of a connection. Included by its own two source files only: Beast's WebSocket
// is the dearest thing we compile.

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <optional>
#include <string>

#include "server/connection.h"
#include "server/wire_stream.h"

namespace term::server {

/// One reader, one writer, one viewer. The writer alone writes messages; the reader feeds commands
/// to the session and stops reading while the session's input queue is full.
class WsConnection final : public Connection, public std::enable_shared_from_this<WsConnection> {
 public:
  WsConnection(Shard& shard, Operations& operations, net::ip::tcp::socket socket, Upgrade upgrade,
               Choice choice);
  /// Serves it to its end.
  net::awaitable<void> run(std::shared_ptr<WsConnection> self);
  /// Accepts, says no, closes.
  net::awaitable<void> refuse(std::shared_ptr<WsConnection> self, int code, std::string reason);

  void check_alive() override;
  void go_away(const std::string& message) override;
  void abort() override;

 private:
  using Stream = boost::beast::websocket::stream<WireStream, /*deflateSupported=*/false>;

  net::awaitable<bool> accept();
  net::awaitable<std::optional<AttachCommand>> wait_for_attach();
  net::awaitable<bool> attach(AttachCommand command);
  Attached describe(const AttachCommand& command, bool created, std::string replay,
                    Offset replay_until) const;
  Result<void> place_viewer(const AttachCommand& command, Offset from);

  // Reading.
  net::awaitable<void> read_commands();
  net::awaitable<void> handle(Command command);
  bool may(const Command& command);
  net::awaitable<void> take_input(std::string_view bytes);
  net::awaitable<void> suspend_project();
  net::awaitable<void> resume_project();
  void bad_message(const std::string& code, const std::string& message);
  void answer(Error error);
  bool broke_protocol(const boost::system::error_code& ec);

  // Writing.
  net::awaitable<void> write_output(std::shared_ptr<WsConnection> self);
  net::awaitable<bool> write_news();
  net::awaitable<bool> write_next();
  net::awaitable<bool> write_bytes(const Delivery& delivery);
  net::awaitable<bool> write_frames();
  net::awaitable<void> end_output();
  net::awaitable<void> close(int code, std::string reason);
  void wake() { viewer_.wake.notify_all(); }
  void leave_session();
  net::awaitable<void> linger();
  void finish();

  Shard& shard_;
  Operations& operations_;
  Upgrade upgrade_;
  Choice choice_;
  std::unique_ptr<Dialect> dialect_;
  Stream ws_;
  boost::beast::flat_buffer buffer_;
  Viewer viewer_;
  std::shared_ptr<Session> session_;
  Dialect::Frames frames_;  ///< To be written before the next output.
  Offset input_next_ = 0;   ///< Number of the next input byte.
  Offset input_told_ = 0;   ///< Last acknowledgement sent.
  ViewerRole role_ = ViewerRole::writer;
  bool attached_ = false;
  bool open_ = false;     ///< Between the handshake and the end.
  bool closing_ = false;  ///< The close frame is on its way.
  bool writing_ = false;
  bool suspended_told_ = false;
  bool lingers_ = false;   ///< We closed it for what the client sends, and more of it may come.
  int close_code_ = 1006;  ///< As the client gave it.
  std::string close_reason_;
  std::uint64_t moved_ = 0;
  unsigned quiet_checks_ = 0;
  bool ping_due_ = false;
};

}  // namespace term::server
