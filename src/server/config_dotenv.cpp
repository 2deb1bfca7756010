#include "server/config_dotenv.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

namespace term::server {

namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool valid_key(std::string_view key) {
  const auto letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  return !key.empty() && letter(key.front()) &&
         std::ranges::all_of(key, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// What may stand behind a closing quote: nothing, or a comment.
bool is_rest_of_line(std::string_view text) {
  const std::string_view rest = trim(text);
  return rest.empty() || (rest.front() == '#' && rest.size() < text.size());
}

char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

/// `text` begins with a double quote.
std::optional<std::string> double_quoted(std::string_view text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (!is_rest_of_line(text.substr(i + 1))) return std::nullopt;
      return value;
    }
    if (text[i] == '\\' && i + 1 < text.size()) {
      value += unescaped(text[++i]);
    } else {
      value += text[i];
    }
  }
  return std::nullopt;
}

std::optional<std::string> parse_value(std::string_view text) {
  if (text.starts_with('"')) return double_quoted(text);
  if (text.starts_with('\'')) {
    const std::size_t end = text.find('\'', 1);
    if (end == std::string_view::npos || !is_rest_of_line(text.substr(end + 1))) {
      return std::nullopt;
    }
    return std::string(text.substr(1, end - 1));
  }
  if (text.starts_with('#')) return "";
  for (std::size_t hash = text.find('#'); hash != std::string_view::npos;
       hash = text.find('#', hash + 1)) {
    if (kBlanks.find(text[hash - 1]) != std::string_view::npos)
      return std::string(trim(text.substr(0, hash)));
  }
  return std::string(text);
}

/// Takes one line in. Returns what is wrong with it, or nothing.
std::string_view take_line(std::string_view line, int number, Dotenv& into) {
  line = trim(line);
  if (line.empty() || line.front() == '#') return {};
  if (line.find('\0') != std::string_view::npos) return "a zero byte";
  constexpr std::string_view kExport = "export";
  if (line.starts_with(kExport) && line.size() > kExport.size() &&
      kBlanks.find(line[kExport.size()]) != std::string_view::npos) {
    line = trim(line.substr(kExport.size()));
  }
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return "no '='; write KEY=value";
  const std::string_view key = trim(line.substr(0, equals));
  if (!valid_key(key)) return "not a name of letters, digits and '_' before '='";
  auto value = parse_value(trim(line.substr(equals + 1)));
  if (!value) return "the quotes of the value do not match";
  into.insert_or_assign(std::string(key), DotenvValue{std::move(*value), number});
  return {};
}

}  // namespace

Result<Dotenv> parse_dotenv(std::string_view text) {
  Dotenv values;
  std::string problems;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (const auto problem = take_line(line, number, values); !problem.empty()) {
      if (!problems.empty()) problems += '\n';
      problems += ".env line " + std::to_string(number) + ": " + std::string(problem);
    }
  }
  if (!problems.empty()) return Error{Errc::bad_argument, problems};
  return values;
}

Result<Dotenv> read_dotenv(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) return Dotenv{};
  if (!error && std::filesystem::is_directory(status)) {
    return Error{Errc::bad_argument, file.string() + " is a directory, not a file of settings"};
  }
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream.is_open() || stream.bad()) {
    return Error{Errc::bad_argument, file.string() + " cannot be read; check its permissions"};
  }
  return parse_dotenv(text);
}

}  // namespace term::server
