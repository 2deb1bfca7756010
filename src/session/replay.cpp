#include "session/replay.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "session/escape.h"

namespace term {

namespace {

using Kind = EscapeSequence::Kind;
using Ending = EscapeSequence::Ending;

constexpr std::size_t kNowhere = std::string_view::npos;
constexpr std::size_t kLineSearchBytes = 4096;
constexpr char kEnq = '\x05';
constexpr char kCan = '\x18';
constexpr char kEsc = '\x1B';

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
bool is_parameter(char c) { return c >= '0' && c <= '?'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string without_controls(std::string_view text) {
  std::string out(text);
  std::erase_if(out, is_control);
  return out;
}

/// The number that `text` begins with; 0 without digits, and for one too big to mean anything.
unsigned leading_number(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? number : 0;
}

struct CsiQuery {
  char prefix;  ///< `<`, `=`, `>` or `?`; 0 without.
  std::string_view intermediates;
  char final;
};

/// Source: ctlseqs of xterm; sw.kovidgoyal.net/kitty/keyboard-protocol for CSI ? u.
constexpr std::array kCsiQueries{
    CsiQuery{0, "", 'c'},   CsiQuery{'>', "", 'c'},  CsiQuery{'=', "", 'c'},  // DA1, DA2, DA3
    CsiQuery{0, "", 'n'},   CsiQuery{'?', "", 'n'},                           // DSR
    CsiQuery{0, "$", 'p'},  CsiQuery{'?', "$", 'p'},                          // DECRQM
    CsiQuery{'>', "", 'q'},                                                   // XTVERSION
    CsiQuery{'?', "", 'u'},                                                   // kitty keyboard
    CsiQuery{'?', "", 'm'},                                                   // XTQMODKEYS
    CsiQuery{'?', "", 'S'},                                                   // XTSMGRAPHICS
    CsiQuery{0, "", 'x'},                                                     // DECREQTPARM
    CsiQuery{0, "*", 'y'},                                                    // DECRQCRA
    CsiQuery{0, "$", 'w'},  CsiQuery{0, "$", 'u'},                            // DECRQPSR, DECRQTSR
    CsiQuery{0, "&", 'u'},  CsiQuery{0, "\"", 'v'},                           // DECRQUPSS, DECRQDE
    CsiQuery{0, "'", '|'},                                                    // DECRQLP
    CsiQuery{0, "#", 'R'},  CsiQuery{0, "#", '|'},  // XTREPORTCOLORS, XTREPORTSGR
};

bool is_csi_query(const std::string& body) {
  std::string_view rest = body;
  const char final = rest.back();
  rest.remove_suffix(1);
  const char prefix = !rest.empty() && rest.front() >= '<' ? rest.front() : '\0';
  if (prefix != '\0') rest.remove_prefix(1);
  const auto* split = std::ranges::find_if_not(rest, is_parameter);
  const std::string_view parameters(rest.begin(), split);
  const std::string_view intermediates(split, rest.end());

  if (final == 't' && prefix == '\0' && intermediates.empty()) {  // Window reports.
    const unsigned operation = leading_number(parameters);
    return operation >= 11 && operation <= 21;
  }
  return std::ranges::any_of(kCsiQueries, [&](const CsiQuery& query) {
    return query.prefix == prefix && query.intermediates == intermediates && query.final == final;
  });
}

/// DECRQSS (DCS $ q) and XTGETTCAP (DCS + q), whatever the parameters.
bool is_dcs_query(std::string_view body) {
  std::string header;
  for (const char c : body) {
    if (is_control(c) || is_digit(c) || c == ';' || c == ':') continue;
    header += c;
    if (header.size() == 2) break;
  }
  return header == "$q" || header == "+q";
}

/// Calls `field` with each part of `text` between semicolons.
template <class Function>
void for_each_field(std::string_view text, Function field) {
  for (;;) {
    const std::size_t end = std::min(text.find(';'), text.size());
    field(text.substr(0, end));
    if (end == text.size()) return;
    text.remove_prefix(end + 1);
  }
}

/// OSC 4 and 5 hold pairs of index and colour: those that ask go, those that set stay.
std::string without_pair_queries(std::string_view pairs) {
  std::string kept;
  std::optional<std::string_view> index;
  for_each_field(pairs, [&](std::string_view field) {
    if (!index) {
      index = field;
      return;
    }
    if (field != "?") {
      kept.append(kept.empty() ? "" : ";").append(*index).append(";").append(field);
    }
    index.reset();
  });
  return kept;
}

/// OSC 10 to 19 hold colours for consecutive numbers: an empty one leaves its number as it is.
std::string without_colour_queries(std::string_view colours) {
  std::string kept;
  bool first = true;
  bool sets = false;
  for_each_field(colours, [&](std::string_view field) {
    if (!first) kept += ';';
    first = false;
    if (field == "?") return;
    kept += field;
    sets = sets || !field.empty();
  });
  return sets ? kept : "";
}

/// What follows the number of an OSC once nothing in it asks; nothing if it asks for nothing,
/// empty if it only asks.
std::optional<std::string> muted_osc(unsigned number, std::string_view rest) {
  if (rest.find('?') == kNowhere) return std::nullopt;
  std::string kept;
  if (number == 4 || number == 5) {
    kept = without_pair_queries(rest);
  } else if (number >= 10 && number <= 19) {
    kept = without_colour_queries(rest);
  } else if (number == 50) {
    if (!rest.starts_with('?')) return std::nullopt;
  } else if (number == 52) {
    const std::size_t data = rest.find(';');
    if (data == kNowhere || rest.substr(data + 1) != "?") return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (kept == rest) return std::nullopt;
  return kept;
}

std::optional<std::string> osc_replacement(std::string_view bytes, const EscapeSequence& osc) {
  const std::string body =
      without_controls(bytes.substr(osc.body, osc.body_end - osc.body));  // As xterm.js reads it.
  const std::size_t end = std::min(body.find(';'), body.size());
  if (end == 0 || end == body.size() || !std::ranges::all_of(body.substr(0, end), is_digit)) {
    return std::nullopt;
  }
  auto kept = muted_osc(leading_number(body), std::string_view(body).substr(end + 1));
  if (!kept || kept->empty()) return kept;
  return std::string(bytes.substr(osc.begin, osc.body - osc.begin)) + body.substr(0, end + 1) +
         *kept + std::string(bytes.substr(osc.body_end, osc.end - osc.body_end));
}

/// ESC and CSI sequences. Controls within them are carried out first, so they outlive a query; ENQ
/// is a query itself wherever it stands.
std::optional<std::string> ascii_replacement(std::string_view bytes,
                                             const EscapeSequence& sequence) {
  const std::string_view whole = bytes.substr(sequence.begin, sequence.end - sequence.begin);
  const std::string body = without_controls(body_of(bytes, sequence));
  const bool query = sequence.ending == Ending::complete &&
                     (sequence.kind == Kind::csi ? is_csi_query(body) : body == "Z");  // DECID
  if (!query && whole.find(kEnq) == kNowhere) return std::nullopt;
  std::string kept(whole);
  std::erase_if(kept,
                [query](char c) { return c == kEnq || (query && (!is_control(c) || c == kEsc)); });
  return kept;
}

/// What to put in place of a sequence; nothing if it may stay.
std::optional<std::string> replacement(std::string_view bytes, const EscapeSequence& sequence) {
  if (sequence.kind == Kind::escape || sequence.kind == Kind::csi) {
    return ascii_replacement(bytes, sequence);
  }
  if (sequence.ending != Ending::complete) return std::nullopt;
  const std::string_view whole = bytes.substr(sequence.begin, sequence.end - sequence.begin);
  const std::string_view body = bytes.substr(sequence.body, sequence.body_end - sequence.body);
  if (sequence.kind == Kind::osc) return osc_replacement(bytes, sequence);
  if (sequence.kind == Kind::dcs && is_dcs_query(body)) return "";
  if (sequence.kind == Kind::control && whole == "\xC2\x9A") return "";  // DECID as C1.
  return std::nullopt;
}

/// As find_escape(), in what the ring holds of [from, upto); `upto` if there is none.
Offset find_escape_in(const OutputRing& ring, Offset from, Offset upto) {
  const auto [head, rest] = ring.read(from, static_cast<std::size_t>(upto - from));
  const std::size_t at = find_escape({head.data(), head.size()}, 0);
  if (at < head.size() || rest.empty()) return from + at;
  // A C1 control around the end of the mapping.
  const Offset seam = from + head.size();
  if (find_escape(ring.copy(seam - 1, 2), 0) == 0) return seam - 1;
  return seam + find_escape({rest.data(), rest.size()}, 0);
}

/// The ring's bytes from `start` on, as many as a look needs; `whole` if there are no more.
struct Look {
  const OutputRing& ring;
  Offset start;
  std::string bytes;
  bool whole;

  Look(const OutputRing& held, Offset begin, std::size_t most)
      : ring(held),
        start(begin),
        bytes(held.copy(begin, most)),
        whole(begin + bytes.size() == held.next()) {}
};

/// Where the bytes, cut out of a stream at an unknown place, are surely outside a sequence that
/// began before them; beyond them if it takes more to tell. A string terminator without a string
/// tells that all before it was in one, unless a CAN has ended that already (cold_note()); digits
/// and a letter may be the end of a CSI, so they are not begun with where that costs little. What
/// comes at `upto` or later tells nothing.
std::size_t after_cut_sequence(const Look& look, Offset upto) {
  const Offset escape = find_escape_in(look.ring, look.start, upto);
  const std::string terminator = escape < upto ? look.ring.copy(escape, 2) : "";
  const auto before = static_cast<std::size_t>(escape - look.start);
  if ((terminator == "\x1B\\" || terminator == "\xC2\x9C") &&
      look.ring.copy(look.start, before).find(kCan) == kNowhere)
    return before + 2;

  const std::string_view bytes = look.bytes;
  std::size_t at = bytes.starts_with('[') ? 1 : 0;
  const std::size_t parameters = at;
  while (at < bytes.size() && is_parameter(bytes[at])) ++at;
  if (at == bytes.size() && !look.whole) return at;
  const bool final = at < bytes.size() && bytes[at] >= '@' && bytes[at] <= '~';
  return final && at > parameters ? at + 1 : parameters;
}

/// The first line start in [from, from + 4 KiB], else the first place at all that is outside of
/// characters and sequences; `outside` is one. The end if there is none. Nothing if it takes more
/// bytes to tell. The line that a CAN breaks off is not waited out: before a cold_note() it may be
/// all that was saved.
std::optional<std::size_t> first_safe(const Look& look, std::size_t outside, std::size_t from) {
  const std::string_view bytes = look.bytes;
  std::size_t lesser = kNowhere;
  for (std::size_t at = outside; at < bytes.size();) {
    const std::size_t escape = find_escape(bytes, at);
    for (std::size_t place = std::max(at, from); place <= escape; ++place) {
      const bool near = place - from <= kLineSearchBytes;
      if (!near && lesser != kNowhere) return lesser;
      const bool end = place == bytes.size();
      if (end && !look.whole) return std::nullopt;
      if (!end && is_continuation(bytes[place])) continue;
      if (near && place > 0 && bytes[place - 1] == '\n') return place;
      if (lesser == kNowhere) lesser = place;
      if (!end && bytes[place] == kCan) return lesser;
    }
    if (escape == bytes.size()) break;
    const EscapeSequence sequence = read_escape(bytes, escape);
    if (sequence.ending == Ending::cut) break;
    at = sequence.end;
    if (lesser != kNowhere && bytes.substr(escape, at - escape).find(kCan) != kNowhere)
      return lesser;
  }
  if (!look.whole) return std::nullopt;
  return std::min(lesser, bytes.size());
}

}  // namespace

Offset safe_replay_start(const OutputRing& ring, Offset from, std::optional<Offset> outside) {
  from = std::clamp(from, ring.first(), ring.next());
  if (from == 0 || from == ring.next()) return from;
  // A look back tells whether `from` itself is in the middle of something.
  const Offset start = from - std::min<Offset>(from - ring.first(), kLineSearchBytes);
  const Offset upto = std::clamp(outside.value_or(ring.next()), start, ring.next());
  std::optional<std::size_t> found;
  for (std::size_t most = 4 * kLineSearchBytes; !found; most = kNowhere) {
    const Look look(ring, start, most);
    const std::size_t begin = start == 0 ? 0 : after_cut_sequence(look, upto);
    found = first_safe(look, begin, static_cast<std::size_t>(from - start));
  }
  return start + *found;
}

std::string mute_queries(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  std::size_t copied = 0;
  const auto put = [&](std::size_t begin, std::string_view instead, std::size_t end) {
    out.append(bytes, copied, begin - copied).append(instead);
    copied = end;
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t escape = find_escape(bytes, at);
    const std::string_view text = bytes.substr(0, escape);
    while ((at = text.find(kEnq, at)) != kNowhere) {
      put(at, "", at + 1);
      ++at;
    }
    if (escape == bytes.size()) break;
    const EscapeSequence sequence = read_escape(bytes, escape);
    if (const auto instead = replacement(bytes, sequence)) put(escape, *instead, sequence.end);
    at = sequence.end;
  }
  out.append(bytes, copied);
  return out;
}

}  // namespace term
