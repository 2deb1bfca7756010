#pragma once
// The WebSocket side of a connection. Included by its own two source files only: Beast's WebSocket
// is the dearest thing we compile.

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <optional>
#include <string>

#include "server/viewer_connection.h"
#include "server/wire_stream.h"

namespace term::server {

/// One reader, one writer, one viewer. The writer alone writes messages; the reader feeds commands
/// to the session and stops reading while the session's input queue is full.
class WsConnection final : public ViewerConnection,
                           public std::enable_shared_from_this<WsConnection> {
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

  void freeze() override;
  bool quiet() const override;
  void thaw() override;
  std::optional<CarriedConnection> carry() override;
  bool carried() const override { return carried_; }
  void forget() override;
  /// Before run(): becomes the connection that another process described, frozen.
  Result<void> restore(CarriedState state);

 private:
  using Stream = boost::beast::websocket::stream<WireStream, /*deflateSupported=*/true>;

  void set_options();
  net::awaitable<bool> accept();
  net::awaitable<bool> be_attached();
  net::awaitable<std::optional<AttachCommand>> wait_for_attach();
  net::awaitable<bool> attach(AttachCommand command);
  net::awaitable<void> fail_attach(Error error);

  // Reading.
  net::awaitable<boost::system::error_code> read_message();
  net::awaitable<void> read_commands();
  std::string_view message() const;
  bool broke_protocol(const boost::system::error_code& ec);

  // Writing.
  net::awaitable<void> write_output(std::shared_ptr<WsConnection> self);
  net::awaitable<bool> write_news();
  net::awaitable<void> write_status();
  void acknowledge();
  bool owes_ack() const;
  Offset input_written() const;
  net::awaitable<bool> write_next();
  net::awaitable<bool> write_bytes(const Delivery& delivery);
  net::awaitable<bool> write_frames();
  net::awaitable<void> end_output();
  net::awaitable<void> close(int code, std::string reason);
  void begin_closing();
  net::awaitable<void> linger();
  void finish();

  bool ending() const;

  Upgrade upgrade_;
  Stream ws_;
  boost::beast::flat_buffer buffer_;
  bool closing_ = false;  ///< The close frame is on its way.
  bool writing_ = false;
  bool lingers_ = false;  ///< We closed it for what the client sends, and more of it may come.
  std::uint64_t moved_ = 0;
  unsigned quiet_checks_ = 0;
  bool ping_due_ = false;
  net::steady_timer ack_timer_;
  bool ack_waits_ = false;  ///< For the timer.
  bool ack_due_ = false;

  std::string extensions_;          ///< As we answered them.
  std::optional<Millis> patience_;  ///< For `attach`; none = as configured.
  std::chrono::steady_clock::time_point attach_by_;
  bool carried_ = false;
  bool late_ = false;      ///< The time for `attach` ran out while frozen.
  bool adopted_ = false;   ///< The client has had its 101 from another process.
  bool accepted_ = false;  ///< It has had it.
  bool serves_ = true;     ///< Not only refused.
  bool in_read_ = false;   ///< The reader is in Beast.
  bool writer_rests_ = false;
};

}  // namespace term::server
