#pragma once
// Who is let in as new while an operator holds the door (PROTOCOLS.md 4): maintenance and the share
// of traffic.

#include <string>

#include "session/session.h"

namespace term::adapter {

/// Immutable once published; an operation takes one and keeps it. What exists is always let in, so
/// it is asked only about sessions that are to be made.
struct AdmissionRules {
  bool maintenance = false;
  std::string message;   ///< Shown to users; may be empty.
  std::string eta;       ///< As the operator put it, `60 minutes`; may be empty.
  int percentage = 100;  ///< 0..100: the share of new sessions that is admitted.
  WallTime since{};      ///< Of the last change; the epoch: there was none.
  std::string who;
  bool operator==(const AdmissionRules&) const = default;

  /// By a stable hash of the id: the same id gets the same answer for as long as the share stands,
  /// and keeps being admitted as it grows. Errors: maintenance, not_admitted, with retry_after.
  Result<void> admit(const SessionId& id) const;
};

/// What viewers are told when maintenance begins, and when it is over.
Notice maintenance_notice(const AdmissionRules& rules);

}  // namespace term::adapter
