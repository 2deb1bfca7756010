#pragma once
// The operator's HTTP API of ours, as far as a measurement needs it.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "load/options.h"

namespace term::bench {

/// POST (or GET without a body) to --http; the answer's body. Errors: Unable, for any status but
/// 200.
nlohmann::ordered_json call(const Options& options, const std::string& target,
                            const nlohmann::ordered_json& body);
/// With --engine and --http: new sessions of the project will be served by that engine.
void choose_engine(const Options& options);

}  // namespace term::bench
