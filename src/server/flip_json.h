#pragma once
// A flip of the journal as JSON: in the API, and in the store.

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "adapter/flip.h"

namespace term::server {

nlohmann::json flip_json(const adapter::FlipEntry& entry);
/// Nothing when it is no object with an id and a time; else what is missing has its default.
std::optional<adapter::FlipEntry> flip_from_json(const nlohmann::json& json);

}  // namespace term::server
