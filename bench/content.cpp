#include "content.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace term::bench {

namespace {

constexpr std::size_t kAboutBytes = 60'000;
constexpr std::size_t kContiguous = 256 * 1024;
constexpr std::size_t kHeadBytes = 1024 * 1024;
constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-/:=()_\"'";

/// splitmix64: a few lines, the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }

 private:
  std::uint64_t state_;
};

void append_text(std::string& out, Random& random, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += kLetters[random.below(kLetters.size())];
}

void append_coloured_line(std::string& out, Random& random) {
  for (std::size_t words = 4 + random.below(8); words > 0; --words) {
    out += "\x1b[" + std::to_string(30 + random.below(8)) + (random.below(2) ? ";1m" : "m");
    append_text(out, random, 2 + random.below(12));
    out += "\x1b[0m ";
  }
  out += '\n';
}

/// Ideographs, and now and then something outside the basic plane.
void append_cjk_line(std::string& out, Random& random) {
  for (std::size_t n = 20 + random.below(20); n > 0; --n) {
    if (random.below(16) == 0) {
      out += "\xf0\x9f\x98";
      out += static_cast<char>(0x80 + random.below(0x40));
    } else {
      const std::size_t code = 0x4e00 + random.below(0x5000);
      out += static_cast<char>(0xe0 | code >> 12);
      out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
      out += static_cast<char>(0x80 | (code & 0x3f));
    }
  }
  out += '\n';
}

void append_some(std::string& out, Random& random, Content content) {
  switch (content) {
    case Content::plain:
      append_text(out, random, 40 + random.below(70));
      out += '\n';
      return;
    case Content::colour:
      return append_coloured_line(out, random);
    case Content::binary:
      for (int i = 0; i < 64; ++i) out += static_cast<char>(random.below(256));
      return;
    case Content::long_lines:
      append_text(out, random, 9'000 + random.below(3'000));
      out += '\n';
      return;
    case Content::cjk:
      return append_cjk_line(out, random);
  }
}

std::string generate(Content content, std::uint64_t seed) {
  Random random(seed);
  std::string out;
  while (out.size() < kAboutBytes) append_some(out, random, content);
  return out;
}

std::string through_cooked_tty(const std::string& raw) {
  std::string out;
  for (const char c : raw) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

std::string repeated_to(const std::string& one, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += one;
  return out;
}

/// A few bytes for a message, with what cannot be printed as \xNN.
std::string shown(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : bytes.substr(0, 40)) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[code >> 4];
      out += kHex[code & 15];
    }
  }
  return out;
}

}  // namespace

std::optional<Content> content_named(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"plain", "colour", "binary", "long-lines",
                                                   "cjk"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Content>(found - kNames.begin());
}

Pattern::Pattern(Content content, std::uint64_t seed, bool cooked) {
  const std::string raw = generate(content, seed);
  source_period_ = raw.size();
  const std::string one = cooked ? through_cooked_tty(raw) : raw;
  period_ = one.size();
  bytes_ = repeated_to(one, period_ + kContiguous);
}

Pattern::Pattern(const std::string& repeated)
    : period_(repeated.size()),
      source_period_(repeated.size()),
      bytes_(repeated_to(repeated, period_ + kContiguous)) {}

std::uint64_t Pattern::periods(double mib) const {
  return static_cast<std::uint64_t>(
      std::ceil(mib * 1024 * 1024 / static_cast<double>(source_period_)));
}

std::string_view Pattern::at(std::uint64_t offset, std::size_t most) const {
  return std::string_view(bytes_).substr(static_cast<std::size_t>(offset % period_), most);
}

StreamCheck::StreamCheck(const Pattern& pattern, std::optional<std::uint64_t> total)
    : pattern_(pattern), total_(total) {}

void StreamCheck::feed(std::string_view bytes) {
  if (wrong_) return;
  if (state_ == State::waiting) bytes = find_start(bytes);
  if (state_ == State::running) bytes = compare(bytes);
  if (state_ == State::ending) bytes = compare_end(bytes);
  if (state_ == State::done && !bytes.empty()) fail("", bytes);
}

std::string_view StreamCheck::find_start(std::string_view bytes) {
  const std::size_t before = head_.size();
  head_ += bytes;
  const auto found = head_.find(kStart, before - std::min(before, kStart.size()));
  if (found == std::string::npos) {
    if (head_.size() > kHeadBytes) fail(kStart, head_);
    return {};
  }
  state_ = State::running;
  const std::size_t end = found + kStart.size();
  head_.resize(found);
  return bytes.substr(end - before);
}

std::string_view StreamCheck::compare(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t most = bytes.size();
    if (total_) most = static_cast<std::size_t>(std::min<std::uint64_t>(most, *total_ - received_));
    if (most == 0) break;
    const std::string_view expected = pattern_.at(received_, most);
    if (std::memcmp(expected.data(), bytes.data(), expected.size()) != 0) {
      const auto same = std::mismatch(expected.begin(), expected.end(), bytes.begin()).first;
      const auto n = static_cast<std::size_t>(same - expected.begin());
      received_ += n;
      fail(expected.substr(n), bytes.substr(n));
      return {};
    }
    received_ += expected.size();
    bytes.remove_prefix(expected.size());
  }
  if (total_ && received_ == *total_) state_ = State::ending;
  return bytes;
}

std::string_view StreamCheck::compare_end(std::string_view bytes) {
  const std::string_view expected = kEnd.substr(end_seen_, bytes.size());
  if (!bytes.starts_with(expected)) {
    fail(expected, bytes);
    return {};
  }
  end_seen_ += expected.size();
  if (end_seen_ == kEnd.size()) state_ = State::done;
  return bytes.substr(expected.size());
}

void StreamCheck::fail(std::string_view expected, std::string_view seen) {
  wrong_ = "after " + std::to_string(received_) + " bytes: expected \"" + shown(expected) +
           "\", got \"" + shown(seen) + "\"";
}

}  // namespace term::bench
