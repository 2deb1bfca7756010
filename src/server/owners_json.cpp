#include "server/owners_json.h"

#include <nlohmann/json.hpp>

namespace term::server {

nlohmann::json owners_json(const Owners& owners) {
  return {{"sessions", to_string(owners.sessions)},
          {"streams", to_string(owners.streams)},
          {"telemetry", to_string(owners.telemetry)}};
}

}  // namespace term::server
