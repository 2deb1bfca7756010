#pragma once
// Session ids: how ours are made, which of the clients' we accept.

#include <string_view>

#include "session/types.h"

namespace term {

/// `session_<epoch-ms>_<8 base36>`; the last part from the system's cryptographic source.
SessionId make_session_id(WallTime now);

/// `[A-Za-z0-9_.-]{1,128}`, and not dots only (DESIGN.md 4, PROTOCOLS.md 1).
bool valid_session_id(std::string_view id);

/// Like a session id, and also empty: a session without project is always focused.
bool valid_project_id(std::string_view id);

}  // namespace term
