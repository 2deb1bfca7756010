#pragma once
// The port between frames and what they mean: one implementation per dialect (PROTOCOLS.md 1).

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "session/session.h"

namespace term::server {

struct Upgrade;

/// One WebSocket message.
struct Frame {
  bool text = true;
  std::string payload;
};

// What a client wants.
struct AttachCommand {
  std::string client;
  std::optional<Offset> output;  ///< First byte it lacks; none = all scrollback.
  Offset input = 0;              ///< Of its first unacknowledged byte.
  std::optional<WindowSize> size;
  ViewerRole role = ViewerRole::writer;
  std::string token;
};
/// Terminal input; the bytes are those of the message, so handle it before the next read.
struct InputCommand {
  std::string_view bytes;
  std::string owned;  ///< Used when the dialect had to unpack them; then `bytes` is empty.
  std::string_view view() const { return bytes.empty() ? std::string_view(owned) : bytes; }
};
struct ResizeCommand {
  WindowSize size;
};
struct AckCommand {
  Offset output = 0;
};
struct FocusCommand {
  bool focused = true;
};
struct SuspendCommand {};
struct ResumeCommand {};
struct RenameCommand {
  std::string name;
};
struct CloseCommand {};
struct PingCommand {
  std::string t;  ///< JSON text, echoed.
};
/// A message that means nothing: counted, answered with an error where the dialect has one.
struct BadCommand {
  std::string code;
  std::string message;
};
using Command = std::variant<AttachCommand, InputCommand, ResizeCommand, AckCommand, FocusCommand,
                             SuspendCommand, ResumeCommand, RenameCommand, CloseCommand,
                             PingCommand, BadCommand>;

/// What the dialects say when a viewer was attached.
struct Attached {
  SessionRecord session;
  std::string tier;  ///< `new`, `live`, `warm` or `cold`.
  Owners owners;
  Offset output = 0;        ///< First byte that will be sent.
  Offset replay_until = 0;  ///< Bytes before it are scrollback.
  Offset input = 0;         ///< All input before it is written.
  std::size_t window = 0;
  std::string replay;  ///< For dialects without offsets: the scrollback, queries muted.
  std::vector<SessionId> all_focused;
};

/// Turns frames into commands and events into frames. Sans-IO. One per connection.
///
/// Public to the connection only; what a dialect has no word for, it leaves out.
class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual std::string_view name() const = 0;
  /// The subprotocol to answer with; empty = none.
  virtual std::string_view subprotocol() const { return {}; }
  /// An `attach` message comes first, and carries offsets from then on.
  virtual bool attaches_itself() const { return false; }
  /// A normal close by the client may end the session (reference/origin.md R-13).
  virtual bool close_may_end() const { return true; }
  virtual WindowSize default_size() const { return {.rows = 24, .cols = 80}; }

  /// Terminal input, if any, is the last of the commands: half taken it must be carried alone.
  virtual std::vector<Command> decode(bool text, std::string_view payload) = 0;

  /// Output bytes as a frame; nothing = send them untouched in a binary frame.
  virtual std::optional<Frame> dress(std::string_view bytes) = 0;
  /// The output ended: what was held back.
  virtual std::optional<Frame> finish() { return std::nullopt; }

  using Frames = std::vector<Frame>;
  virtual void attached(const Attached& info, Frames& out) = 0;
  virtual void gap(Offset /*from*/, Offset /*to*/, Frames& /*out*/) {}
  /// Bytes that paint, beside the numbered output.
  virtual void repaint(std::string_view /*bytes*/, Frames& /*out*/) {}
  virtual void input_written(Offset /*upto*/, Frames& /*out*/) {}
  virtual void resized(WindowSize /*size*/, const std::string& /*client*/, Frames& /*out*/) {}
  virtual void status(const SessionRecord& /*session*/, const std::vector<SessionId>& /*focused*/,
                      Frames& /*out*/) {}
  virtual void suspended(const SessionId& /*id*/, std::size_t /*sessions*/, Frames& /*out*/) {}
  virtual void resumed(const SessionId& /*id*/, std::size_t /*sessions*/, Frames& /*out*/) {}
  virtual void notice(const Notice& /*notice*/, const Owners& /*owners*/, Frames& /*out*/) {}
  virtual void exited(const ExitStatus& /*status*/, Frames& /*out*/) {}
  virtual void error(std::string_view code, std::string_view message, bool fatal, Frames& out) = 0;
  virtual void pong(const std::string& /*t*/, Frames& /*out*/) {}

  /// All it remembers between frames, as JSON text or empty: what restore() needs in another
  /// process to go on in mid-stream.
  virtual std::string state() const { return {}; }
  /// Errors: bad_snapshot.
  virtual Result<void> restore(std::string_view /*state*/) { return {}; }
};

/// Which dialect, and which session, an upgrade asks for.
struct Choice {
  std::unique_ptr<Dialect> dialect;
  SessionId session;  ///< Empty: make one.
  ProjectId project;
  std::string path;  ///< Working directory asked for.
  std::optional<WindowSize> size;
  bool create = true;
  std::string token;  ///< From a `terminal.token.<token>` subprotocol item or a bearer header.
};

/// Errors: bad_argument (no such path, no offered subprotocol known), bad_id.
Result<Choice> choose_dialect(const Upgrade& upgrade);

std::unique_ptr<Dialect> make_native_dialect();
std::unique_ptr<Dialect> make_raw_dialect();
std::unique_ptr<Dialect> make_legacy_dialect();
/// By its name(); nothing for an unknown one.
std::unique_ptr<Dialect> make_dialect(std::string_view name);

/// Control messages larger than this are refused.
inline constexpr std::size_t kMaxControlBytes = 64 * 1024;

}  // namespace term::server
