#pragma once
// Reads the one long string of a JSON message at memory speed, for the dialects that put output
// into JSON.

#include <string>
#include <string_view>

namespace term::bench {

/// The string value of a key of the message's outermost object, as written, between its quotes;
/// empty if there is none. The message is one that a JSON library wrote.
std::string_view raw_member(std::string_view message, std::string_view key);
/// The elements of an array of strings, as written; what is no string is passed over.
std::string_view raw_element(std::string_view message, std::size_t index);
/// Undoes the escapes. `out` is kept between calls for its memory.
void unescape(std::string_view raw, std::string& out);
/// As a JSON string with its quotes.
std::string quoted(std::string_view text);

}  // namespace term::bench
