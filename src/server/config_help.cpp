// What a user reads about the keys: --help and the table of docs/configuration.md.

#include <algorithm>

#include "server/config_table.h"

namespace term::server {

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> kKeys = [] {
    std::vector<ConfigKey> keys;
    for (const ConfigRow& row : config_rows()) keys.push_back(row.key);
    return keys;
  }();
  return kKeys;
}

std::string flag_name(const ConfigKey& key) {
  std::string flag = "--";
  for (const char c : key.name) {
    flag += c == '_' ? '-' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return flag;
}

std::string config_help() {
  std::string text =
      "Every key is a flag, an environment variable or a line of .env, in this order of strength.\n"
      "Durations: 500ms, 30s, 30min, 2h; a plain number is seconds. Sizes: 65536, 64KiB, 1MiB.\n\n";
  for (const ConfigKey& key : config_keys()) {
    text += "  " + flag_name(key) + "=<" + std::string(key.unit) + ">\n      " +
            std::string(key.name) + ", default " + std::string(key.fallback) + "\n      " +
            std::string(key.help) + "\n";
  }
  return text;
}

std::string config_table() {
  std::string text = "| key | default | value | meaning |\n| --- | --- | --- | --- |\n";
  for (const ConfigKey& key : config_keys()) {
    text += "| `" + std::string(key.name) + "` | " + std::string(key.fallback) + " | " +
            std::string(key.unit) + " | " + std::string(key.help) + " |\n";
  }
  return text;
}

}  // namespace term::server
