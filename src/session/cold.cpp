#include "session/cold.h"

#include <ctime>

namespace term {

namespace {

/// Printable ASCII: a path of a file must not be able to write anything else into a terminal.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 200;
  std::string out;
  for (const char c : text.substr(0, kMost)) out += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > kMost ? out + "..." : out;
}

std::string utc(WallTime time) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const auto n = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text, n};
}

/// Ends whatever sequence the output broke off in (CAN, ST); leaves the alternate screen without
/// moving the cursor; soft reset; no mouse, bracketed paste or focus reports; colours off.
/// Source: DEC STD 070 (DECSTR), xterm ctlseqs.
constexpr std::string_view kCalm =
    "\x18\x1b\\\x1b[?1047l\x1b[!p\x1b[?1000;1002;1003;1004;1005;1006;1015;2004l\x1b>\x1b(B\x0f"
    "\x1b[m\r\n";

}  // namespace

std::string cold_note(WallTime saved_at, std::string_view directory, std::string_view wanted) {
  std::string line =
      "[session restored: state of " + utc(saved_at) + ", a new shell in " + shown(directory);
  if (directory != wanted && !wanted.empty()) line += ", since " + shown(wanted) + " is not there";
  return std::string(kCalm) + "\x1b[7m" + line + "]\x1b[m\r\n";
}

SessionSnapshot made_cold(SessionSnapshot saved, std::string_view note, WallTime now) {
  SessionRecord& record = saved.session;
  Lifecycle& life = record.lifecycle;
  if (life.transitions.size() >= kMaxTransitions) life.transitions.erase(life.transitions.begin());
  life.transitions.push_back({record.status, SessionState::starting, now, "restored cold"});
  life.state = record.status = SessionState::starting;
  life.entered_at = record.updated_at = record.last_activity = now;
  record.suspension.reset();
  record.disconnect = {};
  record.shell.clear();
  record.args.clear();

  StreamRecord fresh;
  fresh.data = std::move(saved.stream.data).value_or("");
  // Without its bytes the numbering goes on all the same.
  fresh.next_offset = saved.stream.next_offset + note.size();
  fresh.data->append(note);
  fresh.first_offset = fresh.next_offset - fresh.data->size();
  fresh.window = record.window;
  saved.stream = std::move(fresh);
  return saved;
}

}  // namespace term
