// What lets sessions outlive this process: the arena they live in, the books they leave there, and
// going on with them.

#include <boost/asio/post.hpp>

#include "adapter/movement.h"
#include "adapter/sessions.h"

namespace term::adapter {

namespace {
/// After a thaw: each costs some 10 µs, and viewers wait for their bytes.
constexpr std::size_t kNotedPerTurn = 8;
}  // namespace

void Sessions::live_in(Arena& arena, Staging* staging) {
  arena_ = &arena;
  staging_ = staging;
}

Result<void> Sessions::register_with(const Books& books, const EnginePorts& ports) {
  const SessionSnapshot& snapshot = books.snapshot;
  const SessionId& id = snapshot.session.id;
  if (auto in = ports.sessions->import_session(snapshot.session); !in) return in;
  if (auto in = ports.streams->import_session(id, snapshot.stream); !in) {
    (void)ports.sessions->release(id);
    return in;
  }
  if (auto in = ports.telemetry->import_session(id, snapshot.session.project_id, snapshot.telemetry,
                                                snapshot.session.user_id.value_or(""));
      !in) {
    (void)ports.sessions->release(id);
    (void)ports.streams->release(id);
    return in;
  }
  return {};
}

Result<std::shared_ptr<Session>> Sessions::adopt(Books books, ArenaSlot slot, Pty& pty,
                                                 bool frozen) {
  const SessionId id = books.snapshot.session.id;
  if (sessions_.contains(id))
    return Error{Errc::session_exists, "session " + id + " is held twice"};
  Session::Setup setup{id,
                       books.snapshot.session.project_id,
                       books.owners,
                       mirror_.routes().of(books.owners),
                       sizes_.ring_bytes,
                       sizes_.input_bytes};
  setup.slot = slot;
  setup.staging = staging_;
  setup.adopted = true;
  auto session = std::make_shared<Session>(executor_, source_, turn_, std::move(setup));
  // The slot is the truth about bytes; the rest of the stream is as the books have it.
  StreamRecord& stream = books.snapshot.stream;
  stream.first_offset = session->ring().first();
  stream.next_offset = session->ring().next();
  stream.pid = pty.pid;
  stream.open = true;
  stream.exit.reset();
  if (auto in = register_with(books, session->ports()); !in) return in.error();
  session->restore_input(books.queued);
  sessions_.emplace(id, Entry{.session = session});
  if (on_route_) on_route_(id, session->owners());
  ++counts_.adopted;
  if (frozen) session->freeze();
  session->start(std::move(pty), [this](Session& s) { ended(s); });
  return session;
}

Result<std::shared_ptr<Session>> Sessions::reopen(SessionSnapshot snapshot) {
  const SessionId id = snapshot.session.id;
  if (sessions_.contains(id))
    return Error{Errc::session_exists, "session " + id + " exists already"};
  const Owners owners = flags_->choose(snapshot.session.project_id, id);
  const EnginePorts ports = engines_.of(owners);
  if (auto may = ports.streams->may_start(); !may) return may.error();
  const auto slot = claim_slot();
  if (!slot) return slot.error();
  Session::Setup setup{id,    snapshot.session.project_id, owners,
                       ports, sizes_.ring_bytes,           sizes_.input_bytes};
  setup.slot = *slot;
  setup.staging = *slot ? staging_ : nullptr;
  setup.next_offset = snapshot.stream.next_offset;
  setup.saved_output = std::exchange(snapshot.stream.data, std::nullopt).value_or("");
  auto session = std::make_shared<Session>(executor_, source_, turn_, std::move(setup));
  snapshot.stream.first_offset = session->ring().first();
  if (auto in = register_with({.owners = owners, .snapshot = std::move(snapshot)}, ports); !in) {
    if (*slot) (*slot)->release();
    return in.error();
  }
  sessions_.emplace(id, Entry{.session = session});
  ++counts_.reopened;
  note(*session);
  return session;
}

void Sessions::freeze() {
  pass_commands();  // What follows belongs to the next process.
  frozen_ = true;
  for (const auto& [id, entry] : sessions_) entry.session->freeze();
}

void Sessions::thaw() {
  frozen_ = false;
  for (const auto& [id, entry] : sessions_) {
    entry.session->thaw();
    settle(*entry.session, "taken over");
  }
  net::post(executor_, [this] { note_from({}); });
}

void Sessions::note_from(const SessionId& after) {
  if (frozen_) return;  // The next thaw begins anew.
  auto it = sessions_.upper_bound(after);
  SessionId last;
  for (std::size_t n = 0; n < kNotedPerTurn && it != sessions_.end(); ++n, ++it) {
    note(*it->second.session);
    last = it->first;
  }
  if (it != sessions_.end()) net::post(executor_, [this, last] { note_from(last); });
}

MoveResult Sessions::move(Session& session, const Owners& to) {
  MoveResult result = move_session(session, mirror_.routes(), to);
  if (result.moved) note(session);
  if (result.moved && on_route_) on_route_(session.id(), session.owners());
  return result;
}

void Sessions::note(const Session& session) {
  if ((!session.slot() && !storing_.on_books) || frozen_) return;
  const auto it = sessions_.find(session.id());
  if (it == sessions_.end() || !it->second.registered) return;
  const auto books = books_of(session, /*queued=*/false);
  if (!books) return;  // Lost from its registry: look_after() says so.
  it->second.looked = movement(session.ring(), books->snapshot.session, flags_->dual_write_on());
  it->second.unmoved = 0;
  const std::string text = to_text(*books);
  store_books(it->second, *books, text);
  if (!session.slot()) return;
  if (auto written = session.slot()->books().write(text); !written)
    session.telemetry().error(session.id(), "books", written.error().detail);
}

}  // namespace term::adapter
