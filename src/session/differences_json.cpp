#include <algorithm>
#include <nlohmann/json.hpp>

#include "session/differences.h"
#include "session/snapshot_json.h"

namespace term {

namespace {

using Json = nlohmann::json;

std::string shown(const std::string& field, const Json& value) {
  if (field.starts_with("environment.")) return "(not shown)";
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (value.is_string()) text = text.substr(1, text.size() - 2);
  if (text.size() <= kMaxDifferenceBytes) return text;
  std::size_t end = kMaxDifferenceBytes - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

/// Of a JSON pointer: `/lifecycle/state`.
std::string name_of(const std::string& pointer) {
  std::string name = pointer.substr(1);
  std::ranges::replace(name, '/', '.');
  return name;
}

std::vector<FieldDifference> walk(const Json& left, const Json& right) {
  std::vector<FieldDifference> found;
  const Json a = left.flatten();
  const Json b = right.flatten();
  for (const auto& [pointer, value] : a.items()) {
    const std::string name = name_of(pointer);
    const auto other = b.find(pointer);
    if (other == b.end()) {
      found.push_back({name, shown(name, value), ""});
    } else if (*other != value) {
      found.push_back({name, shown(name, value), shown(name, *other)});
    }
  }
  for (const auto& [pointer, value] : b.items()) {
    const std::string name = name_of(pointer);
    if (!a.contains(pointer)) found.push_back({name, "", shown(name, value)});
  }
  return found;
}

template <class Value>
std::vector<FieldDifference> compare(const Value& left, const Value& right) {
  if (left == right) return {};
  std::vector<FieldDifference> found = walk(to_json(left), to_json(right));
  // Something that the document does not have.
  if (found.empty()) found.push_back({"record", "", ""});
  return found;
}

}  // namespace

std::vector<FieldDifference> differences(const SessionSnapshot& left,
                                         const SessionSnapshot& right) {
  return compare(left, right);
}

std::vector<FieldDifference> differences(const SessionRecord& left, const SessionRecord& right) {
  if (left == right) return {};
  return compare(SessionSnapshot{.session = left}, SessionSnapshot{.session = right});
}

std::vector<FieldDifference> differences(const ProjectRecord& left, const ProjectRecord& right) {
  return compare(left, right);
}

}  // namespace term
