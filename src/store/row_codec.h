#pragma once
// Sessions to rows of both tables and back (STATE.md 3).

#include <optional>
#include <string>
#include <string_view>

#include "store/scrollback.h"
#include "store/store.h"

namespace term::store {

/// A row of terminal_sessions_v2. `state` is the whole truth: the snapshot's JSON with `owners`;
/// the other columns are for those who look.
struct RefactoredRow {
  std::string id;
  std::string project_id;
  std::string user_id;  ///< `system` where there is none.
  std::string state;    ///< JSON; without scrollback.
  std::string created_at;
  std::string updated_at;
  std::string last_activity;
  std::optional<Scrollback> scrollback;
};

/// A row of terminal_sessions. Of ours `metadata.v2` is the state of the row above, and `output` is
/// one entry {id, timestamp, type `output`, encoding `zlib+base64`, firstOffset, nextOffset,
/// content}. Of others `output` has entries {type, content} in text.
struct LegacyRow {
  std::string id;
  std::string project_id;
  std::optional<std::string> user_id;
  std::string type;  ///< `claude` for mode claude, else `system`.
  std::string tab_name;
  bool active = true;
  std::string output = "[]";  ///< JSON array.
  std::string current_path;
  std::optional<std::int64_t> pid;
  std::string metadata;  ///< JSON object; may be empty in what is read.
  std::string created_at;
  std::string updated_at;
};

/// Of a session that has data.
std::optional<Scrollback> scrollback_of(const Batch::Session& session);
RefactoredRow to_refactored(const StoredSession& stored, std::optional<Scrollback> scrollback);
LegacyRow to_legacy(const StoredSession& stored, const std::optional<Scrollback>& scrollback);

/// Errors: bad_snapshot. A row that has scrollback gives it as `data`, with its offsets.
Result<StoredSession> from_row(const RefactoredRow& row);
Result<StoredSession> from_row(const LegacyRow& row);

/// The `output` column and back. `when` is its timestamp. Errors: bad_snapshot; nothing for an
/// empty array.
std::string output_json(const SessionId& id, const std::string& when, const Scrollback& scrollback);
Result<std::optional<Scrollback>> scrollback_of(std::string_view output);

/// Text for a column: what is not UTF-8, and NUL, becomes U+FFFD.
std::string column_text(std::string_view bytes);
/// A time of either database as milliseconds. Errors: bad_argument.
Result<WallTime> time_of_column(std::string_view text);
/// `json` if it is JSON that both databases take, else the text as a JSON string.
std::string json_or_text(std::string_view json);

}  // namespace term::store
