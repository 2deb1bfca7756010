#include <algorithm>
#include <nlohmann/json.hpp>

#include "session/json_fields.h"
#include "session/snapshot_json.h"
#include "session/snapshot_json_text.h"
#include "store/document.h"
#include "store/store.h"

namespace term::store {

using nlohmann::json;

namespace {

Error bad(const std::string& what) { return {Errc::bad_snapshot, what}; }

json parse(std::string_view text) { return json::parse(text, nullptr, /*allow_exceptions=*/false); }

std::optional<std::uint64_t> count_in(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number_unsigned()) return std::nullopt;
  return it->get<std::uint64_t>();
}

/// Less is packed sooner than a thread is started.
constexpr std::size_t kPackedAtOnce = 16 * 1024;

bool is_digest(const json& value) {
  return value.is_string() && value.get<std::string>().size() == 64 &&
         value.get<std::string>().find_first_not_of("0123456789abcdef") == std::string::npos;
}

Error differs(const char* what, const std::string& said, const std::string& is) {
  return bad(std::string("the document is damaged: its ") + what + " says " + said +
             ", its content has " + is);
}

}  // namespace

Result<DocumentSession> CheckedDocument::session(std::size_t nth) const {
  const Place& place = sessions.at(nth);
  const auto text = spool.read(place.text);
  if (!text) return text.error();
  auto snapshot = snapshot_from_json(parse(*text));
  if (!snapshot) return snapshot.error();
  DocumentSession session{std::move(*snapshot), std::nullopt, place.trimmed};
  if (!place.has_output) return session;
  auto packed = spool.read(place.packed);
  if (!packed) return packed.error();
  session.scrollback = Scrollback{place.first, place.next, std::move(*packed)};
  session.snapshot.stream.first_offset = place.first;
  session.snapshot.stream.next_offset = place.next;
  return session;
}

Result<ProjectRecord> CheckedDocument::project(std::size_t nth) const {
  const auto text = spool.read(projects.at(nth));
  if (!text) return text.error();
  return project_from_json(parse(*text));
}

DocumentReader::DocumentReader(Spool spool) : cutter_(*this) {
  checked_.spool = std::move(spool);
  envelope_hash_.emplace();
}

Result<void> DocumentReader::feed(std::string_view bytes) { return cutter_.feed(bytes); }

Result<CheckedDocument> DocumentReader::finish() {
  if (auto whole = cutter_.finish(); !whole) return whole.error();
  if (auto right = check_end(); !right) return right.error();
  if (auto put = put_packed(); !put) return put.error();
  return std::move(checked_);
}

void DocumentReader::outside(std::string_view bytes) {
  if (envelope_hash_) envelope_hash_->update(bytes);
}

Result<void> DocumentReader::key(const std::string& key) {
  if (!keys_.insert(key).second)
    return bad("the document has the field \"" + key.substr(0, 64) + "\" twice");
  if (keys_.size() > 64) return bad("the document has more than 64 fields");
  if (key == "envelopeSha256" && envelope_hash_) {
    envelope_ = envelope_hash_->hex();
    envelope_hash_.reset();
  }
  if (keys_.contains("sha256") && key != "sha256")
    return bad("the document has \"" + key.substr(0, 64) + "\" behind its checksum");
  return {};
}

Result<void> DocumentReader::value(const std::string& key, std::string_view text) {
  const json read = parse(text);
  if (read.is_discarded())
    return bad("the document's field \"" + key.substr(0, 64) + "\" is no JSON");
  if (key == "format" && read != kDocumentFormat)
    return bad("this is no export: format is not \"terminal-state\"");
  if (key == "version" && read != kDocumentVersion)
    return bad("the document has version " + read.dump().substr(0, 32) +
               ", this program reads version 1; use the one that wrote it");
  if (key == "counts" && read.is_object()) {
    said_sessions_ = count_in(read, "sessions");
    said_bytes_ = count_in(read, "bytes");
  }
  if (key == "sha256" && is_digest(read)) said_sha256_ = read.get<std::string>();
  if (key == "envelopeSha256" && is_digest(read)) said_envelope_ = read.get<std::string>();
  return {};
}

Result<void> DocumentReader::element(const std::string& key, std::string_view text) {
  if (!text.starts_with('{')) return bad("an element of " + key + " is no JSON object");
  if (key == "sessions") return take_session(text);
  const json read = parse(text);
  if (!read.is_object()) return bad("an element of " + key + " is no JSON object");
  if (key == "projects") return take_project(read, text);
  return {};
}

Result<void> DocumentReader::take_session(std::string_view text) {
  sessions_hash_.update(text);
  auto read = snapshot_from_text(text, kMaxScrollback);
  if (!read) return read.error();
  const SessionId& id = read->snapshot.session.id;
  if (!ids_.insert(id).second) return bad("the document has session " + id + " twice");
  if (ids_.size() > kMaxDocumentItems) return bad("the document has more than 200000 sessions");
  checked_.bytes += read->output_bytes;
  if (auto put = put_packed(); !put) return put;
  const auto plain = checked_.spool.append(read->plain);
  if (!plain) return plain.error();
  CheckedDocument::Place place{.text = *plain};
  if (StreamRecord& stream = read->snapshot.stream; stream.data) {
    place.has_output = true;
    place.trimmed = read->output_bytes > stream.data->size();
    const auto when =
        stream.data->size() < kPackedAtOnce ? std::launch::deferred : std::launch::async;
    packing_ = std::async(when, [data = std::move(*stream.data), next = stream.next_offset] {
      return pack(data, next);
    });
  }
  checked_.sessions.push_back(place);
  return {};
}

Result<void> DocumentReader::put_packed() {
  if (!packing_.valid()) return {};
  const Scrollback newest = packing_.get();
  const auto packed = checked_.spool.append(newest.packed);
  if (!packed) return packed.error();
  CheckedDocument::Place& place = checked_.sessions.back();
  place.packed = *packed;
  place.first = newest.first;
  place.next = newest.next;
  return {};
}

Result<void> DocumentReader::take_project(const json& read, std::string_view text) {
  const auto project = project_from_json(read);
  if (!project) return bad("a project of the document: " + project.error().detail);
  if (!project_ids_.insert(project->id).second)
    return bad("the document has project " + project->id + " twice");
  if (project_ids_.size() > kMaxDocumentItems)
    return bad("the document has more than 200000 projects");
  const auto place = checked_.spool.append(text);
  if (!place) return place.error();
  checked_.projects.push_back(*place);
  return {};
}

Result<void> DocumentReader::check_end() {
  if (!keys_.contains("sessions")) return bad("the document has no sessions");
  // Any of these would be in one of ours: then all must be.
  checked_.bare = std::ranges::none_of(
      std::to_array<const char*>({"format", "version", "counts", "sha256", "envelopeSha256"}),
      [&](const char* name) { return keys_.contains(name); });
  if (checked_.bare) return {};
  for (const char* name : {"format", "version"})
    if (!keys_.contains(name))
      return bad("the document is damaged: it has no " + std::string(name));
  if (!said_envelope_ || !said_sessions_ || !said_bytes_ || !said_sha256_)
    return bad("the document is damaged: envelopeSha256, counts and sha256 must be at its end");
  if (*said_sessions_ != ids_.size())
    return differs("counts.sessions", std::to_string(*said_sessions_), std::to_string(ids_.size()));
  if (*said_bytes_ != checked_.bytes)
    return differs("counts.bytes", std::to_string(*said_bytes_), std::to_string(checked_.bytes));
  if (const auto is = sessions_hash_.hex(); *said_sha256_ != is)
    return differs("sha256", *said_sha256_, is);
  if (*said_envelope_ != envelope_) return differs("envelopeSha256", *said_envelope_, envelope_);
  return {};
}

}  // namespace term::store
