#include "session/json_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "session/snapshot_json.h"

namespace term {

using nlohmann::json;

namespace {
std::string range(std::int64_t min, std::int64_t max) {
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

/// The whole number in a value, if it is one within [min, max].
std::optional<std::int64_t> whole(const json& value, std::int64_t min, std::int64_t max) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return std::nullopt;
    }
  }
  const auto number = value.get<std::int64_t>();
  if (number < min || number > max) return std::nullopt;
  return number;
}
}  // namespace

bool nested_deeper(const json& value, int levels) {
  if (!value.is_structured()) return false;
  if (levels == 0) return true;
  return std::ranges::any_of(value,
                             [&](const json& inner) { return nested_deeper(inner, levels - 1); });
}

std::optional<SessionState> state_from_name(std::string_view name) {
  using enum SessionState;
  static const std::map<std::string_view, SessionState> kNames{
      {"starting", starting},   {"connecting", starting}, {"initializing", starting},
      {"ready", starting},      {"attached", attached},   {"active", attached},
      {"detached", detached},   {"inactive", detached},   {"disconnected", detached},
      {"suspended", suspended}, {"failed", failed},       {"error", failed},
      {"closing", closed},      {"closed", closed}};
  const auto found = kNames.find(name);
  if (found == kNames.end()) return std::nullopt;
  return found->second;
}

json bytes_json(std::string_view bytes) { return json::binary({bytes.begin(), bytes.end()}); }

std::optional<std::string> bytes_in(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_binary()) return std::nullopt;
  const auto& bytes = it->get_binary();
  return std::string(bytes.begin(), bytes.end());
}

JsonFields::JsonFields(const json& object, std::string path, std::optional<Error>& error)
    : object_(object), path_(std::move(path)), error_(error) {}

void JsonFields::refuse(std::string_view key, std::string_view expected) {
  if (error_) return;
  error_ = Error{Errc::bad_snapshot, path_of(key) + ": expected " + std::string(expected)};
}

const json* JsonFields::value(const std::string& key) {
  known_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::has(const std::string& key) { return value(key) != nullptr; }

std::set<std::string> JsonFields::unread() const {
  std::set<std::string> names;
  for (const auto& [key, inner] : object_.items()) {
    if (!known_.contains(key)) names.insert(key);
  }
  return names;
}

void JsonFields::text(const std::string& key, std::string& out) {
  const json* found = value(key);
  if (!found) return;
  if (!found->is_string()) return refuse(key, "a string");
  out = found->get_ref<const std::string&>();
}

void JsonFields::os_text(const std::string& key, std::string& out) {
  std::string read = out;
  text(key, read);
  if (read.find('\0') != std::string::npos) return refuse(key, "a string without NUL");
  out = std::move(read);
}

void JsonFields::optional_text(const std::string& key, std::optional<std::string>& out) {
  if (!has(key)) return;
  std::string read;
  text(key, read);
  out = std::move(read);
}

void JsonFields::bytes(const std::string& key, std::string& out) {
  if (value(key) == nullptr) return;
  auto found = bytes_in(object_, key.c_str());
  if (!found) return refuse(key, "bytes");
  out = std::move(*found);
}

void JsonFields::boolean(const std::string& key, bool& out) {
  const json* found = value(key);
  if (!found) return;
  if (!found->is_boolean()) return refuse(key, "true or false");
  out = found->get<bool>();
}

void JsonFields::real(const std::string& key, double& out) {
  const json* found = value(key);
  if (!found) return;
  const double read = found->is_number() ? found->get<double>() : -1;
  if (!std::isfinite(read) || read < 0) return refuse(key, "a number, 0 or more");
  out = read;
}

void JsonFields::count(const std::string& key, std::uint64_t& out, std::uint64_t max) {
  const json* found = value(key);
  if (!found) return;
  const auto read = whole(*found, 0, static_cast<std::int64_t>(max));
  if (!read) return refuse(key, range(0, static_cast<std::int64_t>(max)));
  out = static_cast<std::uint64_t>(*read);
}

void JsonFields::integer(const std::string& key, int& out, int min, int max) {
  const json* found = value(key);
  if (!found) return;
  const auto read = whole(*found, min, max);
  if (!read) return refuse(key, range(min, max));
  out = static_cast<int>(*read);
}

void JsonFields::optional_integer(const std::string& key, std::optional<int>& out, int min,
                                  int max) {
  if (!has(key)) return;
  int read = 0;
  integer(key, read, min, max);
  out = read;
}

void JsonFields::time(const std::string& key, WallTime& out) {
  const json* found = value(key);
  if (!found) return;
  const auto read = found->is_string() ? parse_iso_time(found->get_ref<const std::string&>())
                                       : Result<WallTime>(Error{});
  if (!read) return refuse(key, "a time like 2026-11-22T10:00:00.000Z");
  out = *read;
}

void JsonFields::optional_time(const std::string& key, std::optional<WallTime>& out) {
  if (!has(key)) return;
  WallTime read{};
  time(key, read);
  out = read;
}

void JsonFields::millis(const std::string& key, Millis& out) {
  auto read = static_cast<std::uint64_t>(out.count());
  count(key, read);
  out = Millis{read};
}

void JsonFields::window(WindowSize& out) {
  int rows = out.rows;
  int cols = out.cols;
  integer("cols", cols, 1, kMaxWindowCells);
  integer("rows", rows, 1, kMaxWindowCells);
  out = {.rows = static_cast<std::uint16_t>(rows), .cols = static_cast<std::uint16_t>(cols)};
}

void JsonFields::state(const std::string& key, SessionState& out) {
  std::string name(to_string(out));
  text(key, name);
  const auto read = state_from_name(name);
  if (!read) return refuse(key, "a status like active, inactive or suspended");
  out = *read;
}

void JsonFields::object(const std::string& key, const std::function<void(JsonFields&)>& read) {
  const json* found = value(key);
  if (!found) return;
  if (!found->is_object()) return refuse(key, "an object");
  JsonFields fields(*found, path_of(key) + ".", error_);
  read(fields);
}

void JsonFields::elements(const std::string& key,
                          const std::function<void(const json&, const std::string&)>& read) {
  const json* found = value(key);
  if (!found) return;
  if (!found->is_array()) return refuse(key, "an array");
  for (std::size_t i = 0; i < found->size() && ok(); ++i) {
    read((*found)[i], key + "[" + std::to_string(i) + "]");
  }
}

void JsonFields::array(const std::string& key,
                       const std::function<void(JsonFields&)>& read_object) {
  elements(key, [&](const json& element, const std::string& name) {
    if (!element.is_object()) return refuse(name, "an object");
    JsonFields fields(element, path_of(name) + ".", error_);
    read_object(fields);
  });
}

void JsonFields::texts(const std::string& key,
                       const std::function<void(const std::string&)>& take) {
  elements(key, [&](const json& element, const std::string& name) {
    if (!element.is_string()) return refuse(name, "a string");
    take(element.get_ref<const std::string&>());
  });
}

void JsonFields::counts(const std::string& key, const std::function<void(std::uint64_t)>& take) {
  elements(key, [&](const json& element, const std::string& name) {
    const auto read = whole(element, 0, static_cast<std::int64_t>(kMaxJsonInteger));
    if (!read) return refuse(name, "a whole number, 0 or more");
    take(static_cast<std::uint64_t>(*read));
  });
}

}  // namespace term
