#include "support/numbered.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>

namespace term::test {

namespace {

constexpr std::size_t kLine = 32;
constexpr std::size_t kBlock = 8;
/// So many bytes place a piece of stream without doubt, even in the heavy flavour.
constexpr std::size_t kPlacedBy = 96;
/// How far from its place a piece is looked for; more than any ring holds.
constexpr std::uint64_t kReach = 4 * 1024 * 1024;
constexpr std::size_t kFreeKib = 256;
constexpr std::string_view kEndingMark =
    "\x7f"
    "end.of.in";

std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

void NumberedStream::append_line(std::uint64_t line, std::string& out) const {
  std::array<char, kLine> text;
  text.fill('0');
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < 8; ++i) text[i] = kHex[(seed_ >> (4 * i)) & 15];
  text[8] = ' ';
  for (std::size_t i = kLine - 2; i > 8 && line > 0; --i, line /= 10)
    text[i] = static_cast<char>('0' + line % 10);
  text[kLine - 1] = '\n';
  out.append(text.data(), text.size());
}

void NumberedStream::append_block(std::uint64_t block, std::string& out) const {
  const std::uint64_t word = mix(seed_ ^ mix(block));
  const std::uint64_t choice = mix(word);
  for (std::size_t i = 0; i < kBlock; ++i) {
    char byte = static_cast<char>(word >> (8 * i));
    if (flavour_ == Flavour::heavy) {
      const auto pick = (choice >> (2 * i)) & 3;
      if (pick < 2) byte = '\xff';
      if (pick == 2) byte = '\0';
    }
    if (flavour_ == Flavour::input && (block * kBlock + i) % kRecordBytes == 0) byte = '\0';
    out.push_back(byte);
  }
}

std::string NumberedStream::bytes(std::uint64_t offset, std::size_t n) const {
  const std::size_t unit = flavour_ == Flavour::text ? kLine : kBlock;
  const std::size_t skip = offset % unit;
  std::string out;
  out.reserve(n + 2 * unit);
  for (std::uint64_t at = offset / unit; out.size() < skip + n; ++at) {
    if (flavour_ == Flavour::text) {
      append_line(at, out);
    } else {
      append_block(at, out);
    }
  }
  out.erase(0, skip);
  out.resize(n);
  return out;
}

void StreamCheck::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!suspect_.empty()) {
      const std::size_t take = std::min(bytes.size(), kPlacedBy - suspect_.size());
      suspect_ += bytes.substr(0, take);
      bytes.remove_prefix(take);
      if (suspect_.size() == kPlacedBy) place();
      continue;
    }
    const std::string expected = stream_.bytes(at_, bytes.size());
    const auto differs = std::ranges::mismatch(bytes, expected).in1;
    const auto same = static_cast<std::size_t>(differs - bytes.begin());
    at_ += same;
    checked += same;
    bytes.remove_prefix(same);
    if (bytes.empty()) return;
    if (!first_wrong) {
      first_wrong = at_;
      sample = bytes.substr(0, 200);
    }
    suspect_ += bytes.front();
    bytes.remove_prefix(1);
  }
}

void StreamCheck::place() {
  const std::uint64_t from = at_ > kReach ? at_ - kReach : 0;
  const std::string around = stream_.bytes(from, static_cast<std::size_t>(at_ - from + kReach));
  const std::boyer_moore_horspool_searcher searcher(suspect_.begin(), suspect_.end());
  // The nearest place: ahead first, which is what a loss looks like, then behind.
  auto found =
      std::search(around.begin() + static_cast<std::ptrdiff_t>(at_ - from), around.end(), searcher);
  if (found == around.end()) found = std::search(around.begin(), around.end(), searcher);
  const std::size_t placed = suspect_.size();
  suspect_.clear();
  if (found == around.end()) {
    wrong += placed;
    at_ += placed;
    return;
  }
  const std::uint64_t place = from + static_cast<std::uint64_t>(found - around.begin());
  if (place > at_) {
    lost += place - at_;
  } else {
    repeated += at_ - place;
  }
  at_ = place + placed;
  checked += placed;
}

void StreamCheck::skip(std::uint64_t bytes) {
  finish();
  at_ += bytes;
}

void StreamCheck::finish() {
  wrong += suspect_.size();
  at_ += suspect_.size();
  suspect_.clear();
}

std::string ending_record(const Ending& ending) {
  std::string record{'\x01', static_cast<char>(ending.code), static_cast<char>(ending.signal),
                     static_cast<char>(ending.delay_ms), static_cast<char>(ending.delay_ms >> 8)};
  record += kEndingMark;
  record.resize(kRecordBytes, '\x01');
  return record;
}

std::optional<Ending> read_ending(std::string_view record) {
  if (record.size() != kRecordBytes || record[0] != '\x01') return std::nullopt;
  if (record.substr(5, kEndingMark.size()) != kEndingMark) return std::nullopt;
  const auto number = [&](std::size_t i) { return static_cast<unsigned char>(record[i]); };
  return Ending{.code = number(1), .signal = number(2), .delay_ms = number(3) | number(4) << 8};
}

Role role_of(const std::string& session) {
  Role role;
  role.seed = mix(std::hash<std::string>{}(session));
  const std::string kind = session.substr(0, session.find('-'));
  if (kind == "binary" || kind == "typing") role.flavour = Flavour::binary;
  if (kind == "heavy") role.flavour = Flavour::heavy;
  if (kind == "text" || kind == "binary" || kind == "heavy") role.block = 8 * 1024;
  if (kind.starts_with("free"))
    role.free_kib = kind.size() > 4 ? std::stoul(kind.substr(4)) : kFreeKib;
  return role;
}

}  // namespace term::test
