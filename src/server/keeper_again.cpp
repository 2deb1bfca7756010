// The holder is gone: a new one gets all that we have (docs/holder.md).

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include "server/keeper.h"
#include "server/operations.h"

namespace term::server {

namespace {

/// Every session with a running shell, with a descriptor of its pty.
std::vector<HeldSession> running_sessions(Shard& shard) {
  std::vector<HeldSession> running;
  for (const auto& session : shard.sessions->all()) {
    if (!session->started() || session->ended() || !session->slot()) continue;
    HeldSession held;
    held.slot = session->slot()->index();
    held.pid = session->pid();
    held.pts = static_cast<int>(session->slot()->header().pts.load()) - 1;
    held.id = session->id();
    held.pty.reset(::fcntl(session->pty_fd(), F_DUPFD_CLOEXEC, 0));  // NOLINT: variadic by POSIX
    running.push_back(std::move(held));
  }
  return running;
}

}  // namespace

net::awaitable<void> Keeper::give_to_new_holder() {
  for (;;) {
    auto collect = [](Shard& shard) { return running_sessions(shard); };
    auto parts = co_await shards_.gather(std::move(collect));
    auto given = give_all(std::move(parts));
    if (given) break;
    status_.detail = given.error().detail;
    spdlog::error("holder.start ERROR {}; trying again", status_.detail);
    retry_.expires_after(std::chrono::seconds(1));
    co_await retry_.async_wait(kNoThrow);
  }
  serve();
  if (on_change_) on_change_();
}

Result<void> Keeper::give_all(std::vector<std::vector<HeldSession>> parts) {
  HolderLink::Place place{.state_dir = config_.state_dir, .program = program()};
  place.take_over = true;
  place.soft_open_files = config_.soft_open_files;
  auto link = HolderLink::open(place);
  if (!link) return link.error();
  for (const auto& [name, fd] : kept_) {
    if (auto kept = (*link)->ask(keep_message(name), fd.get()); !kept) return kept.error();
  }
  std::size_t given = 0;
  for (const auto& part : parts) {
    for (const auto& session : part) {
      auto adopted = (*link)->ask(adopt_message(session), session.pty.get());
      if (adopted) {
        ++given;
        continue;
      }
      spdlog::error("session.ended_with_holder id={} pid={} ERROR {}; how it ended is not known",
                    session.id, session.pid, adopted.error().detail);
      source_.ended(session.slot, ExitStatus{.at = clock_()});
    }
  }
  if (link_) link_->close();
  link_ = std::move(*link);
  source_.use(link_);
  status_.status = "ok";
  status_.pid = link_->holder_pid();
  status_.detail = "process " + std::to_string(status_.pid);
  spdlog::info("holder.started pid={} sessions={}", status_.pid, given);
  return {};
}

}  // namespace term::server
