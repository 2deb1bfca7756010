#pragma once
// The files of the terminal page, embedded into the program.

#include <span>
#include <string_view>

namespace term::web {

/// One embedded file. All three views live as long as the program.
struct Asset {
  std::string_view path;          ///< As in the request line: "/", "/app.js".
  std::string_view content_type;  ///< Value of the Content-Type header.
  std::string_view body;
};

/// Every file that the page consists of, the page itself ("/") first.
std::span<const Asset> assets();

}  // namespace term::web
