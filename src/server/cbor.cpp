#include "server/cbor.h"

namespace term::server {

void CborWriter::head(unsigned major, std::uint64_t value) {
  const unsigned type = major << 5U;
  if (value < 24) {
    out_ += static_cast<char>(type | static_cast<unsigned>(value));
    return;
  }
  unsigned info = 24;  // One byte follows, or 2, 4, 8.
  unsigned size = 1;
  while (size < 8 && value >> (8U * size) != 0) {
    size *= 2;
    ++info;
  }
  out_ += static_cast<char>(type | info);
  for (unsigned i = size; i > 0; --i) out_ += static_cast<char>(value >> (8U * (i - 1)) & 0xFFU);
}

void CborWriter::string(unsigned major, std::string_view value) {
  head(major, value.size());
  out_ += value;
}

void CborReader::refuse(std::string_view expected) {
  if (!error_) error_ = Error{Errc::bad_snapshot, path_ + ": expected " + std::string(expected)};
}

void CborReader::refuse(std::string_view name, std::string_view expected) {
  if (error_) return;
  error_ =
      Error{Errc::bad_snapshot, path_ + std::string(name) + ": expected " + std::string(expected)};
}

std::optional<CborReader::Head> CborReader::head() {
  if (!ok()) return std::nullopt;
  if (rest_.empty()) {
    refuse("a value; the bytes end here");
    return std::nullopt;
  }
  const unsigned first = static_cast<unsigned char>(rest_.front());
  Head read{.major = first >> 5U, .info = first & 31U, .value = first & 31U};
  const std::size_t more = read.info < 24 ? 0 : std::size_t{1} << (read.info - 24U);
  if (read.info > 27 || rest_.size() <= more) {
    refuse(read.info > 27 ? "values of a known length" : "a value; the bytes end here");
    return std::nullopt;
  }
  if (more > 0) read.value = 0;
  for (std::size_t i = 1; i <= more; ++i)
    read.value = read.value << 8U | static_cast<unsigned char>(rest_[i]);
  rest_.remove_prefix(1 + more);
  return read;
}

std::uint64_t CborReader::begin(unsigned major, const char* expected) {
  const auto read = head();
  if (read && read->major == major) return read->value;
  refuse(expected);
  return 0;
}

std::string_view CborReader::cut(std::uint64_t size) {
  if (size > rest_.size()) {
    refuse("a value; the bytes end here");
    return {};
  }
  const auto bytes = rest_.substr(0, static_cast<std::size_t>(size));
  rest_.remove_prefix(bytes.size());
  return bytes;
}

std::string_view CborReader::take(unsigned major, const char* expected) {
  const auto size = begin(major, expected);
  return ok() ? cut(size) : std::string_view{};
}

bool CborReader::null() {
  if (!ok() || rest_.empty() || rest_.front() != static_cast<char>(0xf6)) return false;
  rest_.remove_prefix(1);
  return true;
}

void CborReader::text(std::string& out) {
  if (null()) return;
  const auto read = take(3, "a string");
  if (ok()) out = read;
}

void CborReader::bytes(std::string& out) {
  if (null()) return;
  const auto read = take(2, "bytes");
  if (ok()) out = read;
}

void CborReader::count(std::uint64_t& out, std::uint64_t max) {
  if (null()) return;
  const auto read = head();
  if (read && read->major == 0 && read->value <= max)
    out = read->value;
  else
    refuse("a whole number from 0 to " + std::to_string(max));
}

void CborReader::boolean(bool& out) {
  if (null()) return;
  const auto read = head();
  if (read && read->major == 7 && (read->info == 20 || read->info == 21))
    out = read->info == 21;
  else
    refuse("true or false");
}

/// Strings by their length; what is in a map, an array or behind a tag one by one.
void CborReader::skip(int levels) {
  const auto read = head();
  if (!read) return;
  if (levels == 0) return refuse("fewer levels");
  if (read->major == 2 || read->major == 3) (void)cut(read->value);
  const std::uint64_t each = read->major == 5 ? 2 : 1;
  const std::uint64_t inner = read->major == 4 || read->major == 5 ? read->value : 0;
  // A false length ends with the bytes.
  for (std::uint64_t i = 0; i < inner && ok(); ++i)
    for (std::uint64_t n = 0; n < each && ok(); ++n) skip(levels - 1);
  if (read->major == 6) skip(levels - 1);
}

std::string_view CborReader::raw() {
  const std::string_view before = rest_;
  skip();
  return before.substr(0, before.size() - rest_.size());
}

void CborReader::end() {
  if (!rest_.empty()) refuse("nothing behind it");
}

}  // namespace term::server
