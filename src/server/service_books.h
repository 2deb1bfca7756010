#pragma once
// What the service as a whole leaves for the next one, as one text: the flags and the admission.

#include <string>
#include <string_view>

namespace term::server {

/// `flags` as flags_text.h writes them, with `admission` beside them under its own name, so that a
/// program that knows only flags reads them as ever.
std::string join_service_books(std::string_view flags, std::string_view admission);
/// The share of the admission; empty in a text of a program that had none.
std::string admission_share(std::string_view books);

}  // namespace term::server
