#include "adapter/flip.h"

#include <algorithm>
#include <array>

#include "session/sha256.h"

namespace term::adapter {

namespace {

std::string describe(const StreamRecord& stream) {
  std::string text = std::to_string(stream.first_offset) + "-" + std::to_string(stream.next_offset);
  for (const auto& [client, offsets] : stream.input)
    text += "/" + client + "=" + std::to_string(offsets.accepted) + "," +
            std::to_string(offsets.written);
  return text;
}

Error changed(const SessionId& id, Port port) {
  return {Errc::bad_snapshot,
          "session " + id + ": its " + std::string(to_string(port)) + " changed in the move"};
}

/// Imports one port's share into `to` and checks that it comes out as it went in.
Result<void> carry(const SessionId& id, const ProjectId& project, Port port,
                   const SessionSnapshot& share, const EnginePorts& to) {
  switch (port) {
    case Port::sessions: {
      if (auto in = to.sessions->import_session(share.session); !in) return in;
      auto out = to.sessions->export_session(id);
      if (!out || *out != share.session) {
        (void)to.sessions->release(id);
        return changed(id, port);
      }
      return {};
    }
    case Port::streams: {
      if (auto in = to.streams->import_session(id, share.stream); !in) return in;
      auto out = to.streams->export_session(id);
      if (!out || *out != share.stream) {
        (void)to.streams->release(id);
        return changed(id, port);
      }
      return {};
    }
    case Port::telemetry: {
      if (auto in = to.telemetry->import_session(id, project, share.telemetry,
                                                 share.session.user_id.value_or(""));
          !in)
        return in;
      auto out = to.telemetry->export_session(id);
      if (!out || *out != share.telemetry) {
        (void)to.telemetry->release(id);
        return changed(id, port);
      }
      return {};
    }
  }
  return {};
}

void release(const SessionId& id, Port port, const EnginePorts& from) {
  switch (port) {
    case Port::sessions:
      (void)from.sessions->release(id);
      break;
    case Port::streams:
      (void)from.streams->release(id);
      break;
    case Port::telemetry:
      (void)from.telemetry->release(id);
      break;
  }
}

}  // namespace

MoveResult move_session(Session& session, const Engines& engines, const Owners& to) {
  const Owners from = session.owners();
  MoveResult result{.id = session.id(), .from = from, .to = to};
  const auto share = session.snapshot(/*with_data=*/false);
  if (!share) {
    result.error = share.error();
    return result;
  }
  result.before = result.after = describe(share->stream);
  if (from == to) return result;

  std::vector<Port> carried;
  for (const Port port : kPorts) {
    if (owner_at(from, port) == owner_at(to, port)) continue;
    if (auto in =
            carry(session.id(), session.project(), port, *share, engines.of(owner_at(to, port)));
        !in) {
      result.error = in.error();
      for (const Port undo : carried) release(session.id(), undo, engines.of(owner_at(to, undo)));
      return result;
    }
    carried.push_back(port);
  }
  session.set_owners(to, engines.of(to));
  for (const Port port : carried) release(session.id(), port, engines.of(owner_at(from, port)));
  if (auto after = session.streams().export_session(session.id()); after)
    result.after = describe(*after);
  result.moved = true;
  return result;
}

FlipEntry& FlipJournal::open(FlipEntry entry) {
  entry.id = "flip_" + std::to_string(entry.started.time_since_epoch().count()) + "_" +
             std::to_string(next_id_++);
  entries_.push_back(std::move(entry));
  if (entries_.size() > 1000) {
    entries_.pop_front();
    ++dropped_;
  }
  return entries_.back();
}

void FlipJournal::restore(std::vector<FlipEntry> earlier) {
  for (auto it = earlier.rbegin(); it != earlier.rend(); ++it)
    if (entries_.size() < 1000 && find(it->id) == nullptr) entries_.push_front(std::move(*it));
}

const FlipEntry* FlipJournal::find(std::string_view id) const {
  const auto it = std::ranges::find(entries_, id, &FlipEntry::id);
  return it == entries_.end() ? nullptr : &*it;
}

std::string offsets_sha256(const std::vector<MoveResult>& results, bool after) {
  std::vector<const MoveResult*> sorted;
  sorted.reserve(results.size());
  for (const auto& result : results) sorted.push_back(&result);
  std::ranges::sort(sorted, {}, [](const MoveResult* r) -> const SessionId& { return r->id; });
  std::string text;
  for (const auto* result : sorted)
    text += result->id + " " + (after ? result->after : result->before) + "\n";
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

}  // namespace term::adapter
