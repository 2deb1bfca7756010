#include "adapter/sessions.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "adapter/movement.h"

namespace term::adapter {

namespace {
constexpr auto kDrainLimit = std::chrono::seconds(30);
constexpr std::size_t kLookedAtPerTick = 64;  ///< The rest next time: a tick must stay short.

void tell_status(Session& session) {
  session.tell([](ViewerNews& news) { news.status = true; });
}
}  // namespace

Sessions::Sessions(Setup setup)
    : executor_(std::move(setup.executor)),
      source_(*setup.source),
      sizes_(setup.sizes),
      clock_(std::move(setup.clock)),
      moment_(std::make_shared<Moment>(clock_)),
      make_engines_([factory = std::move(setup.engines), moment = moment_,
                     sessions = setup.session_limits, streams = setup.stream_limits] {
        return factory([moment] { return moment->now(); }, sessions, streams);
      }),
      engines_(make_engines_()),
      mirror_(engines_, *moment_),
      projects_(mirror_.routes()),
      flags_(std::move(setup.flags)),
      on_left_(std::move(setup.on_left)),
      storing_(std::move(setup.storing)),
      on_route_(std::move(setup.on_route)),
      on_commands_(std::move(setup.on_commands)) {
  for (const EnginePorts* ports : {&engines_.legacy, &engines_.refactored})
    ports->telemetry->record_text(setup.record_commands);
  if (!flags_->dual_write_on()) return;
  mirror_.start(make_engines_());
  mirrored_ = true;  // Nothing lives here yet.
}

TelemetryService& Sessions::telemetry() const {
  return *engines_.of(flags_->choose({}, {}).telemetry).telemetry;
}

Result<void> Sessions::register_new(const NewSession& fresh, const EnginePorts& ports) {
  if (auto created = ports.sessions->create(fresh); !created) return created;
  if (auto created = ports.streams->create(fresh.id, fresh.window, 0); !created) {
    (void)ports.sessions->release(fresh.id);
    return created;
  }
  if (auto opened = ports.telemetry->opened(fresh.id, fresh.project_id, fresh.user_id.value_or(""));
      !opened) {
    (void)ports.sessions->release(fresh.id);
    (void)ports.streams->release(fresh.id);
    return opened;
  }
  return {};
}

Result<std::optional<ArenaSlot>> Sessions::claim_slot() {
  if (arena_ == nullptr) return std::optional<ArenaSlot>{};
  auto slot = arena_->claim();
  if (slot) return slot;
  return Error{Errc::limit_reached,
               "all " + std::to_string(arena_->slots()) + " slots of the arena are taken"};
}

Result<std::shared_ptr<Session>> Sessions::open(const NewSession& fresh) {
  if (sessions_.contains(fresh.id))
    return Error{Errc::session_exists, "session " + fresh.id + " exists already"};
  const Owners owners = flags_->choose(fresh.project_id, fresh.id);
  const EnginePorts ports = mirror_.routes().of(owners);
  if (auto may = ports.streams->may_start(); !may) return may.error();
  const auto claimed = claim_slot();
  if (!claimed) return claimed.error();
  const std::optional<ArenaSlot>& slot = *claimed;
  auto registered = register_new(fresh, ports);
  if (!registered) {
    if (slot) slot->release();
    return registered.error();
  }
  Session::Setup setup{fresh.id, fresh.project_id,  owners,
                       ports,    sizes_.ring_bytes, sizes_.input_bytes};
  setup.slot = slot;
  setup.staging = slot ? staging_ : nullptr;
  auto session = std::make_shared<Session>(executor_, source_, turn_, std::move(setup));
  sessions_.emplace(fresh.id, Entry{.session = session});
  if (on_route_) on_route_(fresh.id, owners);
  note(*session);  // Before there is a shell: one that nobody knows would be found without a name.
  return session;
}

void Sessions::started(Session& session, Pty pty) {
  session.streams().start_result(true);
  (void)session.streams().opened(session.id(), pty.pid);
  ++counts_.created;
  spdlog::info("session.started id={} project={} pid={} engine={}", session.id(), session.project(),
               pty.pid, to_string(session.owners().sessions));
  if (frozen_) session.freeze();
  session.start(std::move(pty), [this](Session& s) { ended(s); });
  settle(session, "shell started");
  note(session);
}

void Sessions::failed(Session& session, const Error& why) {
  ++counts_.failed;
  session.streams().start_result(false);
  session.telemetry().error(session.id(), "start", why.detail);
  (void)session.sessions().transition(session.id(), SessionState::failed, why.detail);
  spdlog::error("session.failed id={} ERROR {}", session.id(), why.detail);
  leave_registry(session, "no shell");
  session.tell([&](ViewerNews& news) {
    news.close_code = 4000;
    news.close_reason = why.detail;
  });
  session.fail();
  drain(session);
}

void Sessions::settle(Session& session, std::string_view reason) {
  const auto record = session.sessions().find(session.id());
  if (!record || !session.started()) return;
  if (record->status == SessionState::suspended) return;
  const auto to = session.viewers().empty() ? SessionState::detached : SessionState::attached;
  if (record->status == to) return;
  if (auto moved = session.sessions().transition(session.id(), to, reason); !moved) {
    session.telemetry().error(session.id(), "transition", moved.error().detail);
    return;
  }
  session.telemetry().state_changed(session.id(), record->status, to);
  tell_status(session);
  note(session);
}

std::shared_ptr<Session> Sessions::find(const SessionId& id) const {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second.session;
}

bool Sessions::registered(const SessionId& id) const {
  const auto it = sessions_.find(id);
  return it != sessions_.end() && it->second.registered;
}

std::vector<std::shared_ptr<Session>> Sessions::live() const {
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& [id, entry] : sessions_)
    if (entry.registered) all.push_back(entry.session);
  return all;
}

std::vector<std::shared_ptr<Session>> Sessions::all() const {
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& [id, entry] : sessions_) all.push_back(entry.session);
  return all;
}

std::vector<SessionRecord> Sessions::records(const std::optional<ProjectId>& project) const {
  auto records = engines_.legacy.sessions->list(project);
  auto more = engines_.refactored.sessions->list(project);
  records.insert(records.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
  return records;
}

Result<void> Sessions::attach(Session& session, Viewer& viewer, const ViewerState& state) {
  if (auto attached = session.attach(viewer, state); !attached) return attached;
  settle(session, "viewer attached");
  return {};
}

void Sessions::detach(Session& session, const Viewer& viewer, int close_code) {
  session.detach(viewer);
  (void)session.sessions().set_close_code(session.id(), close_code);
  settle(session, "last viewer left");
  forget_if_unwatched(session);
}

Result<void> Sessions::suspend(Session& session) {
  const auto record = session.sessions().find(session.id());
  if (!record) return record.error();
  if (auto done = session.sessions().suspend(session.id()); !done) return done;
  if (auto done = session.set_suspended(true); !done) return done;
  session.telemetry().state_changed(session.id(), record->status, SessionState::suspended);
  tell_status(session);
  note(session);
  return {};
}

Result<void> Sessions::resume(Session& session) {
  auto state = session.sessions().resume(session.id());
  if (!state) return state.error();
  if (auto done = session.set_suspended(false); !done) return done;
  session.telemetry().state_changed(session.id(), SessionState::suspended, *state);
  settle(session, "resumed");
  tell_status(session);
  note(session);
  return {};
}

Result<void> Sessions::rename(Session& session, std::string_view name) {
  if (name.empty() || name.size() > 255)
    return Error{Errc::bad_argument,
                 "a name has 1 to 255 bytes, this one " + std::to_string(name.size())};
  auto renamed = session.sessions().rename(session.id(), name);
  if (renamed) tell_status(session);
  note(session);
  return renamed;
}

Result<void> Sessions::set_focused(Session& session, bool focused) {
  auto done = session.sessions().set_focused(session.id(), focused);
  if (done) tell_status(session);
  note(session);
  return done;
}

Result<void> Sessions::close(Session& session, std::string_view reason, int close_code,
                             const Viewer* but) {
  const auto it = sessions_.find(session.id());
  if (it == sessions_.end() || !it->second.registered) return no_such_session(session.id());
  const auto tell_code = [&](ViewerNews& news) {
    news.close_code = close_code;
    news.close_reason = std::string(reason);
  };
  session.tell(tell_code, but);
  leave_registry(session, reason);
  if (session.slot()) session.slot()->header().closing.store(1);
  if (session.started()) {
    session.hang_up();  // ended() follows once the shell is gone.
  } else {
    session.fail();
    drain(session);
  }
  return {};
}

void Sessions::leave_registry(Session& session, std::string_view reason) {
  auto& entry = sessions_.at(session.id());
  if (!entry.registered) return;
  entry.registered = false;
  if (session.started()) ++counts_.ended;
  spdlog::info("session.ended id={} reason=\"{}\"", session.id(), reason);
  (void)session.sessions().close(session.id(), reason);
  (void)session.telemetry().closed(session.id());
  // A cold one whose new shell could not be started stays stored.
  if (storing_.on_gone && (session.started() || !session.cold())) storing_.on_gone(session.id());
  mirror_.forget(session.id());
  if (on_left_) on_left_(session.project(), session.id());
}

void Sessions::ended(Session& session) {
  Entry& entry = sessions_.at(session.id());
  entry.by_itself = entry.registered;
  leave_registry(session, "shell ended");
  session.tell([](ViewerNews& news) {
    if (!news.close_code) news.close_code = 1000;
  });
  drain(session);
}

void Sessions::drain(Session& session) {
  sessions_.at(session.id()).ended_at = clock_();
  draining_.insert(session.id());
  forget_if_unwatched(session);
}

void Sessions::forget_if_unwatched(Session& session) {
  const auto it = sessions_.find(session.id());
  if (it == sessions_.end() || it->second.session.get() != &session) return;
  if (!it->second.ended_at || !session.viewers().empty()) return;
  // A client whose connection is cut just now comes back for the last bytes and the exit status.
  const bool awaited = it->second.by_itself && session.is_awaited();
  if (awaited && clock_() - *it->second.ended_at < kDrainLimit) return;
  forget(it);
}

bool Sessions::make_room_for(const SessionId& id) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return true;
  if (!it->second.ended_at || !it->second.session->viewers().empty()) return false;
  forget(it);
  return true;
}

void Sessions::forget_ended() {
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    const auto next = std::next(it);
    it->second.by_itself = false;
    forget_if_unwatched(*it->second.session);
    it = next;
  }
}

void Sessions::forget(std::map<SessionId, Entry, std::less<>>::iterator it) {
  Session& session = *it->second.session;
  (void)session.streams().close(session.id());
  session.forget();
  draining_.erase(session.id());
  sessions_.erase(it);  // `session` lives on with whoever called us.
}

void Sessions::tick() {
  if (frozen_) return;
  engines_.legacy.telemetry->tick();
  engines_.refactored.telemetry->tick();
  pass_commands();
  expire();
  look_after();
  sample_shells();
  store_some();
  if (mirror_.on()) (void)compare_some(kLookedAtPerTick);
}

void Sessions::pass_commands() {
  for (const EnginePorts* ports : {&engines_.legacy, &engines_.refactored}) {
    auto commands = ports->telemetry->take_commands();
    if (!commands.empty() && on_commands_) on_commands_(std::move(commands));
  }
}

/// Whether there is anything to put down since note(): whatever goes on in a session shows in its
/// output or in the time of its last activity. To be sure, now and then anyway.
bool Sessions::moved(Entry& entry, const SessionRecord& record) const {
  constexpr unsigned kAnywayAfter = 15;
  const std::size_t now = movement(entry.session->ring(), record, flags_->dual_write_on());
  if (std::exchange(entry.looked, now) == now && ++entry.unmoved < kAnywayAfter) return false;
  entry.unmoved = 0;
  return true;
}

void Sessions::look_after() {
  auto it = sessions_.upper_bound(last_looked_at_);
  for (std::size_t n = 0; n < kLookedAtPerTick && !sessions_.empty(); ++n, ++it) {
    if (it == sessions_.end()) {
      last_looked_at_.clear();
      return;
    }
    last_looked_at_ = it->first;
    Entry& entry = it->second;
    Session& session = *entry.session;
    if (!entry.registered || !session.started()) continue;
    const auto record = session.sessions().find(session.id());
    if (!record && !entry.lost) {
      entry.lost = true;
      ++counts_.lost;
      spdlog::error("session.lost id={} ERROR live, but in no registry", session.id());
    }
    const bool has_moved = record && moved(entry, *record);
    // One look later still: the shell may go elsewhere after the last that it printed.
    if (record && entry.unmoved < 2) {
      const std::string path = working_directory(session.pid());
      if (!path.empty() && path != record->current_path)
        (void)session.sessions().set_current_path(session.id(), path);
    }
    if (has_moved) note(session);
    if (on_route_) on_route_(session.id(), session.owners());
  }
}

void Sessions::expire() {
  for (SessionService* service : {engines_.legacy.sessions, engines_.refactored.sessions}) {
    for (const auto& id : service->expired()) {
      if (auto session = find(id)) (void)close(*session, "expired", 1000);
    }
  }
  // A viewer that never takes the last bytes must not keep a dead session's id for ever.
  for (const SessionId& id : std::set(draining_)) {
    const auto it = sessions_.find(id);
    if (clock_() - *it->second.ended_at < kDrainLimit) continue;
    it->second.session->tell([](ViewerNews& news) { news.abort = true; });
    if (it->second.session->viewers().empty()) forget(it);
  }
}

}  // namespace term::adapter
