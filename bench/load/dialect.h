#pragma once
// How each server wants to be spoken to.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "load/options.h"
#include "load/ws_client.h"

namespace term::bench {

/// What a dialect tells about its session.
class DialectEvents {
 public:
  virtual ~DialectEvents() = default;
  /// The session takes input from now on.
  virtual void session_ready() = 0;
  virtual void output(std::string_view bytes) = 0;
  /// The scrollback that an attach begins with, where it is told apart from output.
  virtual void replay(std::string_view bytes) { output(bytes); }
  /// Native: output that comes next has this offset; what lies before `until` is history.
  virtual void at_offset(std::uint64_t, std::uint64_t /*until*/) {}
  /// Output was lost, or the server reports a mistake of ours.
  virtual void trouble(const std::string& what) = 0;
};

/// One connection's dialect. Lifetime: the client and the events outlive it.
class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string target(const std::string& session) const = 0;
  virtual std::string subprotocol() const { return {}; }
  virtual void opened() = 0;
  virtual void message(bool text, std::string_view payload) = 0;
  virtual void type(std::string_view bytes) = 0;
  /// Ends session and connection, as far as the server knows how.
  virtual void end() { client_.close(1000, "Session closed by user"); }

 protected:
  Dialect(WsClient& client, DialectEvents& events) : client_(client), events_(events) {}
  WsClient& client_;
  DialectEvents& events_;
};

/// `resume`: the offset that the attach asks for, native only.
std::unique_ptr<Dialect> make_dialect(const Options& options, WsClient& client,
                                      DialectEvents& events,
                                      std::optional<std::uint64_t> resume = std::nullopt);
/// Of ours: sessions have names, scrollback and engines.
bool is_ours(const std::string& dialect);
/// JSON text cannot carry bytes that are no UTF-8.
bool carries_text_only(const std::string& dialect);
/// Pipes instead of a tty: no echo, no line discipline, no signals.
bool without_tty(const std::string& dialect);

}  // namespace term::bench
