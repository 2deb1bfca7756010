#pragma once
// Where two copies of the same books differ, field by field: what the parity check shows.

#include <string>
#include <vector>

#include "session/snapshot.h"

namespace term {

/// One field of the export document (STATE.md 1), `lifecycle.state` or `args.0`, and what either
/// side has there: JSON text, strings without their quotes, at most kMaxDifferenceBytes; empty
/// where a side lacks the field. Values of `environment` are not shown, only that they differ.
struct FieldDifference {
  std::string field;
  std::string left;
  std::string right;
  bool operator==(const FieldDifference&) const = default;
};

inline constexpr std::size_t kMaxDifferenceBytes = 200;

/// Empty when they are equal, and never otherwise.
std::vector<FieldDifference> differences(const SessionRecord& left, const SessionRecord& right);
std::vector<FieldDifference> differences(const SessionSnapshot& left, const SessionSnapshot& right);
std::vector<FieldDifference> differences(const ProjectRecord& left, const ProjectRecord& right);

}  // namespace term
