#pragma once
// What must be known of a session to go on with it, beside its bytes: the text in its arena slot
// after a crash, and in the state of a hand-over.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/input_queue.h"
#include "session/session.h"

namespace term {

/// A plain value.
struct Books {
  Owners owners;
  SessionSnapshot snapshot;  ///< Without data and viewers: connections carry their own cursors.
  std::vector<InputQueue::Run> queued;  ///< Accepted and not written; in a hand-over only.
  bool operator==(const Books&) const = default;
};

/// The share of the engines as they are now. With `queued` for a hand-over. Errors: those of
/// SessionService::export_session.
Result<Books> books_of(const Session& session, bool queued);

/// JSON with a version; an unknown field is passed over and a missing one has its default, so that
/// the version before this one and the one after it can read it.
std::string to_text(const Books& books);
/// Errors: bad_snapshot naming the field.
Result<Books> books_from_text(std::string_view text);

}  // namespace term
