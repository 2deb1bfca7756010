#include "store/row_codec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "session/ids.h"
#include "session/snapshot_json.h"
#include "session/utf8.h"

namespace term::store {

namespace {

using Json = nlohmann::json;

constexpr const char* kNobody = "system";
constexpr const char* kEncoding = "zlib+base64";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

/// Would jsonb refuse it (NUL) or give back another number than the text had?
bool jsonb_changes(const Json& value) {
  if (value.is_string()) return has_nul(value.get_ref<const std::string&>());
  if (value.is_number_float()) {
    const std::string text = value.dump();
    return text.find('e') != std::string::npos || text.starts_with("-0.0");
  }
  if (value.is_array()) return std::ranges::any_of(value, jsonb_changes);
  if (!value.is_object()) return false;
  for (const auto& [key, inner] : value.items())
    if (has_nul(key) || jsonb_changes(inner)) return true;
  return false;
}

Json without_nul(const Json& value) {
  if (value.is_string()) return column_text(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value;
  Json out = value.is_array() ? Json::array() : Json::object();
  for (const auto& [key, inner] : value.items()) {
    if (value.is_array())
      out.push_back(without_nul(inner));
    else
      out[column_text(key)] = without_nul(inner);
  }
  return out;
}

Json owners_json(const Owners& owners) {
  return {{"sessions", to_string(owners.sessions)},
          {"streams", to_string(owners.streams)},
          {"telemetry", to_string(owners.telemetry)}};
}

/// A port that is not said has `fallback`.
Owners owners_of(const Json& state, Engine fallback) {
  const auto at = [&](const char* port) {
    const auto owners = state.find("owners");
    if (owners == state.end() || !owners->is_object()) return fallback;
    for (const Engine engine : {Engine::legacy, Engine::refactored})
      if (owners->value(port, Json()) == Json(to_string(engine))) return engine;
    return fallback;
  };
  return {at("sessions"), at("streams"), at("telemetry")};
}

Json metadata_of(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}

/// What jsonb would not give back as it was goes along as a text, `exact`.
Json state_json(const std::string& text) {
  Json state = Json::parse(text);
  if (!jsonb_changes(state)) return state;
  Json visible = without_nul(state);
  visible["exact"] = dump(state);
  return visible;
}

/// Does jsonb surely give back the state of it, which is `text`? Numbers of ours are whole, or come
/// back as the same double whatever their text; those in the metadata may be anything.
bool plain(const SessionSnapshot& snapshot, std::string_view text) {
  return snapshot.session.metadata == "{}" && text.find("\\u0000") == std::string_view::npos;
}

/// The column `state`. Most need no tree of it, and it is written at each change of each session.
std::string state_text(const StoredSession& stored) {
  std::string text;
  append_json(text, stored.snapshot, /*with_data=*/false);
  text.pop_back();
  text += ",\"owners\":" + dump(owners_json(stored.owners)) + '}';
  return plain(stored.snapshot, text) ? text : dump(state_json(text));
}

/// The column `metadata`: what others keep there, and the state.
std::string metadata_text(const StoredSession& stored) {
  const std::string& kept = stored.snapshot.session.metadata;
  std::string state = state_text(stored);
  if (kept == "{}") return "{\"v2\":" + state + '}';
  Json metadata = without_nul(metadata_of(kept));
  metadata["v2"] = Json::parse(state);
  return dump(metadata);
}

Result<StoredSession> stored_of(const Json& visible, Engine engine) {
  Json state = visible;
  if (const auto exact = visible.find("exact"); exact != visible.end() && exact->is_string()) {
    state = Json::parse(exact->get_ref<const std::string&>(), nullptr, false);
    if (!state.is_object()) return Error{Errc::bad_snapshot, "state.exact: expected JSON"};
  }
  StoredSession stored;
  stored.owners = owners_of(state, engine);
  state.erase("owners");
  auto snapshot = snapshot_from_json(state);
  if (!snapshot) return snapshot.error();
  stored.snapshot = std::move(*snapshot);
  return stored;
}

Result<void> add_data(StoredSession& stored, const std::optional<Scrollback>& scrollback) {
  if (!scrollback) return {};
  auto data = unpack(*scrollback);
  if (!data) return data.error();
  stored.snapshot.stream.data = std::move(*data);
  stored.snapshot.stream.first_offset = scrollback->first;
  stored.snapshot.stream.next_offset = scrollback->next;
  return {};
}

/// A row that some legacy program wrote: its columns are all there is.
Result<StoredSession> foreign(const LegacyRow& row, const Json& metadata) {
  StoredSession stored{.owners = {Engine::legacy, Engine::legacy, Engine::legacy}, .snapshot = {}};
  SessionRecord& record = stored.snapshot.session;
  if (!valid_session_id(row.id) || !valid_project_id(row.project_id))
    return Error{Errc::bad_snapshot, "id and project_id must be of A-Z a-z 0-9 _ . -"};
  record.id = row.id;
  record.project_id = row.project_id;
  record.user_id = row.user_id;
  record.mode = row.type == "claude" ? "claude" : "normal";
  record.tab_name = row.tab_name;
  record.status = row.active ? SessionState::detached : SessionState::closed;
  const auto created = time_of_column(row.created_at);
  const auto updated = time_of_column(row.updated_at);
  if (!created || !updated) return Error{Errc::bad_snapshot, "created_at, updated_at: no times"};
  record.created_at = *created;
  record.updated_at = record.last_activity = record.lifecycle.entered_at = *updated;
  record.lifecycle.state = record.status;
  record.current_path = row.current_path;
  record.metadata = dump(metadata);
  stored.snapshot.stream.pid = static_cast<pid_t>(row.pid.value_or(0));
  return stored;
}

Result<Scrollback> packed_entry(const Json& entry) {
  const Error wrong{Errc::bad_snapshot, "output: not an entry of ours"};
  const auto first = entry.find("firstOffset");
  const auto next = entry.find("nextOffset");
  const auto content = entry.find("content");
  if (first == entry.end() || !first->is_number_unsigned() || next == entry.end() ||
      !next->is_number_unsigned() || content == entry.end() || !content->is_string())
    return wrong;
  auto packed = base64_decode(content->get_ref<const std::string&>());
  if (!packed) return wrong;
  return Scrollback{first->get<Offset>(), next->get<Offset>(), std::move(*packed)};
}

}  // namespace

std::string column_text(std::string_view bytes) {
  Utf8Stream stream;
  std::string text = stream.feed(bytes);
  text += stream.finish();
  for (std::size_t at = text.find('\0'); at != std::string::npos; at = text.find('\0', at))
    text.replace(at, 1, kReplacement);
  return text;
}

std::string json_or_text(std::string_view json) {
  if (Json::accept(json)) return std::string(json);
  return dump(Json(column_text(json)));
}

Result<WallTime> time_of_column(std::string_view text) {
  std::string iso(text);
  const auto blank = iso.find(' ');
  if (blank == std::string::npos) return parse_iso_time(iso);
  iso[blank] = 'T';  // PostgreSQL: `2026-11-22 10:00:00.5+00`.
  if (iso.ends_with("+00")) iso.replace(iso.size() - 3, 3, "Z");
  return parse_iso_time(iso);
}

std::string output_json(const SessionId& id, const std::string& when,
                        const Scrollback& scrollback) {
  Json entry{{"id", id + ":" + std::to_string(scrollback.first)},
             {"timestamp", when},
             {"type", "output"},
             {"encoding", kEncoding},
             {"firstOffset", scrollback.first},
             {"nextOffset", scrollback.next},
             {"content", base64_encode(scrollback.packed)}};
  return dump(Json::array({std::move(entry)}));
}

Result<std::optional<Scrollback>> scrollback_of(std::string_view output) {
  const Json entries = Json::parse(output, nullptr, /*allow_exceptions=*/false);
  if (!entries.is_array()) return Error{Errc::bad_snapshot, "output: expected an array"};
  std::string bytes;
  for (const Json& entry : entries) {
    if (!entry.is_object()) return Error{Errc::bad_snapshot, "output: expected objects"};
    if (entry.value("encoding", Json()) == Json(kEncoding)) {
      auto packed = packed_entry(entry);
      if (!packed) return packed.error();
      return std::optional(std::move(*packed));
    }
    const auto content = entry.find("content");
    if (content != entry.end() && content->is_string())
      bytes += content->get_ref<const std::string&>();
  }
  if (entries.empty()) return std::optional<Scrollback>{};
  return std::optional(pack(bytes, bytes.size()));
}

std::optional<Scrollback> scrollback_of(const Batch::Session& session) {
  if (session.packed) return session.packed;
  const StreamRecord& stream = session.stored.snapshot.stream;
  if (!stream.data) return std::nullopt;
  return pack(*stream.data, stream.next_offset);
}

RefactoredRow to_refactored(const StoredSession& stored, std::optional<Scrollback> scrollback) {
  const SessionRecord& record = stored.snapshot.session;
  return {.id = record.id,
          .project_id = record.project_id,
          .user_id = column_text(record.user_id.value_or(kNobody)),
          .state = state_text(stored),
          .created_at = iso_time(record.created_at),
          .updated_at = iso_time(record.updated_at),
          .last_activity = iso_time(record.last_activity),
          .scrollback = std::move(scrollback)};
}

LegacyRow to_legacy(const StoredSession& stored, const std::optional<Scrollback>& scrollback) {
  const SessionRecord& record = stored.snapshot.session;
  LegacyRow row{
      .id = record.id,
      .project_id = record.project_id,
      .user_id = std::nullopt,
      .type = record.mode == "claude" ? "claude" : kNobody,
      .tab_name = column_text(record.tab_name),
      .active = record.status != SessionState::closed && record.status != SessionState::failed,
      .current_path = column_text(record.current_path),
      .pid = std::nullopt,
      .metadata = metadata_text(stored),
      .created_at = iso_time(record.created_at),
      .updated_at = iso_time(record.updated_at)};
  if (record.user_id) row.user_id = column_text(*record.user_id);
  if (stored.snapshot.stream.pid > 0) row.pid = stored.snapshot.stream.pid;
  if (scrollback) row.output = output_json(record.id, row.updated_at, *scrollback);
  return row;
}

Result<StoredSession> from_row(const RefactoredRow& row) {
  Json state = Json::parse(row.state, nullptr, /*allow_exceptions=*/false);
  if (!state.is_object()) return Error{Errc::bad_snapshot, "state: expected an object"};
  // Columns stand in where another program left the state short.
  if (!state.contains("id")) state["id"] = row.id;
  if (!state.contains("projectId")) state["projectId"] = row.project_id;
  if (!state.contains("userId") && row.user_id != kNobody) state["userId"] = row.user_id;
  auto stored = stored_of(state, Engine::refactored);
  if (!stored) return stored;
  if (stored->snapshot.session.id != row.id)
    return Error{Errc::bad_snapshot, "state is that of " + stored->snapshot.session.id};
  if (auto added = add_data(*stored, row.scrollback); !added) return added.error();
  return stored;
}

Result<StoredSession> from_row(const LegacyRow& row) {
  const Json metadata = metadata_of(row.metadata);
  const auto state = metadata.find("v2");
  const bool ours = state != metadata.end() && state->is_object();
  auto stored = ours ? stored_of(*state, Engine::legacy) : foreign(row, metadata);
  if (!stored) return stored;
  if (stored->snapshot.session.id != row.id)
    return Error{Errc::bad_snapshot, "metadata.v2 is that of " + stored->snapshot.session.id};
  auto scrollback = scrollback_of(row.output);
  if (!scrollback) return scrollback.error();
  if (auto added = add_data(*stored, *scrollback); !added) return added.error();
  return stored;
}

}  // namespace term::store
