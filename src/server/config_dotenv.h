#pragma once
// The `.env` file: `KEY=value` lines as shells and Compose files write them.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "session/types.h"

namespace term::server {

/// A value and the line that it was read from (1-based); the last occurrence of a key wins.
struct DotenvValue {
  std::string value;
  int line = 0;
  bool operator==(const DotenvValue&) const = default;
};
using Dotenv = std::map<std::string, DotenvValue>;

/// Reads lines `[export ]KEY=value`, blank lines and `#` comments; LF or CRLF, with or without a
/// byte order mark. Values: bare (up to ` #`), 'literal', or "with \n \t \" \\ \$". Nothing is
/// expanded, and a value does not go on over the end of its line.
/// Errors: bad_argument, naming each line that is none of these; never shows a value.
Result<Dotenv> parse_dotenv(std::string_view text);

/// A file that does not exist is an empty one. Errors: also bad_argument if it cannot be read.
Result<Dotenv> read_dotenv(const std::filesystem::path& file);

}  // namespace term::server
