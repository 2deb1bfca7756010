#pragma once
// Numbered streams: every byte is known from its offset alone, so that whoever reads one can say
// which bytes are lost, repeated or wrong. Used by the clients and by the program in the session.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace term::test {

/// text: lines of 32 bytes with their number. binary: every byte value, evenly. heavy: mostly 0xFF
/// and 0x00, which marks in memory are most easily taken for. input: what is typed, see
/// InputRecord.
enum class Flavour { text, binary, heavy, input };

/// An endless stream of bytes, a pure function of flavour, seed and offset.
class NumberedStream {
 public:
  NumberedStream(Flavour flavour, std::uint64_t seed) : flavour_(flavour), seed_(seed) {}
  /// Bytes [offset, offset + n).
  std::string bytes(std::uint64_t offset, std::size_t n) const;

 private:
  void append_line(std::uint64_t line, std::string& out) const;
  void append_block(std::uint64_t block, std::string& out) const;

  Flavour flavour_;
  std::uint64_t seed_;
};

/// A reader's account of a numbered stream. After a difference it finds out where in the stream the
/// bytes belong, counts what was left out or came twice, and goes on from there.
class StreamCheck {
 public:
  explicit StreamCheck(NumberedStream stream) : stream_(stream) {}

  void feed(std::string_view bytes);
  /// These bytes were announced as gone.
  void skip(std::uint64_t bytes);
  /// No more will come; what could not be placed is wrong.
  void finish();

  std::uint64_t at() const { return at_; }  ///< Offset of the next byte expected.
  bool in_step() const { return suspect_.empty(); }
  bool exact() const { return lost + repeated + wrong == 0; }

  std::uint64_t checked = 0;  ///< Bytes found where they belong.
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t wrong = 0;  ///< Bytes that belong nowhere near.
  std::optional<std::uint64_t> first_wrong;
  std::string sample;  ///< What came there instead.

 private:
  void place();

  NumberedStream stream_;
  std::uint64_t at_ = 0;
  std::string suspect_;  ///< What came since the stream left its course.
};

/// What is typed: records of 16 bytes. The first byte is 0, the rest is numbered; only the last
/// record of a session differs, it says how the program is to end.
inline constexpr std::size_t kRecordBytes = 16;
struct Ending {
  int code = 0;    ///< Exit status, if `signal` is 0.
  int signal = 0;  ///< The program ends itself by it.
  int delay_ms = 0;
};
std::string ending_record(const Ending& ending);
std::optional<Ending> read_ending(std::string_view record);

/// What the program does, told by the id of its session: `KIND-NUMBER`.
struct Role {
  Flavour flavour = Flavour::text;
  std::uint64_t seed = 0;
  std::size_t block = 16;    ///< Bytes printed for each record typed.
  std::size_t free_kib = 0;  ///< Prints so much a second without being asked.
};
/// Kinds: text, binary, heavy (8 KiB a record), typing (16 bytes a record), free or free256 (text,
/// 256 KiB a second).
Role role_of(const std::string& session);
/// Printed before anything is typed; when it comes the program listens.
inline constexpr std::size_t kGreetingBytes = 64;
/// Printed just before the end.
inline constexpr std::size_t kLastWordsBytes = 96;

}  // namespace term::test
