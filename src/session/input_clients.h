#pragma once
// Whose input a session has numbered, shared by both engines' streams.

#include <functional>
#include <map>
#include <string>

#include "session/snapshot.h"

namespace term {

/// Clients whose numbering is remembered per session. Beyond it, those that are neither attached
/// nor have input waiting are forgotten.
inline constexpr std::size_t kMaxInputClients = 256;

/// The offsets of `client`. One never heard of begins where it says, at `first`: what it typed
/// before went to a session that is no more.
InputOffsets& offsets_of(std::map<std::string, InputOffsets>& input, const std::string& client,
                         Offset first, const std::function<bool(const std::string&)>& attached);

}  // namespace term
