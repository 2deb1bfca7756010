#include <algorithm>
#include <optional>
#include <string>

#include "session/snapshot_json.h"

namespace term {

namespace {
using namespace std::chrono;

constexpr WallTime kFirst{sys_days{year{0} / January / 1}};
constexpr WallTime kLast{sys_days{year{10000} / January / 1} - Millis{1}};

/// Takes digits and separators off the front of a text; remembers whether all of it fitted.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  int number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!digit()) return 0;
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  void expect(char c) { ok_ = take(c) && ok_; }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Decimals of a second, any number of them, as milliseconds.
  int decimals() {
    int value = 0;
    int unit = 100;
    do {
      value += unit * number(1);
      unit /= 10;
    } while (ok_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9');
    return value;
  }
  bool all() const { return ok_ && rest_.empty(); }

 private:
  bool digit() {
    ok_ = ok_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9';
    return ok_;
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// `Z`, `+hh:mm` or `-hh:mm`.
std::optional<minutes> zone(Scanner& text) {
  if (text.take('Z')) return minutes{0};
  const bool west = text.take('-');
  if (!west) text.expect('+');
  const int hour = text.number(2);
  text.expect(':');
  const int minute = text.number(2);
  if (hour > 23 || minute > 59) return std::nullopt;
  const minutes offset{hour * 60 + minute};
  return west ? -offset : offset;
}

void put_digits(std::string& text, std::size_t at, std::size_t digits, unsigned value) {
  for (std::size_t i = at + digits; i > at; value /= 10)
    text[--i] = static_cast<char>('0' + value % 10);
}
}  // namespace

std::string iso_time(WallTime time) {
  time = std::clamp(time, kFirst, kLast);
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  std::string text = "0000-00-00T00:00:00.000Z";
  put_digits(text, 0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(text, 5, 2, static_cast<unsigned>(date.month()));
  put_digits(text, 8, 2, static_cast<unsigned>(date.day()));
  put_digits(text, 11, 2, static_cast<unsigned>(clock.hours().count()));
  put_digits(text, 14, 2, static_cast<unsigned>(clock.minutes().count()));
  put_digits(text, 17, 2, static_cast<unsigned>(clock.seconds().count()));
  put_digits(text, 20, 3, static_cast<unsigned>(clock.subseconds().count()));
  return text;
}

Result<WallTime> parse_iso_time(std::string_view text) {
  const Error bad{Errc::bad_argument, "expected a time like 2026-11-22T10:00:00.000Z"};
  Scanner scan(text);
  const int y = scan.number(4);
  scan.expect('-');
  const int m = scan.number(2);
  scan.expect('-');
  const int d = scan.number(2);
  scan.expect('T');
  const int hour = scan.number(2);
  scan.expect(':');
  const int minute = scan.number(2);
  scan.expect(':');
  const int second = scan.number(2);
  const int milli = scan.take('.') ? scan.decimals() : 0;
  const auto offset = zone(scan);
  const year_month_day date{year{y}, month{static_cast<unsigned>(m)},
                            std::chrono::day{static_cast<unsigned>(d)}};
  if (!scan.all() || !offset || !date.ok()) return bad;
  if (hour > 23 || minute > 59 || second > 59) return bad;
  return WallTime{sys_days{date} + hours{hour} + minutes{minute} + seconds{second} + Millis{milli} -
                  *offset};
}

}  // namespace term
