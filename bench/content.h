#pragma once
// What sessions print in a measurement: bytes that both ends can work out, so that every byte is
// checked while it is timed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace term::bench {

enum class Content { plain, colour, binary, long_lines, cjk };
std::optional<Content> content_named(std::string_view name);

/// Printed by the program where its bytes begin and end; in no typed command, and without a
/// newline, which a cooked tty would change.
inline constexpr std::string_view kStart = "<<bench:start>>";
inline constexpr std::string_view kEnd = "<<bench:end>>";

/// Whole lines (or whole characters) of about 60 KiB, printed over and over. As the source prints
/// it, or, `cooked`, as it leaves a tty that turns \n into \r\n.
class Pattern {
 public:
  Pattern(Content content, std::uint64_t seed, bool cooked);
  explicit Pattern(const std::string& repeated);

  std::size_t period() const { return period_; }
  /// How often it is printed to make at least so many MiB at the source.
  std::uint64_t periods(double mib) const;
  /// The bytes from `offset` of the endless stream on, at most `most` and at least one.
  std::string_view at(std::uint64_t offset, std::size_t most) const;

 private:
  std::size_t period_ = 0;
  std::size_t source_period_ = 0;
  std::string bytes_;  ///< The pattern repeated, so that long pieces of the stream are contiguous.
};

/// Judges output piece by piece: start marker, `total` bytes of the pattern, end marker, no more.
/// Without a total the pattern goes on for ever.
class StreamCheck {
 public:
  StreamCheck(const Pattern& pattern, std::optional<std::uint64_t> total);

  void feed(std::string_view bytes);
  bool started() const { return state_ != State::waiting; }
  bool done() const { return state_ == State::done; }
  /// What is wrong, once something is.
  const std::optional<std::string>& wrong() const { return wrong_; }
  /// Right bytes of the pattern so far.
  std::uint64_t received() const { return received_; }
  std::string_view before_start() const { return head_; }

 private:
  enum class State { waiting, running, ending, done };
  std::string_view find_start(std::string_view bytes);
  std::string_view compare(std::string_view bytes);
  std::string_view compare_end(std::string_view bytes);
  void fail(std::string_view expected, std::string_view seen);

  const Pattern& pattern_;
  const std::optional<std::uint64_t> total_;
  State state_ = State::waiting;
  std::string head_;  ///< Until the start: what a shell prints.
  std::uint64_t received_ = 0;
  std::size_t end_seen_ = 0;
  std::optional<std::string> wrong_;
};

}  // namespace term::bench
