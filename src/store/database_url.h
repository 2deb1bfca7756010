#pragma once
// DATABASE_URL, as libpq takes it and as it may be shown.

#include <string>
#include <string_view>
#include <vector>

namespace term::store {

/// `url` (either form of libpq) with a limit for connecting, unless it has one.
std::string with_connect_timeout(std::string_view url, int seconds);

/// Passwords in it, as written and decoded.
std::vector<std::string> passwords_of(std::string_view url);

/// One line of what libpq said, without any of `passwords`.
std::string without_secrets(std::string_view message, const std::vector<std::string>& passwords);

}  // namespace term::store
