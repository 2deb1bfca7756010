#include "session/escape.h"

#include "session/block_scan.h"

namespace term {

namespace {

using Kind = EscapeSequence::Kind;
using Ending = EscapeSequence::Ending;

constexpr unsigned kBel = 0x07;
constexpr unsigned kCan = 0x18;
constexpr unsigned kSub = 0x1A;
constexpr unsigned kEsc = 0x1B;
constexpr unsigned kDel = 0x7F;
constexpr unsigned kStringTerminator = 0x9C;
constexpr unsigned kText = 0x100;  ///< Any part of a character beyond the C1 controls.

struct Symbol {
  unsigned code = 0;
  std::size_t size = 1;
};

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

Symbol symbol_at(std::string_view bytes, std::size_t at) {
  const unsigned byte = byte_at(bytes, at);
  if (byte < 0x80) return {byte, 1};
  if (byte == 0xC2 && at + 1 < bytes.size()) {
    const unsigned next = byte_at(bytes, at + 1);
    if (next >= 0x80 && next < 0xA0) return {next, 2};
  }
  return {kText, 1};
}

bool ends_any(unsigned code) { return code == kCan || code == kSub; }
bool executed_within(unsigned code) { return (code < 0x20 && code != kEsc) || code == kDel; }

/// What ends a sequence of plain ASCII early; `end` is where the next thing begins.
bool aborts(Symbol symbol, EscapeSequence& sequence, std::size_t at) {
  if (!ends_any(symbol.code) && symbol.code != kEsc && symbol.code < 0x80) return false;
  sequence.ending = Ending::aborted;
  sequence.end = ends_any(symbol.code) ? at + 1 : at;
  sequence.body_end = sequence.end;
  return true;
}

void cut(std::string_view bytes, EscapeSequence& sequence) {
  sequence.ending = Ending::cut;
  sequence.end = bytes.size();
  sequence.body_end = bytes.size();
}

void read_csi(std::string_view bytes, EscapeSequence& sequence) {
  for (std::size_t at = sequence.body; at < bytes.size(); ++at) {
    const Symbol symbol = symbol_at(bytes, at);
    if (aborts(symbol, sequence, at)) return;
    if (symbol.code >= 0x40 && symbol.code != kDel) {
      sequence.end = at + 1;
      sequence.body_end = at + 1;
      return;
    }
  }
  cut(bytes, sequence);
}

void end_string(EscapeSequence& sequence, std::size_t at, std::size_t terminator) {
  sequence.body_end = at;
  sequence.end = at + terminator;
}

void read_string(std::string_view bytes, EscapeSequence& sequence) {
  std::size_t at = sequence.body;
  while (at < bytes.size()) {
    const Symbol symbol = symbol_at(bytes, at);
    if (symbol.code == kEsc) {
      if (at + 1 == bytes.size()) break;
      // xterm.js takes any ESC for the end and carries the string out.
      return end_string(sequence, at, bytes[at + 1] == '\\' ? 2 : 0);
    }
    if (symbol.code == kBel && sequence.kind == Kind::osc) return end_string(sequence, at, 1);
    if (symbol.code == kStringTerminator) return end_string(sequence, at, symbol.size);
    if (symbol.code != kText && aborts(symbol, sequence, at)) return;
    at += symbol.size;
  }
  cut(bytes, sequence);
}

/// Reads on behind an introducer; `c1` is what it says as a C1 control.
void read_introduced(std::string_view bytes, EscapeSequence& sequence, unsigned c1) {
  switch (c1) {
    case 0x9B:
      sequence.kind = Kind::csi;
      return read_csi(bytes, sequence);
    case 0x9D:
      sequence.kind = Kind::osc;
      return read_string(bytes, sequence);
    case 0x90:
      sequence.kind = Kind::dcs;
      return read_string(bytes, sequence);
    case 0x98:
    case 0x9E:
    case 0x9F:
      sequence.kind = Kind::string;
      return read_string(bytes, sequence);
    default:
      sequence.end = sequence.body;
      sequence.body_end = sequence.body;
  }
}

bool introduces(unsigned c) {
  return c == '[' || c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_';
}

void read_after_esc(std::string_view bytes, EscapeSequence& sequence) {
  sequence.kind = Kind::escape;
  bool intermediates = false;
  for (std::size_t at = sequence.body; at < bytes.size(); ++at) {
    const Symbol symbol = symbol_at(bytes, at);
    if (aborts(symbol, sequence, at)) return;
    if (executed_within(symbol.code)) continue;
    if (symbol.code < 0x30) {
      intermediates = true;
      continue;
    }
    sequence.end = at + 1;
    sequence.body_end = at + 1;
    if (!intermediates && introduces(symbol.code)) {
      sequence.body = at + 1;
      read_introduced(bytes, sequence, symbol.code + 0x40);
    }
    return;
  }
  cut(bytes, sequence);
}

}  // namespace

std::size_t find_escape(std::string_view bytes, std::size_t from) {
  const auto rare = [](char c) { return (c == '\x1B') | (c == '\xC2'); };
  for (std::size_t at = skip_blocks(bytes, from, rare); at < bytes.size(); ++at) {
    const unsigned byte = byte_at(bytes, at);
    if (byte == kEsc) return at;
    if (byte != 0xC2) continue;
    if (symbol_at(bytes, at).code != kText) return at;
    at = skip_blocks(bytes, at + 1, rare) - 1;  // A character of that lead byte.
  }
  return bytes.size();
}

EscapeSequence read_escape(std::string_view bytes, std::size_t at) {
  EscapeSequence sequence;
  const Symbol introducer = symbol_at(bytes, at);
  sequence.begin = at;
  sequence.body = at + introducer.size;
  if (introducer.code == kEsc) {
    read_after_esc(bytes, sequence);
  } else {
    sequence.kind = Kind::control;
    read_introduced(bytes, sequence, introducer.code);
  }
  return sequence;
}

}  // namespace term
