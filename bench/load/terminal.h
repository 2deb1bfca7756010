#pragma once
// One session at a server, and the program that runs in it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/dialect.h"

namespace term::bench {

/// Connects, types its command into the shell, and hands the output on. Thread: the loop's.
class Terminal final : WsClient::Listener, DialectEvents {
 public:
  using Output = std::function<void(std::string_view)>;

  /// `command` is typed when the session is ready; empty: nothing is.
  Terminal(EventLoop& loop, const Options& options, std::string session, std::string command);
  ~Terminal() override;

  /// May be called again once closed; `resume`: the offset to ask for (native).
  void connect(std::optional<std::uint64_t> resume = std::nullopt);
  void type(std::string_view bytes) { dialect_->type(bytes); }
  /// Ends the session.
  void end() {
    if (client_.connected()) dialect_->end();
  }
  /// Leaves the session alone.
  void cut() { client_.cut(); }

  void on_output(Output output) { output_ = std::move(output); }
  void on_replay(Output replay) { replay_ = std::move(replay); }
  void tolerate_trouble() { tolerant_ = true; }

  bool ready() const { return ready_; }
  bool connected() const { return client_.connected(); }
  /// Why it cannot go on: closed, or in trouble.
  const std::optional<std::string>& failure() const { return failure_; }
  const std::string& session() const { return session_; }
  std::uint64_t messages() const { return client_.messages(); }
  std::size_t unsent() const { return client_.unsent(); }
  std::uint64_t first_offset() const { return first_offset_; }  ///< Of the last attach.
  std::uint64_t replay_until() const { return replay_until_; }

 private:
  void opened() override { dialect_->opened(); }
  void message(bool text, std::string_view payload) override { dialect_->message(text, payload); }
  void closed(int code, const std::string& reason) override;
  void session_ready() override;
  void output(std::string_view bytes) override {
    if (output_) output_(bytes);
  }
  void replay(std::string_view bytes) override;
  void at_offset(std::uint64_t offset, std::uint64_t until) override;
  void trouble(const std::string& what) override;

  const Options& options_;
  const std::string session_;
  std::string command_;
  WsClient client_;
  std::unique_ptr<Dialect> dialect_;
  Output output_;
  Output replay_;
  bool ready_ = false;
  bool tolerant_ = false;
  std::uint64_t first_offset_ = 0;
  std::uint64_t replay_until_ = 0;
  std::optional<std::string> failure_;
};

using Terminals = std::vector<std::unique_ptr<Terminal>>;

/// A name no other run uses.
std::string session_name(const Options& options, unsigned number);
/// `exec bench-source …`, as it is typed.
std::string source_command(const std::string& arguments);
/// Throws Unable, naming `what`, if a terminal fails or `done` does not hold in time.
void wait_for(EventLoop& loop, const Terminals& terminals, const std::string& what, Millis at_most,
              const std::function<bool()>& done);
/// Ends the sessions, so that no shell is left behind; gives up after some seconds.
void end_all(EventLoop& loop, const Terminals& terminals);

}  // namespace term::bench
