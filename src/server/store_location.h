#pragma once
// Which store a configuration means.

#include "server/config.h"
#include "store/store.h"

namespace term::server {

/// DATABASE_URL, else the SQLite file in the state directory.
inline store::Location store_location(const Config& config) {
  return {.database_url = config.database_url.value_or(""),
          .sqlite_path = (config.state_dir / "terminal.db").string()};
}

}  // namespace term::server
