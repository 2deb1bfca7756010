#pragma once
// Reads the fields of a JSON object we do not trust: every one checked, the first wrong one named.

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "session/types.h"

namespace term {

/// Numbers that JSON carries exactly everywhere (PROTOCOLS.md 2).
inline constexpr std::uint64_t kMaxJsonInteger = (1ULL << 53U) - 1;
/// How deep a JSON value we keep may be nested: writing it out recurses.
inline constexpr int kMaxJsonDepth = 64;
bool nested_deeper(const nlohmann::json& value, int levels);

/// Bytes as they are: for CBOR, which JSON text cannot carry.
nlohmann::json bytes_json(std::string_view bytes);
/// Nothing if `object` has no bytes under that name.
std::optional<std::string> bytes_in(const nlohmann::json& object, const char* name);

/// One JSON object being read. A missing field leaves its target as it is; a wrong one is
/// remembered (the first only) and leaves it, too. Borrows the object and the place for the error.
///
/// `path` is what names the fields in errors: `viewers[2].` or empty at the top.
class JsonFields final {
 public:
  JsonFields(const nlohmann::json& object, std::string path, std::optional<Error>& error);

  bool has(const std::string& key);
  void text(const std::string& key, std::string& out);
  /// Text that goes to the operating system: no NUL in it.
  void os_text(const std::string& key, std::string& out);
  void optional_text(const std::string& key, std::optional<std::string>& out);
  void bytes(const std::string& key, std::string& out);  ///< As bytes_json() gives them.
  void boolean(const std::string& key, bool& out);
  void real(const std::string& key, double& out);  ///< 0 or more.
  void count(const std::string& key, std::uint64_t& out, std::uint64_t max = kMaxJsonInteger);
  void integer(const std::string& key, int& out, int min, int max);
  void optional_integer(const std::string& key, std::optional<int>& out, int min, int max);
  void time(const std::string& key, WallTime& out);
  void optional_time(const std::string& key, std::optional<WallTime>& out);
  void millis(const std::string& key, Millis& out);
  /// `cols` and `rows` of this object.
  void window(WindowSize& out);
  void state(const std::string& key, SessionState& out);

  /// The object there, read by `read`; null counts as missing.
  void object(const std::string& key, const std::function<void(JsonFields&)>& read);
  /// Each element of the array there.
  void array(const std::string& key, const std::function<void(JsonFields&)>& read_object);
  void texts(const std::string& key, const std::function<void(const std::string&)>& take);
  void counts(const std::string& key, const std::function<void(std::uint64_t)>& take);
  /// The value itself, or none when missing or null; counts as known from now on.
  const nlohmann::json* value(const std::string& key);
  /// Fields nobody asked for: the unknown ones, or before any question all of them.
  std::set<std::string> unread() const;

  bool ok() const { return !error_; }
  /// Remembers that a field is not what was expected.
  void refuse(std::string_view key, std::string_view expected);

 private:
  std::string path_of(std::string_view key) const { return path_ + std::string(key); }
  void elements(const std::string& key,
                const std::function<void(const nlohmann::json&, const std::string&)>& read);

  const nlohmann::json& object_;
  std::string path_;
  std::optional<Error>& error_;
  std::set<std::string> known_;
};

/// A state by its dialect name, its canonical one, or one that either generation used.
std::optional<SessionState> state_from_name(std::string_view name);

}  // namespace term
