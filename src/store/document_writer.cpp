#include <nlohmann/json.hpp>

#include "session/snapshot_json.h"
#include "store/document.h"

namespace term::store {

using nlohmann::json;

namespace {
std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Connections go back to their sessions by themselves; these are for tools that look after them.
std::string connection_text(const SessionId& id, const ViewerState& viewer) {
  return text_of({{"sessionId", id},
                  {"client", viewer.client},
                  {"dialect", viewer.dialect},
                  {"role", viewer.role == ViewerRole::writer ? "writer" : "viewer"},
                  {"offset", viewer.sent}});
}
}  // namespace

DocumentWriter::DocumentWriter(const DocumentHead& head) : head_(head) {}

std::string DocumentWriter::envelope(std::string text) {
  envelope_hash_.update(text);
  return text;
}

std::string DocumentWriter::separator(std::size_t nth) { return envelope(nth == 0 ? "\n" : ",\n"); }

std::string DocumentWriter::begin() {
  const json by{
      {"service", head_.service}, {"host", head_.host}, {"pid", head_.pid}, {"mode", head_.mode}};
  return envelope("{\"format\":" + text_of(kDocumentFormat) +
                  ",\"version\":" + std::to_string(kDocumentVersion) + ",\n\"exportedAt\":" +
                  text_of(iso_time(head_.at)) + ",\"exportedBy\":" + text_of(by) +
                  ",\"reason\":" + text_of(head_.reason) + ",\n\"projects\":[");
}

std::string DocumentWriter::project(const ProjectRecord& record) {
  return envelope((projects_++ == 0 ? "\n" : ",\n") + text_of(to_json(record)));
}

std::string DocumentWriter::session(const SessionSnapshot& snapshot) {
  std::string out;
  if (!in_sessions_) out = envelope("],\n\"sessions\":[");
  in_sessions_ = true;
  out += separator(sessions_++);
  if (snapshot.stream.data) bytes_ += snapshot.stream.data->size();
  for (const ViewerState& viewer : snapshot.stream.viewers)
    connections_ +=
        (connections_.empty() ? "\n" : ",\n") + connection_text(snapshot.session.id, viewer);
  const std::size_t before = out.size();
  append_json(out, snapshot);
  sessions_hash_.update(std::string_view(out).substr(before));
  return out;
}

std::string DocumentWriter::end() {
  std::string out;
  if (!in_sessions_) out = envelope("],\n\"sessions\":[");
  out += envelope("],\n\"connections\":[" + connections_ + "],\n");
  out += "\"envelopeSha256\":" + text_of(envelope_hash_.hex());
  const json counts{{"sessions", sessions_}, {"bytes", bytes_}};
  return out + ",\n\"counts\":" + text_of(counts) + ",\"sha256\":" + text_of(sessions_hash_.hex()) +
         "}\n";
}

}  // namespace term::store
