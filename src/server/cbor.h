#pragma once
// CBOR (RFC 8949) written and read without a tree: what a hand-over carries of a thousand
// connections is read while their clients wait.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "session/types.h"

namespace term::server {

/// Appends to `out`. Whoever opens a map or an array of n must write n entries.
class CborWriter {
 public:
  explicit CborWriter(std::string& out) : out_(out) {}

  void map(std::size_t entries) { head(5, entries); }
  void array(std::size_t elements) { head(4, elements); }
  void text(std::string_view text) { string(3, text); }
  void bytes(std::string_view bytes) { string(2, bytes); }
  void count(std::uint64_t value) { head(0, value); }
  void boolean(bool value) { out_ += static_cast<char>(value ? 0xf5 : 0xf4); }
  void null() { out_ += static_cast<char>(0xf6); }
  /// A value as somebody else wrote it.
  void raw(std::string_view value) { out_ += value; }

  void text(std::string_view key, std::string_view value) { text(key), text(value); }
  void bytes(std::string_view key, std::string_view value) { text(key), bytes(value); }
  void count(std::string_view key, std::uint64_t value) { text(key), count(value); }
  void boolean(std::string_view key, bool value) { text(key), boolean(value); }

 private:
  void head(unsigned major, std::uint64_t value);
  void string(unsigned major, std::string_view value);
  std::string& out_;
};

/// Reads what it does not trust, front to back. A value of another type than asked for, or one that
/// is cut off, is remembered (the first only, with its place), and from then on all reads give
/// nothing. Null leaves the target as it is. Borrows the bytes.
///
/// `path` is what names the values in errors: `connection.` or empty.
class CborReader {
 public:
  CborReader(std::string_view bytes, std::string path) : rest_(bytes), path_(std::move(path)) {}

  /// For each entry of the map that comes next, `field(key)`, which reads the value or leaves it.
  template <class F>
  void map(F field) {
    const auto entries = begin(5, "a map");
    const std::size_t depth = path_.size();
    for (std::uint64_t i = 0; i < entries && ok(); ++i) {
      const std::string_view key = take(3, "a name");
      path_ += key;
      const std::size_t before = rest_.size();
      if (ok()) field(key);
      if (ok() && rest_.size() == before) skip();
      path_.resize(depth);
    }
  }
  /// The same of a map in a map; null and absent are alike.
  template <class F>
  void object(F field) {
    if (null()) return;
    path_ += '.';
    map(field);
    path_.pop_back();
  }
  /// For each element of the array that comes next, `element()`, which reads it.
  template <class F>
  void array(F element) {
    if (null()) return;
    const auto elements = begin(4, "an array");
    for (std::uint64_t i = 0; i < elements && ok(); ++i) {
      const std::size_t before = rest_.size();
      element();
      if (ok() && rest_.size() == before) skip();
    }
  }
  void text(std::string& out);
  void bytes(std::string& out);
  /// At most 2^53 - 1, as everywhere in our documents.
  void count(std::uint64_t& out, std::uint64_t max = (1ULL << 53U) - 1);
  void boolean(bool& out);
  /// The value that comes next as it is written.
  std::string_view raw();

  bool ok() const { return !error_; }
  /// Nothing may be left behind the value.
  void end();
  void refuse(std::string_view expected);
  /// Of the map or the field being read: `name` in it.
  void refuse(std::string_view name, std::string_view expected);
  const std::optional<Error>& error() const { return error_; }

 private:
  struct Head {
    unsigned major = 7;
    unsigned info = 0;
    std::uint64_t value = 0;
  };
  std::optional<Head> head();
  std::uint64_t begin(unsigned major, const char* expected);
  std::string_view take(unsigned major, const char* expected);
  std::string_view cut(std::uint64_t size);
  bool null();
  void skip(int levels = 64);

  std::string_view rest_;
  std::string path_;
  std::optional<Error> error_;
};

}  // namespace term::server
