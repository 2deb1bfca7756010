#include "store/document_cutter.h"

#include <nlohmann/json.hpp>

#include "session/block_scan.h"

namespace term::store {

namespace {
bool holds_elements(const std::string& key) {
  return key == "projects" || key == "sessions" || key == "connections";
}

bool stops_string(char c) { return (c == '"') | (c == '\\'); }
}  // namespace

Error DocumentCutter::wrong(const std::string& expected) const {
  return {Errc::bad_snapshot,
          "byte " + std::to_string(position_) + " of the document: expected " + expected};
}

std::size_t DocumentCutter::bound() const {
  return place_ == Place::in_item && key_ == "sessions" ? kMaxSession : kMaxPart;
}

bool DocumentCutter::blank(char c) {
  if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return false;
  ++blanks_;
  return true;
}

Result<void> DocumentCutter::feed(std::string_view bytes) {
  std::string_view run = bytes;  // From here on, bytes that belong to no session.
  const auto flush = [&](std::string_view rest) {
    if (run.size() > rest.size()) sink_.outside(run.substr(0, run.size() - rest.size()));
    run = rest;
  };
  while (!bytes.empty()) {
    const bool inside =
        place_ == Place::key || place_ == Place::in_value || place_ == Place::in_item;
    if (inside) {
      // A key is told before its bytes are, however the document was cut into pieces.
      const bool apart = place_ == Place::key || (place_ == Place::in_item && key_ == "sessions");
      if (apart) flush(bytes);
      const auto complete = collect(bytes);
      if (apart) run = bytes;
      if (!complete) return complete.error();
      if (!*complete) continue;
      if (auto done = part_complete(); !done) return done;
      continue;
    }
    const Place before = place_;
    if (auto done = step(bytes.front()); !done) return done;
    // A part's first byte is the part's: collect() takes it.
    const bool begun = place_ != before && (place_ == Place::key || place_ == Place::in_value ||
                                            place_ == Place::in_item);
    if (begun) continue;
    bytes.remove_prefix(1);
    ++position_;
  }
  flush(bytes);
  return {};
}

Result<void> DocumentCutter::step(char c) {
  if (blank(c)) {
    if (blanks_ > kMaxBlanks) return wrong("something other than blanks");
    return {};
  }
  blanks_ = 0;
  switch (place_) {
    case Place::begin:
      if (c != '{') return wrong("{, the begin of a JSON object");
      place_ = Place::first_key;
      return {};
    case Place::first_key:
      if (c == '}') place_ = Place::end;
      if (c == '}') return {};
      [[fallthrough]];
    case Place::next_key:
      if (c != '"') return wrong("the name of a field");
      return begin_part(Place::key, c);
    case Place::colon:
      if (c != ':') return wrong("a colon behind the name of a field");
      place_ = Place::value;
      return {};
    case Place::value:
      if (!holds_elements(key_)) return begin_part(Place::in_value, c);
      if (c != '[') return wrong("[, since " + key_ + " is an array");
      place_ = Place::first_item;
      return {};
    case Place::first_item:
      if (c == ']') place_ = Place::after_value;
      if (c == ']') return {};
      [[fallthrough]];
    case Place::next_item:
      return begin_part(Place::in_item, c);
    case Place::after_item:
      if (c != ',' && c != ']') return wrong(", or ] behind an element of " + key_);
      place_ = c == ',' ? Place::next_item : Place::after_value;
      return {};
    case Place::after_value:
      if (c != ',' && c != '}') return wrong(", or } behind " + key_);
      place_ = c == ',' ? Place::next_key : Place::end;
      return {};
    default:
      return wrong("nothing more behind the document's end");
  }
}

Result<void> DocumentCutter::begin_part(Place place, char c) {
  constexpr std::string_view kBegins = "\"{[-0123456789tfn";
  if (kBegins.find(c) == std::string_view::npos) return wrong("a JSON value");
  place_ = place;
  text_.clear();
  depth_ = 0;
  in_string_ = escaped_ = false;
  return {};
}

Result<bool> DocumentCutter::collect(std::string_view& bytes) {
  std::size_t n = 0;
  bool complete = false;
  for (; n < bytes.size() && !complete; ++n) {
    if (in_string_ && !escaped_) n = skip_blocks(bytes, n, stops_string);
    if (n == bytes.size()) break;
    const char c = bytes[n];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
        complete = depth_ == 0;
      }
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      if (++depth_ > kMaxDepth) return wrong("at most 128 levels of nesting");
    } else if (c == '}' || c == ']') {
      if (depth_ == 0) break;  // The end of what is around a number or a word.
      complete = --depth_ == 0;
    } else if (depth_ == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
      break;
    }
  }
  const bool scalar_ended = !complete && n < bytes.size();
  text_.append(bytes.substr(0, n));
  bytes.remove_prefix(n);
  position_ += n;
  if (text_.size() > bound())
    return Error{Errc::bad_snapshot, "byte " + std::to_string(position_) +
                                         " of the document: a part of " +
                                         (key_.empty() ? std::string("it") : key_.substr(0, 64)) +
                                         " is larger than " + std::to_string(bound()) + " bytes"};
  return complete || scalar_ended;
}

Result<void> DocumentCutter::part_complete() {
  if (place_ == Place::in_item) {
    place_ = Place::after_item;
    return sink_.element(key_, text_);
  }
  if (place_ == Place::in_value) {
    place_ = Place::after_value;
    return sink_.value(key_, text_);
  }
  const auto name = nlohmann::json::parse(text_, nullptr, /*allow_exceptions=*/false);
  if (!name.is_string()) return wrong("the name of a field before it");
  key_ = name.get<std::string>();
  place_ = Place::colon;
  auto taken = sink_.key(key_);
  if (taken) sink_.outside(text_);
  return taken;
}

Result<void> DocumentCutter::finish() const {
  if (place_ == Place::end) return {};
  return Error{Errc::bad_snapshot, "the document is cut off after byte " +
                                       std::to_string(position_) + ": its end is missing"};
}

}  // namespace term::store
