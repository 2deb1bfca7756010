#include "session/session.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cerrno>
#include <csignal>

#include "session/bulk_turns.h"
#include "session/input_clients.h"

namespace term {

namespace {

/// The most that Linux gives in one read of a pty.
constexpr std::size_t kReadBytes = 4096;
/// Who gives this many in a turn floods; who gives fewer in a read has no more for now.
constexpr std::size_t kBulkBytes = 2048;

constexpr std::array kLineEnds{'\r', '\n'};

/// Every coroutine root: an escaped exception is logged with the session and ends nothing else.
void spawn(const net::any_io_executor& executor, const SessionId& id, net::awaitable<void> work) {
  net::co_spawn(executor, std::move(work), [id](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      spdlog::error("session.coroutine id={} ERROR {}", id, e.what());
    }
  });
}

}  // namespace

Session::Session(const net::any_io_executor& executor, PtySource& source, Turn& turn, Setup setup)
    : executor_(executor),
      source_(source),
      turn_(turn),
      id_(std::move(setup.id)),
      project_(std::move(setup.project)),
      owners_(setup.owners),
      ports_(setup.ports),
      ring_(setup.slot ? OutputRing(setup.slot->ring(), setup.slot->header().first,
                                    setup.slot->header().next)
                       : OutputRing(setup.ring_bytes, setup.next_offset)),
      own_modes_(setup.slot ? nullptr : std::make_unique<ModeLedger>()),
      modes_(setup.slot ? &setup.slot->header().modes : own_modes_.get()),
      input_(setup.input_bytes),
      slot_(setup.slot),
      staging_(setup.staging),
      pty_ready_(executor),
      kill_timer_(executor),
      room_(executor),
      input_room_(executor),
      adopted_(setup.adopted),
      cold_(setup.saved_output.has_value()) {
  if (adopted_) report_from_ = ring_.next();  // Something may have been running.
  if (setup.saved_output)
    put_saved(*setup.saved_output, setup.next_offset);
  else if (ring_.next() == setup.next_offset && setup.next_offset > 0 && !setup.slot)
    modes_->restart(setup.next_offset);
}

Session::~Session() {
  // The descriptor belongs to pty_; Asio only watched it.
  if (pty_ready_.is_open()) pty_ready_.release();
  if (!forgotten_) return;
  if (started_) source_.release(std::move(pty_));
  // In this order: the holder must have let go before the slot is somebody else's.
  if (slot_) slot_->release();
}

void Session::set_owners(Owners owners, EnginePorts ports) {
  owners_ = owners;
  ports_ = ports;
  tell([](ViewerNews& news) { news.engine = true; });
  progress();
  write_input();
}

void Session::start(Pty pty, std::function<void(Session&)> on_end) {
  pty_ = std::move(pty);
  on_end_ = std::move(on_end);
  started_ = true;
  if (slot_) {
    slot_->header().pts.store(static_cast<std::uint64_t>(pty_number(pty_) + 1));
    slot_->header().pid.store(static_cast<std::uint64_t>(pty_.pid));
  }
  pty_ready_.assign(pty_.fd.get());
  spawn(executor_, id_, pump_output(shared_from_this()));
  source_.on_end(pty_, executor_, [self = shared_from_this()](const ExitStatus& status) {
    self->child_ended(status);
  });
  write_input();
}

net::awaitable<void> Session::pump_output(std::shared_ptr<Session> self) {
  (void)self;
  auto& turns = net::use_service<BulkTurns>(executor_.context());
  Signal my_turn(executor_);
  bool floods = false;
  for (;;) {
    if (floods && contended()) {
      while (!turns.take(my_turn)) co_await my_turn.wait();
    }
    std::size_t budget = streams().read_budget(id_, contended());
    if (closing_) budget = std::max<std::size_t>(budget, 4096);  // No viewer may keep it alive.
    if (budget == 0 || frozen_) {
      co_await room_.wait();
      continue;
    }
    const Offset before = ring_.next();
    const Turned turned = read_turn(budget);
    floods = ring_.next() - before >= kBulkBytes;
    if (turned == Turned::hung_up || (turned == Turned::drained && child_gone_)) break;
    if (turned == Turned::drained) {
      co_await pty_ready_.async_wait(net::posix::stream_descriptor::wait_read, kNoThrow);
    } else {
      co_await net::post(executor_, kNoThrow);  // Let the others have their turn.
    }
  }
  // Nobody has the tty open any more, or the shell has ended: wait for its status.
  while (!child_gone_) co_await room_.wait();
  finish();
}

Session::Turned Session::read_turn(std::size_t budget) {
  std::size_t total = 0;
  Turned result = Turned::more;
  while (total == 0 || total + kReadBytes <= budget) {
    const Offset first = ring_.next();
    const ssize_t n = read_some(budget - total);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      result = Turned::drained;
      break;
    }
    if (n <= 0) {  // EIO: Linux says so when the last tty closes. The end either way.
      result = Turned::hung_up;
      break;
    }
    const auto size = static_cast<std::size_t>(n);
    streams().output(id_, first, ring_.read(first, size)[0], ring_.first());
    total += size;
    // The wait that follows sees what came meanwhile. Once the child is gone nothing wakes it.
    if (size < kBulkBytes && size < budget && !child_gone_) {
      result = Turned::drained;
      break;
    }
  }
  turn_.last = this;
  if (total > 0) {
    telemetry().output(id_, total);
    sessions().touch(id_);
    if (result == Turned::drained && report_from_) look_for_result();
    wake_viewers();
  }
  return result;
}

ssize_t Session::read_some(std::size_t max) {
  // It costs the modes' ledger as many of the ring's oldest bytes.
  max = std::min(max, std::max(staging_ == nullptr ? 0 : ring_.capacity() / 16, kReadBytes));
  const Offset end = ring_.next() + max;
  if (end > ring_.first() + ring_.capacity())
    modes_->before_overwrite(ring_, end - ring_.capacity());
  if (staging_ != nullptr) return staging_->read_output(pty_.fd.get(), ring_, slot_->index(), max);
  // Room for more than the read will give would cost the ring that much of its oldest bytes.
  const auto space = ring_.writable(max);
  const ssize_t n = ::read(pty_.fd.get(), space.data(), space.size());
  if (n > 0) ring_.commit(static_cast<std::size_t>(n));
  return n;
}

bool Session::contended() { return turn_.last != nullptr && turn_.last != this; }

void Session::child_ended(const ExitStatus& status) {
  if (child_gone_) return;
  exit_ = status;
  child_gone_ = true;
  kill_timer_.cancel();
  // What the shell printed is in the pty by now: the pump drains it and then ends.
  if (pty_ready_.is_open()) pty_ready_.cancel();
  room_.notify_all();
}

void Session::thaw() {
  frozen_ = false;
  room_.notify_all();
  write_input();
}

void Session::finish() {
  if (ended_) return;
  ended_ = true;
  boost::system::error_code ignored;
  pty_ready_.cancel(ignored);
  pty_ready_.release();
  pty_.fd.reset();
  pty_.pidfd.reset();
  if (exit_) (void)streams().exited(id_, *exit_);
  input_room_.notify_all();
  wake_viewers();
  if (on_end_) std::exchange(on_end_, nullptr)(*this);
}

void Session::fail() {
  if (started_ || ended_) return;
  ended_ = true;
  input_room_.notify_all();
  wake_viewers();
}

void Session::hang_up(std::chrono::milliseconds grace) {
  if (!started_ || ended_) return;
  closing_ = true;
  room_.notify_all();
  if (child_gone_) return;
  spawn(executor_, id_, insist(shared_from_this(), std::chrono::steady_clock::now() + grace));
}

net::awaitable<void> Session::insist(std::shared_ptr<Session> self,
                                     std::chrono::steady_clock::time_point patience) {
  (void)self;
  // Once is not enough: bash misses a SIGHUP that comes just before it reads its next line.
  constexpr auto kAgain = std::chrono::milliseconds(200);
  while (!child_gone_) {
    const bool enough = std::chrono::steady_clock::now() >= patience;
    source_.signal(pty_, enough ? SIGKILL : SIGHUP);
    source_.signal(pty_, SIGCONT);
    kill_timer_.expires_after(kAgain);
    co_await kill_timer_.async_wait(kNoThrow);
  }
}

Result<void> Session::attach(Viewer& viewer, const ViewerState& state) {
  if (auto attached = streams().attach(id_, state); !attached) return attached;
  viewer.id = state.id;
  viewer.client = state.client;
  viewers_.push_back(&viewer);
  if (met_.size() >= kMaxInputClients) met_.clear();
  met_.insert(state.client);
  if (state.acks) {
    std::erase_if(numbered_, [&](const std::string& c) { return !input_.holds(c) && !watches(c); });
    numbered_.insert(state.client);
  }
  progress();
  return {};
}

bool Session::watches(std::string_view client) const {
  return std::ranges::any_of(viewers_, [&](const Viewer* v) { return v->client == client; });
}

void Session::detach(const Viewer& viewer) {
  const auto gone = std::erase(viewers_, &viewer);
  if (gone == 0) return;
  streams().detach(id_, viewer.id);
  progress();
}

Delivery Session::next_delivery(const Viewer& viewer, std::size_t max) {
  Delivery delivery = streams().next_delivery(id_, viewer.id, max);
  if (!delivery.gap_from) return delivery;
  // Where the ring begins need not be where a terminal can go on.
  const Offset safe = replay_start();
  delivery.end = std::max(delivery.end, safe);
  delivery.first = safe;
  return delivery;
}

void Session::sent(const Viewer& viewer, Offset upto) {
  streams().sent(id_, viewer.id, upto);
  progress();
}

Result<void> Session::acked(const Viewer& viewer, Offset upto) {
  auto result = streams().acked(id_, viewer.id, upto);
  if (result) progress();
  return result;
}

Result<std::size_t> Session::input(const Viewer& viewer, Offset first,
                                   std::span<const char> bytes) {
  if (ended_) return bytes.size();
  turn_.last = this;
  auto verdict = streams().input(id_, viewer.id, first, bytes.size(), input_.room());
  if (!verdict) return verdict.error();
  if (verdict->resize) apply_window(*verdict->resize, viewer.client);
  const auto fresh = bytes.subspan(verdict->skip, verdict->take);
  if (!fresh.empty()) {
    input_.push(viewer.client, first + verdict->skip, fresh);
    const bool echo = !started_ || echoes(pty_);
    telemetry().input(id_, fresh, echo);
    if (echo && !report_from_ && std::ranges::find_first_of(fresh, kLineEnds) != fresh.end())
      report_from_ = ring_.next();
    sessions().touch(id_);
    write_input();
  }
  return verdict->skip + verdict->take;
}

void Session::set_exempt(const Viewer& viewer, bool exempt) {
  streams().set_exempt(id_, viewer.id, exempt);
  progress();
}

void Session::write_input() {
  bool wrote = false;
  while (started_ && !ended_ && !frozen_ && !waiting_to_write_ && !input_.empty() &&
         streams().may_write(id_)) {
    const ssize_t n = write_some();
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      waiting_to_write_ = true;
      spawn(executor_, id_, write_when_ready(shared_from_this()));
      break;
    }
    if (n < 0) break;  // The tty is gone; the pump is about to say so.
    const auto progress = input_.pop(static_cast<std::size_t>(n));
    streams().input_written(id_, progress.client, progress.upto);
    wrote = true;
  }
  if (!wrote) return;
  input_room_.notify_all();
  wake_viewers();  // Acknowledgements.
}

ssize_t Session::write_some() {
  const auto bytes = input_.front();
  if (staging_ == nullptr) return ::write(pty_.fd.get(), bytes.data(), bytes.size());
  ArenaClient* entry = nullptr;
  const std::string& client = input_.front_client();
  if (numbered_.contains(client)) {
    entry = slot_->client(client, input_.front_first(), [this](std::string_view other) {
      return watches(other) || input_.holds(other);
    });
  }
  return staging_->write_input(pty_.fd.get(), *slot_, entry, input_.front_first(), bytes);
}

net::awaitable<void> Session::write_when_ready(std::shared_ptr<Session> self) {
  (void)self;
  co_await pty_ready_.async_wait(net::posix::stream_descriptor::wait_write, kNoThrow);
  waiting_to_write_ = false;
  write_input();
}

Result<void> Session::resize(const Viewer& viewer, WindowSize size) {
  auto applied = streams().resize(id_, viewer.id, size);
  if (!applied) return applied.error();
  if (*applied) apply_window(**applied, viewer.client);
  return {};
}

Result<void> Session::resize(WindowSize size) {
  auto applied = streams().resize(id_, size);
  if (!applied) return applied.error();
  if (*applied) apply_window(**applied, "");
  return {};
}

void Session::apply_window(WindowSize size, const std::string& client) {
  (void)sessions().set_window(id_, size);
  if (slot_) slot_->header().window.store(std::uint64_t{size.rows} << 16U | size.cols);
  if (started_ && !ended_) {
    if (auto set = set_window_size(pty_, size); !set)
      telemetry().error(id_, "resize", set.error().detail);
  }
  tell([&](ViewerNews& news) {
    news.resized = size;
    news.resized_by = client;
  });
}

Result<void> Session::set_suspended(bool suspended) {
  auto result = streams().set_suspended(id_, suspended);
  if (result) write_input();
  return result;
}

void Session::tell(const std::function<void(ViewerNews&)>& put, const Viewer* except) {
  for (Viewer* viewer : viewers_) {
    if (viewer == except) continue;
    put(viewer->news);
    viewer->wake.notify_all();
  }
}

}  // namespace term
