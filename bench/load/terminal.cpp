#include "load/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace term::bench {

Terminal::Terminal(EventLoop& loop, const Options& options, std::string session,
                   std::string command)
    : options_(options),
      session_(std::move(session)),
      command_(std::move(command)),
      client_(loop, *this) {}

Terminal::~Terminal() = default;

void Terminal::connect(std::optional<std::uint64_t> resume) {
  ready_ = false;
  failure_.reset();
  dialect_ = make_dialect(options_, client_, *this, resume);
  client_.connect(options_.url->port, dialect_->target(session_), dialect_->subprotocol());
}

void Terminal::closed(int code, const std::string& reason) {
  ready_ = false;
  if (!failure_) failure_ = "closed: " + std::to_string(code) + " " + reason;
}

void Terminal::session_ready() {
  ready_ = true;
  if (!command_.empty()) type(std::exchange(command_, {}));
}

void Terminal::replay(std::string_view bytes) {
  if (replay_) {
    replay_(bytes);
  } else {
    output(bytes);
  }
}

void Terminal::at_offset(std::uint64_t offset, std::uint64_t until) {
  first_offset_ = offset;
  replay_until_ = until;
}

void Terminal::trouble(const std::string& what) {
  if (!tolerant_ && !failure_) failure_ = what;
}

std::string session_name(const Options& options, unsigned number) {
  return options.session_prefix + "-" + std::to_string(::getpid()) + "-" + std::to_string(number);
}

std::string source_command(const std::string& arguments) {
  return "exec " + source_path() + " " + arguments + "\n";
}

void wait_for(EventLoop& loop, const Terminals& terminals, const std::string& what, Millis at_most,
              const std::function<bool()>& done) {
  const auto failed = [&] {
    return std::find_if(terminals.begin(), terminals.end(),
                        [](const auto& one) { return one->failure().has_value(); });
  };
  // Asking a thousand at each turn would be felt in what is measured.
  unsigned turn = 0;
  const bool in_time = loop.run_until(
      [&] { return done() || (++turn % 32 == 0 && failed() != terminals.end()); }, at_most);
  if (const auto one = failed(); one != terminals.end() && !done())
    throw Unable(what + ": session " + (*one)->session() + " " + *(*one)->failure());
  if (!in_time) throw Unable(what + ": not within " + std::to_string(at_most.count()) + " ms");
}

void end_all(EventLoop& loop, const Terminals& terminals) {
  for (const auto& one : terminals) {
    one->on_output({});
    one->end();
  }
  const auto closed = [](const auto& one) { return !one->connected(); };
  loop.run_until([&] { return std::all_of(terminals.begin(), terminals.end(), closed); },
                 Millis(5000));
  for (const auto& one : terminals) one->cut();
}

}  // namespace term::bench
