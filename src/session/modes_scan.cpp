// Finding the sequences of a stream that set modes.

#include <algorithm>

#include "session/block_scan.h"
#include "session/modes.h"

namespace term {

namespace {

using Kind = EscapeSequence::Kind;
using Ending = EscapeSequence::Ending;

constexpr char kEsc = '\x1B';
constexpr char kShiftOut = '\x0E';
constexpr char kShiftIn = '\x0F';
constexpr char kC1Lead = '\xC2';  ///< C1 controls are C2 80 to C2 9F in UTF-8.

bool is_special(char c) { return c == kEsc || c == kC1Lead || c == kShiftOut || c == kShiftIn; }

bool is_c1(std::string_view bytes, std::size_t at) {
  const auto next = static_cast<unsigned char>(bytes[at + 1]);
  return next >= 0x80 && next < 0xA0;
}

/// The first special byte in [at, upto), or where fewer than eight are left.
std::size_t find_near(std::string_view bytes, std::size_t at, std::size_t upto) {
  for (; at + 8 <= upto; at += 8) {
    const Word word(bytes.data() + at);
    static_assert((kShiftOut | 1) == kShiftIn);
    if (const auto found = word.find(kEsc) | word.find(static_cast<unsigned char>(kC1Lead)) |
                           word.find(kShiftOut, 0xFE);
        found != 0)
      return at + Word::place(found);
  }
  return at;
}

/// The first place from `at` on where a mode may change.
std::size_t find_special(std::string_view bytes, std::size_t at) {
  // Sequences stand close together: a block would be looked at for each of them.
  at = find_near(bytes, at, std::min(bytes.size(), at + 16));
  if (at < bytes.size() && is_special(bytes[at])) return at;
  at =
      skip_blocks(bytes, at, [](char c) {  // Not is_special(): of its branches no vectors are made.
        return (c == kEsc) | (c == kC1Lead) | (c == kShiftOut) | (c == kShiftIn);
      });
  at = find_near(bytes, at, bytes.size());
  while (at < bytes.size() && !is_special(bytes[at])) ++at;
  return at;
}

/// Where the string or overlong sequence that an earlier scan stopped in ends; moves to `ground`
/// there. Returns the place of a byte that cannot be judged without the next one.
std::size_t leave_inside(TerminalModes& modes, std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    const bool last = at + 1 == bytes.size();
    std::size_t ends_at = 0;
    if (c == '\x18' || c == '\x1A' || (c == '\x07' && modes.inside == TerminalModes::osc)) {
      ends_at = at + 1;
    } else if (modes.inside == TerminalModes::csi) {
      if (c == kEsc) {
        modes.inside = TerminalModes::ground;
        return at;
      }
      if (c >= '@' && c <= '~') ends_at = at + 1;
    } else if (c == kEsc || c == kC1Lead) {
      if (last) return at;
      const bool c1 = c == kC1Lead && is_c1(bytes, at);
      const bool terminator = c == kEsc ? bytes[at + 1] == '\\' : c1 && bytes[at + 1] == '\x9C';
      if (terminator) {
        ends_at = at + 2;
      } else if (c == kEsc || c1) {
        modes.inside = TerminalModes::ground;
        return at;
      }
    }
    if (ends_at == 0) continue;
    modes.inside = TerminalModes::ground;
    return ends_at;
  }
  return bytes.size();
}

/// A sequence begins at `begin` and does not end in `bytes`: how much is dealt with?
std::size_t stop_within(TerminalModes& modes, std::string_view bytes,
                        const EscapeSequence& sequence) {
  const bool is_string = sequence.kind != Kind::escape && sequence.kind != Kind::csi;
  if (is_string) {
    modes.inside = sequence.kind == Kind::osc ? TerminalModes::osc : TerminalModes::string;
    const char last = bytes.back();
    const bool undecided = bytes.size() > sequence.body && (last == kEsc || last == kC1Lead);
    return bytes.size() - (undecided ? 1 : 0);
  }
  if (bytes.size() - sequence.begin <= kLongestSequence) return sequence.begin;
  modes.inside = sequence.kind == Kind::csi ? TerminalModes::csi : TerminalModes::ground;
  return bytes.size();
}

/// Reads `bytes` from a place on that is not inside anything.
class Scan {
 public:
  Scan(TerminalModes& modes, std::string_view bytes) : modes_(modes), bytes_(bytes) {}
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;

  std::size_t from(std::size_t at) {
    const std::size_t dealt_with = read(at);
    apply_owed();
    return dealt_with;
  }

 private:
  std::size_t read(std::size_t at);
  std::size_t take_sgr(std::size_t at);
  std::size_t take_csi(std::size_t at);
  void apply(const EscapeSequence& sequence) {
    apply_owed();
    apply_sequence(modes_, bytes_, sequence);
  }
  void apply_owed() {
    if (!owed_.empty()) apply_sgr(modes_.now.pen, read_csi(owed_));
    owed_ = {};
  }

  TerminalModes& modes_;
  const std::string_view bytes_;
  /// Behind the introducer of an SGR that is not applied yet: coloured output is full of such that
  /// are reset before anything else comes, and what is reset need not be read.
  std::string_view owed_;
};

/// Takes in an SGR at `at`, where `ESC [` stands, that is whole. Returns where it ends; `at` if it
/// is anything else.
std::size_t Scan::take_sgr(std::size_t at) {
  const std::size_t body = at + 2;
  std::size_t end = body;
  while (end < bytes_.size() && bytes_[end] >= '0' && bytes_[end] <= ';') ++end;
  if (end == bytes_.size() || bytes_[end] != 'm') return at;
  const bool resets =
      end == body || (bytes_[body] == '0' && (bytes_[body + 1] == 'm' || bytes_[body + 1] == ';'));
  if (!resets) apply_owed();
  owed_ = bytes_.substr(body, end + 1 - body);
  return end + 1;
}

/// Takes in a CSI at `at` that is whole and has no control in it, sooner than read_escape() would.
/// Returns where it ends; `at` if it is anything else.
std::size_t Scan::take_csi(std::size_t at) {
  if (bytes_.substr(at, 2) != "\x1B[") return at;
  if (const std::size_t end = take_sgr(at); end > at) return end;
  std::size_t end = at + 2;
  while (end < bytes_.size() && bytes_[end] >= ' ' && bytes_[end] <= '?') ++end;
  if (end == bytes_.size() || bytes_[end] < '@' || bytes_[end] > '~') return at;
  apply({.kind = Kind::csi, .begin = at, .body = at + 2, .body_end = end + 1, .end = end + 1});
  return end + 1;
}

std::size_t Scan::read(std::size_t at) {
  for (;;) {
    at = find_special(bytes_, at);
    if (at == bytes_.size()) return at;
    if (bytes_[at] == kShiftOut || bytes_[at] == kShiftIn) {
      modes_.now.shifted = bytes_[at] == kShiftOut ? 1 : 0;
      ++at;
      continue;
    }
    if (bytes_[at] == kC1Lead) {
      if (at + 1 == bytes_.size()) return at;
      if (!is_c1(bytes_, at)) {
        ++at;
        continue;
      }
    }
    if (const std::size_t end = take_csi(at); end > at) {
      at = end;
      continue;
    }
    const EscapeSequence sequence = read_escape(bytes_, at);
    if (sequence.ending == Ending::cut) return stop_within(modes_, bytes_, sequence);
    apply(sequence);
    at = sequence.end;
  }
}

}  // namespace

std::size_t scan_modes(TerminalModes& modes, std::string_view bytes) {
  std::size_t at = 0;
  if (modes.inside != TerminalModes::ground) {
    at = leave_inside(modes, bytes);
    if (modes.inside != TerminalModes::ground) return at;
  }
  return Scan(modes, bytes).from(at);
}

}  // namespace term
