#include "server/operations.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include "server/cold_sessions.h"
#include "session/cold.h"
#include "session/shell.h"

namespace term::server {

namespace {

Result<SessionRecord> record_of(Shard& shard, const SessionId& id) {
  auto session = shard.sessions->find(id);
  if (!session) return no_such_session(id);
  return session->sessions().find(id);
}

/// Where, how large and whose: as it was saved.
OpenRequest reopening(OpenRequest request, const SessionSnapshot& saved) {
  request.project = saved.session.project_id;
  request.path = saved.session.current_path;
  request.size = saved.session.window;
  request.tab_name = saved.session.tab_name;
  return request;
}

SessionSnapshot cold_snapshot(const SessionSnapshot& saved, const NewSession& fresh, WallTime now) {
  const std::string note =
      cold_note(saved.session.last_activity, fresh.current_path, saved.session.current_path);
  SessionSnapshot snapshot = made_cold(saved, note, now);
  snapshot.session.focused = fresh.focused;
  snapshot.session.shell = fresh.shell;
  snapshot.session.args = fresh.args;
  snapshot.session.current_path = fresh.current_path;
  return snapshot;
}

}  // namespace

void spawn_logged(const net::any_io_executor& executor, std::string what,
                  net::awaitable<void> work) {
  net::co_spawn(executor, std::move(work), [what = std::move(what)](const std::exception_ptr& e) {
    if (!e) return;
    try {
      std::rethrow_exception(e);
    } catch (const std::exception& failure) {
      spdlog::error("server.coroutine what={} ERROR {}", what, failure.what());
    }
  });
}

Operations::Operations(Shards& shards, PtySource& source, const Config& config, Clock clock)
    : shards_(shards),
      source_(source),
      config_(config),
      clock_(std::move(clock)),
      environment_(term::process_environment()) {}

net::awaitable<Result<Opened>> Operations::open(Shard& shard, OpenRequest request) {
  for (;;) {
    if (auto session = shard.sessions->find(request.id)) {
      const bool over = session->ended() && !request.resume;
      if (!over || !shard.sessions->make_room_for(request.id))
        co_return Opened{.session = std::move(session), .created = false};
    }
    const auto it = shard.creating.find(request.id);
    if (it == shard.creating.end()) break;
    const auto other = it->second;  // Kept alive while we wait.
    co_await other->wait();
  }
  const auto started = std::chrono::steady_clock::now();
  const auto done = std::make_shared<Signal>(shard.io.get_executor());
  const SessionId id = request.id;
  shard.creating.emplace(id, done);
  auto result = co_await open_absent(shard, std::move(request));
  shard.creating.erase(id);
  done->notify_all();
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started);
  if (!result && result.error().code == Errc::no_such_session) co_return result;
  // A refusal is an answer, not a failure.
  const bool ok = result.has_value() ||
                  (result.error().code != Errc::no_shell && result.error().code != Errc::os_error);
  shard.sessions->telemetry().operation("create", ok, took);
  co_return result;
}

net::awaitable<Result<Opened>> Operations::open_absent(Shard& shard, OpenRequest request) {
  Saved saved;
  if (cold_ != nullptr && cold_->has(request.id)) {
    auto stored = co_await cold_->fetch(request.id);
    if (!stored) co_return stored.error();
    if (*stored) saved = std::make_shared<const SessionSnapshot>(std::move(**stored));
  }
  if (!saved) {
    if (!request.create) co_return no_such_session(request.id);
    if (auto admitted = shard.admission->admit(request.id); !admitted) {
      ++shard.counts.not_admitted;
      co_return admitted.error();
    }
  }
  if (auto room = memory_.may_grow(); !room) co_return room.error();
  if (saved) request = reopening(std::move(request), *saved);
  const SessionId id = request.id;
  auto opened = co_await make(shard, std::move(request), saved);
  if (cold_ != nullptr && opened) cold_->opened(id);
  co_return opened;
}

net::awaitable<Result<Opened>> Operations::make(Shard& shard, OpenRequest request, Saved saved) {
  const std::size_t others = shards_.reserve();
  const Engine engine = shard.sessions->flags().choose(request.project, request.id).sessions;
  auto admit = [ask = AdmitRequest{request.project, request.id, others, request.tab_name},
                engine](Shard& home) { return home.sessions->projects().admit(ask, engine); };
  auto admission = co_await shards_.on(shards_.home(request.project), std::move(admit));
  if (!admission) {
    shards_.release();
    co_return admission.error();
  }
  auto opened = co_await start(shard, request, *admission, saved);
  if (!opened && !shard.sessions->find(request.id) && opened.error().code != Errc::no_shell &&
      opened.error().code != Errc::os_error) {
    left(request.project, request.id);  // It never got into the registry.
  }
  co_return opened;
}

net::awaitable<Result<Pty>> Operations::spawn(PtyRequest request) {
  using Signature = void(Result<Pty>);
  const auto executor = co_await net::this_coro::executor;
  auto begin = [this, executor](auto handler, PtyRequest wanted) {
    // The answer comes on any thread; std::function wants to copy what cannot be copied.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    source_.spawn(std::move(wanted), [shared, executor](Result<Pty> pty) {
      auto give = [shared, got = std::move(pty)]() mutable { (*shared)(std::move(got)); };
      net::post(executor, std::move(give));
    });
  };
  co_return co_await net::async_initiate<const net::use_awaitable_t<>, Signature>(
      std::move(begin), net::use_awaitable, std::move(request));
}

net::awaitable<Result<Opened>> Operations::start(Shard& shard, OpenRequest request,
                                                 Admission admission, Saved saved) {
  auto shell = choose_shell(environment_);
  const std::string directory = choose_directory(request.path, environment_);
  NewSession fresh;
  fresh.id = request.id;
  fresh.project_id = request.project;
  fresh.user_id = request.user_id;
  fresh.type = request.type;
  fresh.mode = request.mode;
  fresh.tab_name = admission.tab_name;
  fresh.focused = admission.focused;
  fresh.current_path = directory;
  fresh.window = request.size;
  if (saved) fresh.environment = saved->session.environment;
  if (shell) {
    fresh.shell = shell->path;
    fresh.args = shell->args;
  }
  auto opened = saved ? shard.sessions->reopen(cold_snapshot(*saved, fresh, clock_()))
                      : shard.sessions->open(fresh);
  if (!opened) co_return opened.error();
  const std::shared_ptr<Session> session = std::move(*opened);
  if (!shell) {
    shard.sessions->failed(*session, shell.error());
    co_return shell.error();
  }
  PtyCommand command;
  command.argv.push_back(shell->path);
  command.argv.insert(command.argv.end(), shell->args.begin(), shell->args.end());
  command.env = shell_environment(environment_, fresh.environment, *shell, directory, request.id,
                                  request.project);
  command.directory = directory;
  PtyRequest wanted{.command = std::move(command), .size = request.size, .id = request.id};
  if (session->slot()) wanted.slot = session->slot()->index();
  auto pty = co_await spawn(std::move(wanted));
  if (session->ended()) {  // Closed while its shell was being started.
    if (pty) source_.release(std::move(*pty));
    co_return no_such_session(request.id);
  }
  if (!pty) {
    shard.sessions->failed(*session, pty.error());
    co_return pty.error();
  }
  shard.sessions->started(*session, std::move(*pty));
  co_return Opened{.session = session, .created = saved == nullptr, .reopened = saved != nullptr};
}

net::awaitable<Result<SessionRecord>> Operations::create(OpenRequest request) {
  Shard& shard = shards_.of(request.id);
  const SessionId id = request.id;
  auto opened = co_await shards_.run(shard, open(shard, std::move(request)));
  if (!opened) co_return opened.error();
  if (!opened->created && !opened->reopened)
    co_return Error{Errc::session_exists, "session " + id + " exists already"};
  // The session belongs to its shard: let go of it there.
  auto get = [session = std::move(opened->session)](Shard&) mutable {
    const auto mine = std::move(session);
    return mine->sessions().find(mine->id());
  };
  co_return co_await shards_.on(shard, std::move(get));
}

net::awaitable<Result<SessionRecord>> Operations::find(SessionId id) {
  auto get = [id](Shard& shard) { return record_of(shard, id); };
  co_return co_await shards_.on(shards_.of(id), std::move(get));
}

net::awaitable<std::vector<SessionRecord>> Operations::list(std::optional<ProjectId> project) {
  auto get = [project](Shard& shard) { return shard.sessions->records(project); };
  auto parts = co_await shards_.gather(std::move(get));
  std::vector<SessionRecord> all;
  for (auto& part : parts)
    all.insert(all.end(), std::make_move_iterator(part.begin()),
               std::make_move_iterator(part.end()));
  std::ranges::sort(all, {}, [](const SessionRecord& r) {
    return std::pair<WallTime, std::string_view>(r.created_at, r.id);
  });
  co_return all;
}

net::awaitable<Result<void>> Operations::close(SessionId id, std::string reason) {
  auto end = [id, reason](Shard& shard) -> Result<void> {
    auto session = shard.sessions->find(id);
    if (!session) return no_such_session(id);
    return shard.sessions->close(*session, reason, 4001);
  };
  auto ended = co_await shards_.on(shards_.of(id), std::move(end));
  // A cold one has no shell to end: what is stored of it goes.
  if (!ended && cold_ != nullptr && cold_->end(id)) co_return Result<void>{};
  co_return ended;
}

net::awaitable<Result<void>> Operations::rename(SessionId id, std::string name) {
  auto change = [id, name](Shard& shard) -> Result<void> {
    auto session = shard.sessions->find(id);
    if (!session) return no_such_session(id);
    return shard.sessions->rename(*session, name);
  };
  co_return co_await shards_.on(shards_.of(id), std::move(change));
}

net::awaitable<Result<void>> Operations::resize(SessionId id, WindowSize size) {
  auto change = [id, size](Shard& shard) -> Result<void> {
    auto session = shard.sessions->find(id);
    if (!session) return no_such_session(id);
    return session->resize(size);
  };
  co_return co_await shards_.on(shards_.of(id), std::move(change));
}

net::awaitable<Result<FocusUpdate>> Operations::focus(SessionId id, bool focused) {
  const auto record = co_await find(id);
  if (!record) co_return record.error();
  if (record->project_id.empty()) co_return FocusUpdate{};  // Always focused.
  auto change = [project = record->project_id, id, focused](Shard& home) {
    return home.sessions->projects().focus(project, id, focused);
  };
  auto update = co_await shards_.on(shards_.home(record->project_id), std::move(change));
  if (!update) co_return update.error();
  FocusUpdate copy = *update;
  co_await apply_focus(std::move(copy));
  co_return update;
}

net::awaitable<void> Operations::apply_focus(FocusUpdate update) {
  for (const auto& change : update.changed) {
    auto set = [change](Shard& shard) {
      if (auto session = shard.sessions->find(change.session))
        (void)shard.sessions->set_focused(*session, change.focused);
      return true;
    };
    co_await shards_.on(shards_.of(change.session), std::move(set));
  }
}

net::awaitable<std::vector<SessionId>> Operations::focused(ProjectId project) {
  auto get = [project](Shard& home) { return home.sessions->projects().focused(project); };
  co_return co_await shards_.on(shards_.home(project), std::move(get));
}

net::awaitable<std::vector<SessionId>> Operations::members(ProjectId project, SessionId only) {
  if (project.empty()) {
    std::vector<SessionId> one;
    if (!only.empty()) one.push_back(std::move(only));
    co_return one;
  }
  auto get = [project](Shard& home) { return home.sessions->projects().sessions(project); };
  co_return co_await shards_.on(shards_.home(project), std::move(get));
}

net::awaitable<std::size_t> Operations::suspend(ProjectId project, SessionId only) {
  std::size_t count = 0;
  const auto ids = co_await members(std::move(project), std::move(only));
  for (const auto& id : ids) {
    auto change = [id](Shard& shard) {
      auto session = shard.sessions->find(id);
      return session && shard.sessions->suspend(*session).has_value();
    };
    const bool done = co_await shards_.on(shards_.of(id), std::move(change));
    count += done ? 1 : 0;
  }
  co_return count;
}

net::awaitable<std::vector<SessionRecord>> Operations::resume(ProjectId project, SessionId only) {
  std::vector<SessionRecord> resumed;
  const auto ids = co_await members(std::move(project), std::move(only));
  for (const auto& id : ids) {
    auto change = [id](Shard& shard) -> std::optional<SessionRecord> {
      auto session = shard.sessions->find(id);
      if (!session) return std::nullopt;
      auto before = session->sessions().find(id);
      if (!before || before->status != SessionState::suspended) return std::nullopt;
      if (!shard.sessions->resume(*session)) return std::nullopt;
      auto after = session->sessions().find(id);
      if (!after) return std::nullopt;
      after->suspension = before->suspension;  // What the caller is told about.
      return *after;
    };
    auto record = co_await shards_.on(shards_.of(id), std::move(change));
    if (record) resumed.push_back(std::move(*record));
  }
  co_return resumed;
}

net::awaitable<std::string> Operations::layout(ProjectId project) {
  auto get = [project](Shard& home) { return home.sessions->projects().layout(project); };
  co_return co_await shards_.on(shards_.home(project), std::move(get));
}

net::awaitable<void> Operations::save_layout(ProjectId project, std::string layout) {
  auto set = [project, layout](Shard& home) {
    home.sessions->projects().save_layout(project, layout);
    return true;
  };
  co_await shards_.on(shards_.home(project), std::move(set));
}

void Operations::left(ProjectId project, SessionId id) {
  shards_.release();
  ++leaving_;
  const auto executor = shards_.of(id).io.get_executor();
  spawn_logged(executor, "leave", leave(std::move(project), std::move(id)));
}

net::awaitable<void> Operations::leave(ProjectId project, SessionId id) {
  auto go = [project, id](Shard& home) { return home.sessions->projects().leave(project, id); };
  auto update = co_await shards_.on(shards_.home(project), std::move(go));
  co_await apply_focus(std::move(update));
  --leaving_;
}

}  // namespace term::server
