#pragma once
// The one table of configuration keys: what each is called, defaults to, means and sets.

#include <span>
#include <string>
#include <string_view>

#include "server/config.h"

namespace term::server {

/// A key and how its value gets into a Config.
struct ConfigRow {
  ConfigKey key;
  /// Sets the member. Returns what a usable value looks like if this one is not; else "".
  /// `Source::fallback` means that the value is ConfigKey::fallback.
  std::string (*set)(Config& config, std::string_view value, Source source);
  /// True if the default is computed or stays unset, so that `set` is not called with the fallback.
  bool computed = false;
};

/// In the order of docs/configuration.md. Lives as long as the program.
std::span<const ConfigRow> config_rows();

}  // namespace term::server
