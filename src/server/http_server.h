#pragma once
// Listeners and HTTP/1.1: reads request heads, answers routes, sends upgrades on to their shard.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/gate.h"
#include "server/http.h"
#include "server/http_head.h"
#include "server/operations.h"
#include "server/origin.h"
#include "session/unique_fd.h"

namespace term::server {

struct HttpCounts {
  std::uint64_t requests = 0;
  std::uint64_t refused_origins = 0;
  std::uint64_t half_open_dropped = 0;  ///< Oldest of too many unfinished handshakes.
  std::uint64_t timeouts = 0;
};

/// One listening port. Every check of who may talk to us sits here, above the adapter.
///
/// Thread: the first shard's.
class HttpServer {
 public:
  HttpServer(Operations& operations, const Router& router, bool operator_port);

  /// Binds and listens. Errors: os_error naming the address.
  Result<void> listen(const std::string& host, std::uint16_t port);
  /// Goes on with a socket that listens already. Errors: os_error.
  Result<void> listen_on(UniqueFd listener);
  int listener() { return acceptor_.native_handle(); }
  std::uint16_t port() const { return port_; }
  /// Who may connect, known once both ports are.
  void allow(std::vector<Origin> origins, std::vector<std::string> hosts) {
    gate_.allow(std::move(origins), std::move(hosts));
  }
  void start();
  /// No new connections; idle ones are dropped.
  void stop();

  /// A hand-over: nothing is accepted and no request begun until thaw().
  void freeze();
  void thaw();
  /// Requests that are being answered.
  std::size_t answering() const { return answering_; }
  /// A connection on which no request is whole yet. Only while frozen.
  struct Waiting {
    int fd = -1;           ///< Borrowed.
    std::string received;  ///< The begin of a request's head.
  };
  std::vector<Waiting> waiting() const;
  /// Goes on with such a connection of another process.
  Result<void> adopt(UniqueFd socket, const std::string& received);
  /// Somebody else has the connections: closes ours without a word.
  void forget();

  /// A request that changes something, and its answer.
  struct Call {
    std::string method;
    std::string path;  ///< Decoded, at most 256 bytes.
    std::string peer;
    std::string body;
    unsigned status = 0;
  };
  /// Called for each, when it is answered or refused.
  void on_call(std::function<void(const Call&)> call) { on_call_ = std::move(call); }

  /// Within which a body, or a piece of one, has to go through: 30 s, unless a test says so.
  void body_time(Millis time) { body_time_ = time; }

  const HttpCounts& counts() const { return counts_; }
  std::size_t half_open() const { return half_open_.size(); }
  /// Connections that are neither closed nor handed to a shard.
  std::size_t active() const { return active_; }

 private:
  struct Client;
  struct Parser;
  class Incoming;
  /// Bodies in pieces, on their way in or out.
  struct Transfer {
    std::weak_ptr<Client> client;
    std::weak_ptr<Pieces> pieces;
  };
  using Transfers = std::list<Transfer>;
  /// A request whose head is read, and its body with it unless that is taken in pieces.
  struct Received {
    HttpHead head;
    std::shared_ptr<Incoming> body;  ///< Set when it is.
  };
  net::awaitable<void> accept_loop();
  net::awaitable<void> serve(std::shared_ptr<Client> client);
  net::awaitable<bool> serve_one(std::shared_ptr<Client> client);
  /// Says what is wrong with a request that cannot be read.
  net::awaitable<void> complain(std::shared_ptr<Client> client, boost::system::error_code ec);
  /// Reads and drops what still comes for a while: closing a socket with unread bytes resets the
  /// connection, and our answer would be lost with it (RFC 9112 9.6).
  net::awaitable<void> linger(std::shared_ptr<Client> client);
  void welcome(std::shared_ptr<Client> client);
  /// Reads a request's head, over any number of hand-overs that did not take place.
  net::awaitable<boost::system::error_code> read_head(std::shared_ptr<Client> client,
                                                      std::shared_ptr<Parser>& parser);
  void enlist(const std::shared_ptr<Client>& client);
  void delist(const std::shared_ptr<Client>& client);
  std::optional<Call> call_of(const HttpHead& head, const Result<Target>& target) const;
  /// Reads one request, or says what is wrong with it.
  net::awaitable<std::optional<Received>> receive(std::shared_ptr<Client> client);
  net::awaitable<boost::system::error_code> receive_body(std::shared_ptr<Client> client,
                                                         std::shared_ptr<Parser> parser,
                                                         bool expects);
  std::optional<Transfers::iterator> begin_transfer(const std::shared_ptr<Client>& client,
                                                    const std::shared_ptr<Pieces>& pieces);
  void end_transfer(std::optional<Transfers::iterator> transfer);
  bool takes_pieces(const HttpHead& head) const;
  /// False: the connection cannot be used again.
  net::awaitable<bool> send(std::shared_ptr<Client> client, Response response, unsigned version,
                            bool keep);
  net::awaitable<bool> send_pieces(std::shared_ptr<Client> client, Response response,
                                   unsigned version, bool keep);
  /// `piece` outlives it.
  net::awaitable<boost::system::error_code> send_piece(std::shared_ptr<Client> client,
                                                       std::string_view piece, bool chunked);
  /// Stops an endless response once its receiver is gone.
  net::awaitable<void> watch(std::shared_ptr<Client> client, std::shared_ptr<Pieces> pieces);
  /// Why it is not served at all; nothing when it is.
  std::optional<Response> refuse(const HttpHead& head, const Result<Target>& target);
  /// Gives the connection to its session's shard; a response when it is refused instead.
  std::optional<Response> hand_over(Client& client, Upgrade upgrade);

  Operations& operations_;
  const Router& router_;
  const bool operator_port_;
  Gate gate_;
  net::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::list<std::weak_ptr<Client>> half_open_;  ///< Oldest first.
  Transfers transfers_;
  std::function<void(const Call&)> on_call_;
  HttpCounts counts_;
  Millis body_time_{30'000};
  std::size_t active_ = 0;
  std::size_t answering_ = 0;
  bool stopping_ = false;
  bool frozen_ = false;
  Signal thawed_;
};

}  // namespace term::server
