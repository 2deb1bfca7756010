#include "server/handover.h"

#include <fcntl.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "server/connection.h"
#include "server/json_read.h"
#include "server/service.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

constexpr Millis kReadyTime{5000};    ///< Nothing is frozen meanwhile.
constexpr Millis kQuietTime{1000};    ///< Frozen: connections and requests come to rest.
constexpr Millis kServingTime{2000};  ///< After the commit.
constexpr Millis kAnswerTime{2000};   ///< For whoever asked to get the answer.
constexpr Millis kStoreTime{1000};    ///< For the store to take what waits.
constexpr std::size_t kFdsPerMessage = 200;

/// Since then; and begins anew.
Millis lap(std::chrono::steady_clock::time_point& since) {
  const auto before = std::exchange(since, std::chrono::steady_clock::now());
  return std::chrono::duration_cast<Millis>(since - before);
}

std::string reason(int error) { return std::generic_category().message(error); }

constexpr const char* kPlannedEnd = "ended with status 0";

std::string describe_end(int status) {
  if (WIFEXITED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  return "was ended by " + signal_name(WTERMSIG(status));
}

/// What one shard hands over.
struct Part {
  HandoverState state;
  std::vector<int> fds;
  std::vector<SessionProof> proofs;
};

Part collect(Shard& shard) {
  Part part;
  for (const auto& session : shard.sessions->all()) {
    if (!session->slot() || !session->started()) continue;
    // One that has ended is in no registry any more: the arena has its books.
    if (const auto books = books_of(*session, /*queued=*/true))
      part.state.books[session->slot()->index()] = to_text(*books);
  }
  part.state.projects = shard.sessions->projects().records();
  part.proofs = proofs_of(shard);
  for (Connection* connection : shard.connections) {
    auto carried = connection->carry();
    if (!carried) continue;  // It ends by itself.
    part.state.connections.push_back({carried->session, std::move(carried->state)});
    part.fds.push_back(carried->fd);
  }
  return part;
}

}  // namespace

/// The new process, ended with this object unless it was let go.
struct Handover::Child {
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid > 0) (void)end();
  }
  /// Ends it and says how it ended.
  std::string end() {
    ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    pid = 0;
    return describe_end(status);
  }
  /// How it ended, if it has.
  std::optional<std::string> ended() {
    int status = 0;
    if (pid <= 0 || ::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
    pid = 0;
    return describe_end(status);
  }

  pid_t pid = 0;
  std::unique_ptr<HandoverChannel> channel;
};

namespace {

/// The program with the channel as descriptor 3 and nothing else beside 0, 1, 2.
Result<pid_t> start_program(const std::string& binary, int channel) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, channel, 3);
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const char* const argv[] = {binary.c_str(), "--handover-fd=3", nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, binary.c_str(), &actions, &attributes,
                                  const_cast<char* const*>(argv), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error{Errc::bad_argument, "cannot start " + binary + ": " + reason(error)};
  return pid;
}

}  // namespace

net::awaitable<Result<HandoverChannel::Message>> Handover::answer(Child& child, std::string type,
                                                                  Millis timeout) {
  net::posix::stream_descriptor ready(service_.shards().first(), child.channel->fd());
  net::steady_timer limit(service_.shards().first(), timeout);
  // The limit may be reached at the moment when the answer comes, and be told after it.
  const auto waits = std::make_shared<bool>(true);
  limit.async_wait([&ready, waits](const boost::system::error_code& ec) {
    if (!ec && *waits) ready.cancel();
  });
  auto [ec] = co_await ready.async_wait(net::posix::stream_descriptor::wait_read, kNoThrow);
  *waits = false;
  ready.release();
  if (ec)
    co_return Error{Errc::os_error, "the new process (" + std::to_string(child.pid) +
                                        ") did not say \"" + type + "\" within " +
                                        std::to_string(timeout.count()) + " ms"};
  auto said = child.channel->receive(Millis(0));
  if (said && said->type == "adopting") co_return said;
  co_return HandoverChannel::expected(std::move(said), type);
}

/// It may take as long as it gets on with it, up to a limit.
net::awaitable<Result<HandoverChannel::Message>> Handover::adopted_by(Child& child, Millis silence,
                                                                      Millis in_all) {
  const auto limit = std::chrono::steady_clock::now() + in_all;
  for (;;) {
    const auto left = std::chrono::duration_cast<Millis>(limit - std::chrono::steady_clock::now());
    auto said = co_await answer(child, "adopted", std::clamp(left, Millis(0), silence));
    if (!said || said->type == "adopted") co_return said;
  }
}

net::awaitable<Result<void>> Handover::freeze(std::size_t own_requests) {
  Shards& shards = service_.shards();
  net::steady_timer pause(shards.first());
  const auto deadline = std::chrono::steady_clock::now() + kQuietTime;
  service_.user_port().freeze();
  service_.operator_port().freeze();
  for (;;) {
    auto still = [](Shard& shard) {
      // First of all: a flood takes the loop's time from those who are to come to rest.
      shard.sessions->freeze();
      std::size_t busy = shard.creating.size();
      for (Connection* connection : shard.connections) {
        connection->freeze();
        if (!connection->quiet()) ++busy;
      }
      return busy;
    };
    std::size_t busy = service_.operations().leaving();
    for (const std::size_t part : co_await shards.gather(std::move(still))) busy += part;
    const std::size_t answering =
        service_.user_port().answering() + service_.operator_port().answering();
    if (answering > own_requests) busy += answering - own_requests;
    if (busy == 0) break;
    if (std::chrono::steady_clock::now() > deadline)
      co_return Error{Errc::busy, std::to_string(busy) +
                                      " connections, requests or creations do not come to rest"};
    pause.expires_after(Millis(1));
    co_await pause.async_wait(kNoThrow);
  }
  co_return Result<void>{};
}

net::awaitable<void> Handover::thaw() {
  auto go_on = [](Shard& shard) {
    shard.sessions->thaw();
    for (Connection* connection : shard.connections) connection->thaw();
    return true;
  };
  co_await service_.shards().gather(std::move(go_on));
  service_.user_port().thaw();
  service_.operator_port().thaw();
}

/// Everything frozen goes to the new process; gives back what it must prove.
net::awaitable<Result<std::string>> Handover::hand(Child& child, HandoverReport& report) {
  auto take = [](Shard& shard) { return collect(shard); };
  auto parts = co_await service_.shards().gather(std::move(take));
  HandoverState state;
  state.host = service_.config().host;
  state.ws_port = service_.ws_port();
  state.http_port = service_.http_port();
  state.locked = service_.state_lock() >= 0;
  std::vector<int> fds{service_.user_port().listener(), service_.operator_port().listener()};
  if (state.locked) fds.push_back(service_.state_lock());
  std::vector<SessionProof> proofs;
  for (Part& part : parts) {
    state.books.merge(part.state.books);
    std::ranges::move(part.state.projects, std::back_inserter(state.projects));
    std::ranges::move(part.state.connections, std::back_inserter(state.connections));
    std::ranges::move(part.proofs, std::back_inserter(proofs));
    fds.insert(fds.end(), part.fds.begin(), part.fds.end());
  }
  for (const bool operators : {false, true}) {
    auto& server = operators ? service_.operator_port() : service_.user_port();
    for (auto& waiting : server.waiting()) {
      state.requests.push_back({operators, std::move(waiting.received)});
      fds.push_back(waiting.fd);
    }
  }
  report.sessions = proofs.size();
  report.connections = state.connections.size();
  auto document = bytes_to_memfd(to_cbor(state));
  if (!document) co_return document.error();
  const int memfd = document->get();
  const Json head{{"type", "state"}, {"descriptors", fds.size()}};
  if (auto sent = child.channel->send(head, {&memfd, 1}); !sent) co_return sent.error();
  for (std::size_t i = 0; i < fds.size(); i += kFdsPerMessage) {
    const auto some = std::span(fds).subspan(i, std::min(kFdsPerMessage, fds.size() - i));
    const Json message{{"type", "descriptors"}};
    if (auto sent = child.channel->send(message, some); !sent) co_return sent.error();
  }
  co_return sha256_of(std::move(proofs));
}

net::awaitable<Result<HandoverReport>> Handover::attempt(Request request, Child& child) {
  HandoverReport report;
  auto ends = HandoverChannel::make();
  if (!ends) co_return ends.error();
  child.channel = std::make_unique<HandoverChannel>(std::move(ends->first));
  auto pid = start_program(request.binary, ends->second.get());
  ends->second.reset();
  if (!pid) co_return pid.error();
  child.pid = report.pid = *pid;
  const Json begin{{"type", "begin"},
                   {"flags", service_.config().flags},
                   {"soft_open_files", service_.config().soft_open_files},
                   {"progress", true}};
  if (auto sent = child.channel->send(begin); !sent) co_return sent.error();
  auto ready = co_await answer(child, "ready", kReadyTime);
  if (!ready) co_return ready.error();
  const Json said = Json::parse(ready->text, nullptr, false);
  report.version = read_string(said, "version").value_or("?");
  const auto oldest = read_integer(said, "oldest_state", 0, 1000).value_or(0);
  const auto newest = read_integer(said, "newest_state", 0, 1000).value_or(0);
  if (oldest > kStateVersion || newest < kStateVersion)
    co_return Error{Errc::bad_snapshot, "version " + report.version + " reads states " +
                                            std::to_string(oldest) + " to " +
                                            std::to_string(newest) + ", this one writes " +
                                            std::to_string(kStateVersion)};

  const auto begun = std::chrono::steady_clock::now();
  auto step = begun;
  if (auto frozen = co_await freeze(request.own_requests); !frozen) co_return frozen.error();
  report.freezing = lap(step);
  service_.keeper()->expect_takeover(true);
  auto proof = co_await hand(child, report);
  if (!proof) co_return proof.error();
  report.handing = lap(step);
  const Millis in_all =
      request.silence + request.adopt_each * (report.sessions + report.connections);
  auto adopted = co_await adopted_by(child, request.silence, in_all);
  if (!adopted) co_return adopted.error();
  report.adopting = lap(step);
  const Json got = Json::parse(adopted->text, nullptr, false);
  if (read_string(got, "sha256").value_or("") != *proof ||
      read_integer(got, "connections", 0, 1'000'000'000).value_or(-1) !=
          static_cast<std::int64_t>(report.connections))
    co_return Error{Errc::bad_snapshot,
                    "the new process has other sessions, offsets or connections than we: " +
                        got.dump(-1, ' ', false, Json::error_handler_t::replace)};
  listeners_[0].reset(::fcntl(service_.user_port().listener(), F_DUPFD_CLOEXEC, 64));      // NOLINT
  listeners_[1].reset(::fcntl(service_.operator_port().listener(), F_DUPFD_CLOEXEC, 64));  // NOLINT
  if (auto sent = child.channel->send(Json{{"type", "commit"}}); !sent) co_return sent.error();
  auto serving = co_await answer(child, "serving", kServingTime);
  if (!serving) {
    spdlog::error("handover.broken ERROR {} after the commit; starting anew",
                  serving.error().detail);
    (void)child.end();
    start_anew();
  }
  report.pause = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
  co_return report;
}

net::awaitable<Result<HandoverReport>> Handover::run(Request request) {
  if (service_.keeper() == nullptr)
    co_return Error{Errc::not_permitted,
                    "TERMINAL_HOLDER=none: without a holder there is no hand-over"};
  if (running_) co_return Error{Errc::busy, "a hand-over is under way"};
  if (service_.flips().running()) co_return Error{Errc::busy, "a flip is running; wait for it"};
  running_ = true;
  if (request.binary.empty()) request.binary = service_.config().program;
  spdlog::info("handover.begin binary={}", request.binary);
  auto child = std::make_shared<Child>();
  auto report = co_await attempt(request, *child);
  if (!report) {
    std::string why = report.error().detail;
    // Its end of the channel closes a moment before it can be waited for.
    std::optional<std::string> ended;
    net::steady_timer pause(service_.shards().first());
    for (int i = 0; i < 20 && child->pid > 0 && !(ended = child->ended()); ++i) {
      pause.expires_after(Millis(5));
      co_await pause.async_wait(kNoThrow);
    }
    if (ended) why += "; it " + *ended;
    if (child->pid > 0) (void)child->end();
    auto back = service_.keeper()->take_back();
    co_await thaw();
    running_ = false;
    spdlog::error("handover.failed ERROR {}; going on", why);
    if (!back) spdlog::error("holder.take_back ERROR {}", back.error().detail);
    co_return Error{report.error().code, why};
  }
  spdlog::info(
      "handover.done pid={} version={} sessions={} connections={} pause_ms={} freezing_ms={} "
      "handing_ms={} adopting_ms={}",
      report->pid, report->version, report->sessions, report->connections, report->pause.count(),
      report->freezing.count(), report->handing.count(), report->adopting.count());
  spawn_logged(service_.shards().first().get_executor(), "handover.leave",
               leave(std::move(request), child));
  co_return report;
}

/// The new process serves: lets go of everything, waits until whoever asked has the answer, stands
/// by for a while, and ends.
net::awaitable<void> Handover::leave(Request request, std::shared_ptr<Child> child) {
  left_ = true;
  service_.keeper()->let_go();
  auto forget = [](Shard& shard) {
    for (Connection* connection : std::set<Connection*>(shard.connections)) {
      if (connection->carried())
        connection->forget();
      else
        connection->thaw();
    }
    return true;
  };
  co_await service_.shards().gather(std::move(forget));
  service_.user_port().forget();
  service_.operator_port().forget();
  net::steady_timer pause(service_.shards().first());
  const auto answered = std::chrono::steady_clock::now() + kAnswerTime;
  const auto over = std::chrono::steady_clock::now() + request.probation;
  bool stored = false;
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    const bool answering =
        service_.user_port().active() + service_.operator_port().active() > 0 && now < answered;
    if (const auto how = child->ended()) {
      if (*how == kPlannedEnd) break;  // Somebody stopped it.
      spdlog::error("handover.successor ERROR the new process {}; starting anew", *how);
      start_anew();
    }
    if (!answering && !stored && service_.persistence() != nullptr) {
      stored = true;  // What waits goes in; then the new process may write.
      service_.persistence()->stop(kStoreTime);
    }
    if (!answering && now >= over) break;
    pause.expires_after(Millis(5));
    co_await pause.async_wait(kNoThrow);
  }
  spdlog::info("handover.left to={}", child->pid);
  spdlog::shutdown();
  // Not exit(): nothing of what we still have in memory is ours to take down.
  ::_exit(0);
}

}  // namespace term::server
