#pragma once
// Where control sequences begin and end in terminal output (ECMA-48; xterm's ctlseqs).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace term {

/// One control sequence: [begin, end) of the text it was read from.
///
/// The text is UTF-8, as terminals read it: a single byte from 0x80 on is text, while a C1 control
/// encoded as two bytes (C2 9B is CSI) is a control. Source: xterm.js EscapeSequenceParser.
struct EscapeSequence {
  enum class Kind : std::uint8_t {
    escape,   ///< ESC, intermediates, one final byte.
    csi,      ///< Control sequence proper.
    osc,      ///< Operating system command; BEL ends it, too.
    dcs,      ///< Device control string.
    string,   ///< SOS, PM and APC.
    control,  ///< Any other C1 control.
  };
  enum class Ending : std::uint8_t {
    complete,
    aborted,  ///< By CAN, SUB or the begin of another one: the terminal ignores it.
    cut,      ///< The text ends first.
  };

  Kind kind = Kind::escape;
  Ending ending = Ending::complete;
  std::size_t begin = 0;
  std::size_t body = 0;      ///< Where the introducer ends.
  std::size_t body_end = 0;  ///< Where the terminator of a string begins; else `end`.
  std::size_t end = 0;
};

/// All of a sequence of `bytes` behind its introducer.
inline std::string_view body_of(std::string_view bytes, const EscapeSequence& sequence) {
  return bytes.substr(sequence.body, sequence.end - sequence.body);
}

/// The first place from `from` on where a sequence begins; bytes.size() if there is none.
std::size_t find_escape(std::string_view bytes, std::size_t from);

/// The sequence that begins at `at`, a place that find_escape() gave. Linear in its length.
EscapeSequence read_escape(std::string_view bytes, std::size_t at);

}  // namespace term
