#include "session/snapshot_json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "session/block_scan.h"
#include "session/snapshot_json.h"

namespace term {

using nlohmann::json;

namespace {

constexpr std::string_view kNull = "null";

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Behind the string that begins at `at`; npos: it has an escape, or no end.
std::size_t plain_string_end(std::string_view text, std::size_t at) {
  const auto stops = [](char c) { return (c == '"') | (c == '\\'); };
  at = skip_blocks(text, at + 1, stops);
  while (at < text.size() && !stops(text[at])) ++at;
  return at < text.size() && text[at] == '"' ? at + 1 : std::string_view::npos;
}

/// Behind the string that begins at `at`, whatever is in it.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at < text.size() ? at + 1 : std::string_view::npos;
}

bool is_key(std::string_view text, std::size_t behind) {
  const auto next = text.find_first_not_of(" \n\r\t", behind);
  return next != std::string_view::npos && text[next] == ':';
}

struct Run {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Where output.data is in the text of an object, with its quotation marks. Nothing where that is
/// not certain: another spelling of a key, a field that is there twice, an escape in the data. The
/// text need not be JSON.
class DataFinder {
 public:
  explicit DataFinder(std::string_view text) : text_(text) {}

  std::optional<Run> find() {
    for (std::size_t at = 0; at < text_.size() && certain_;) {
      const char c = text_[at];
      if (c == '"') {
        at = string(at);
        continue;
      }
      if (c == '{' || c == '[') ++depth_;
      if (c == '}' || c == ']') --depth_;
      ++at;
    }
    return certain_ ? found_ : std::nullopt;
  }

 private:
  bool at_output() const { return depth_ == 2 && in_output_; }

  /// Behind the string at `at`.
  std::size_t string(std::size_t at) {
    std::size_t end = plain_string_end(text_, at);
    const bool plain = end != std::string_view::npos;
    if (!plain) end = string_end(text_, at);
    if (end == std::string_view::npos) {
      certain_ = false;
      return text_.size();
    }
    if (at_output() && in_data_) {
      certain_ = plain && !found_;
      found_ = Run{at, end};
      in_data_ = false;
    } else if ((depth_ == 1 || at_output()) && is_key(text_, end)) {
      certain_ = plain;
      key(text_.substr(at, end - at));
    }
    return end;
  }

  void key(std::string_view quoted) {
    if (depth_ == 1) in_output_ = quoted == "\"output\"";
    if (depth_ == 1 && in_output_) certain_ = certain_ && ++outputs_ == 1;
    in_data_ = depth_ == 2 && quoted == "\"data\"";
    if (in_data_) certain_ = certain_ && ++datas_ == 1;
  }

  std::string_view text_;
  int depth_ = 0;
  bool in_output_ = false;
  bool in_data_ = false;
  bool certain_ = true;
  int outputs_ = 0;
  int datas_ = 0;
  std::optional<Run> found_;
};

bool has_both_offsets(const json& read) {
  const auto output = read.find("output");
  if (output == read.end() || !output->is_object()) return false;
  const auto there = [&](const char* name) {
    const auto it = output->find(name);
    return it != output->end() && !it->is_null();
  };
  return there("firstOffset") && there("nextOffset");
}

/// Nothing where snapshot_from_json() had something to refuse: it then says what.
std::optional<TextSnapshot> quickly(std::string_view text, std::size_t newest) {
  const auto data = DataFinder(text).find();
  if (!data) return std::nullopt;
  auto bytes = base64_tail(text.substr(data->begin + 1, data->end - data->begin - 2), newest);
  if (!bytes) return std::nullopt;
  TextSnapshot made{.snapshot = {}, .output_bytes = bytes->size, .plain = {}};
  made.plain.reserve(text.size() - (data->end - data->begin) + kNull.size());
  made.plain.append(text.substr(0, data->begin)).append(kNull).append(text.substr(data->end));
  const json read = json::parse(made.plain, nullptr, /*allow_exceptions=*/false);
  if (!read.is_object() || !has_both_offsets(read)) return std::nullopt;
  auto snapshot = snapshot_from_json(read);
  if (!snapshot) return std::nullopt;
  StreamRecord& stream = snapshot->stream;
  if (stream.next_offset - stream.first_offset != bytes->size) return std::nullopt;
  stream.data = std::move(bytes->bytes);
  made.snapshot = std::move(*snapshot);
  return made;
}

}  // namespace

Result<TextSnapshot> snapshot_from_text(std::string_view text, std::size_t newest) {
  if (auto quick = quickly(text, newest)) return std::move(*quick);
  json read = json::parse(text, nullptr, /*allow_exceptions=*/false);
  auto snapshot = snapshot_from_json(read);
  if (!snapshot) return snapshot.error();
  TextSnapshot made{.snapshot = std::move(*snapshot), .output_bytes = 0, .plain = {}};
  StreamRecord& stream = made.snapshot.stream;
  if (!stream.data) {
    made.plain = text;
    return made;
  }
  made.output_bytes = stream.data->size();
  stream.data->erase(0, stream.data->size() - std::min(stream.data->size(), newest));
  read["output"] = {{"firstOffset", stream.first_offset}, {"nextOffset", stream.next_offset}};
  made.plain = dump(read);
  return made;
}

}  // namespace term
