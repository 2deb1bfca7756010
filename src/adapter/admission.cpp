#include "adapter/admission.h"

#include "adapter/flags.h"

namespace term::adapter {

namespace {
constexpr Millis kRetryAfter{30'000};

/// Not the bucket that chooses the engine: the first quarter let in must not be the quarter that is
/// refactored.
unsigned admission_bucket(const SessionId& id) {
  return static_cast<unsigned>(stable_hash("admission/" + id) % 100);
}
}  // namespace

Result<void> AdmissionRules::admit(const SessionId& id) const {
  if (percentage >= 100 || admission_bucket(id) < static_cast<unsigned>(percentage)) return {};
  const std::string again = "try again in " + std::to_string(kRetryAfter.count() / 1000) + " s";
  if (!maintenance)
    return Error{Errc::not_admitted,
                 again + ": " + std::to_string(percentage) + " % of new sessions are admitted now",
                 kRetryAfter};
  std::string text = "maintenance, " + again;
  if (!message.empty()) text += ": " + message;
  if (!eta.empty()) text += " (expected: " + eta + ")";
  return Error{Errc::maintenance, text, kRetryAfter};
}

Notice maintenance_notice(const AdmissionRules& rules) {
  Notice notice{.kind = "maintenance"};
  notice.over = !rules.maintenance;
  notice.message = rules.message;
  notice.eta = rules.eta;
  if (notice.over) notice.message = "The maintenance is over.";
  if (notice.message.empty())
    notice.message = "The service is under maintenance; your shell goes on.";
  return notice;
}

}  // namespace term::adapter
