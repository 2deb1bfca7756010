#pragma once
// The export document (STATE.md 4): writing it, and reading it without trust.

#include <future>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "session/sha256.h"
#include "session/snapshot.h"
#include "store/document_cutter.h"
#include "store/scrollback.h"
#include "store/spool.h"

namespace term::store {

inline constexpr std::string_view kDocumentFormat = "terminal-state";
inline constexpr int kDocumentVersion = 1;
/// Newest bytes of a session's output that a document has; base64 of it is within kMaxSession.
inline constexpr std::size_t kMaxDocumentScrollback = 32 * 1024 * 1024;
/// Sessions, and projects, that a document may have.
inline constexpr std::size_t kMaxDocumentItems = 200'000;

/// What the head of a document says. A plain value.
struct DocumentHead {
  WallTime at{};
  std::string service;  ///< Its version.
  std::string host;
  int pid = 0;
  std::string mode;  ///< Engine of new sessions, or `offline`.
  std::string reason;
};

/// Makes the text of a document piece by piece: head, projects, sessions, the end. Keeps nothing
/// but the hashes and the connections of the live sessions (their client ids).
class DocumentWriter {
 public:
  explicit DocumentWriter(const DocumentHead& head);

  /// All before the first project.
  std::string begin();
  std::string project(const ProjectRecord& record);
  /// Once there are no more projects.
  std::string session(const SessionSnapshot& snapshot);
  std::string end();
  std::size_t sessions() const { return sessions_; }

 private:
  std::string envelope(std::string text);
  std::string separator(std::size_t nth);

  DocumentHead head_;
  Sha256 sessions_hash_;
  Sha256 envelope_hash_;
  std::string connections_;
  std::size_t projects_ = 0;
  std::size_t sessions_ = 0;
  std::uint64_t bytes_ = 0;
  bool in_sessions_ = false;
};

/// A session of a document, as a row would have it.
struct DocumentSession {
  SessionSnapshot snapshot;              ///< Without data; the offsets are those of `scrollback`.
  std::optional<Scrollback> scrollback;  ///< The newest output, if the document has any of it.
  bool trimmed = false;                  ///< The document has more of it.
};

/// A document of which every byte was checked.
struct CheckedDocument {
  struct Place {
    Spool::Place text;    ///< Without the output.
    Spool::Place packed;  ///< Scrollback::packed.
    Offset first = 0;     ///< The scrollback's.
    Offset next = 0;
    bool has_output = false;
    bool trimmed = false;
    std::size_t size() const { return text.size + packed.size; }
  };
  bool bare = false;  ///< Only `sessions`: no checksum and no counts.
  Spool spool;
  std::vector<Place> sessions;
  std::vector<Spool::Place> projects;
  std::uint64_t bytes = 0;  ///< Of output, in all sessions.

  /// Errors: os_error.
  Result<DocumentSession> session(std::size_t nth) const;
  Result<ProjectRecord> project(std::size_t nth) const;
};

/// Checks a document as it comes: format, version, checksums, counts, ids, sizes, offsets.
///
/// Memory: two sessions, of which one is packed on a thread of its own while the next is read, and
/// some 250 bytes for each. The sessions are put into the spool, with as
/// much of their output as a row keeps, packed.
/// Thread: any, one at a time; blocks on the disk.
class DocumentReader final : private DocumentCutter::Sink {
 public:
  explicit DocumentReader(Spool spool);
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;

  /// Errors: bad_snapshot (why it is no document of ours, or a damaged one), os_error (the spool).
  /// Not to be called again then.
  Result<void> feed(std::string_view bytes);
  /// The document is complete. Errors: the same.
  Result<CheckedDocument> finish();
  std::size_t sessions() const { return checked_.sessions.size(); }

 private:
  Result<void> key(const std::string& key) override;
  Result<void> value(const std::string& key, std::string_view text) override;
  Result<void> element(const std::string& key, std::string_view text) override;
  void outside(std::string_view bytes) override;
  Result<void> take_session(std::string_view text);
  /// Puts what is being packed into the spool.
  Result<void> put_packed();
  Result<void> take_project(const nlohmann::json& json, std::string_view text);
  Result<void> check_end();

  CheckedDocument checked_;
  DocumentCutter cutter_;
  Sha256 sessions_hash_;
  std::optional<Sha256> envelope_hash_;  ///< Until the field that has it.
  std::string envelope_;                 ///< The hash of what came before that field.
  std::future<Scrollback> packing_;      ///< Of the last of the sessions; invalid without.
  std::set<std::string> keys_;
  std::set<SessionId> ids_;
  std::set<ProjectId> project_ids_;
  std::optional<std::uint64_t> said_sessions_;
  std::optional<std::uint64_t> said_bytes_;
  std::optional<std::string> said_sha256_;
  std::optional<std::string> said_envelope_;
};

}  // namespace term::store
