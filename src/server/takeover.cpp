// The new process's half of a hand-over: going on with all that the old one has.

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "server/connection.h"
#include "server/handover_state.h"
#include "server/json_read.h"
#include "server/service.h"

namespace term::server {

namespace {

using Json = nlohmann::json;

constexpr Millis kStateTime{30'000};   ///< The old one freezes first, and may be slow at it.
constexpr Millis kCommitTime{15'000};  ///< It compares what we have with what it had.
constexpr std::size_t kMaxDescriptors = 1'000'000;

struct Handed {
  HandoverState state;
  std::vector<UniqueFd> fds;
};

Result<Handed> receive_all(HandoverChannel& channel) {
  auto head = channel.expect("state", kStateTime);
  if (!head) return head.error();
  const Json said = Json::parse(head->text, nullptr, false);
  const auto count = read_integer(said, "descriptors", 0, kMaxDescriptors);
  if (!count || head->fds.size() != 1)
    return Error{Errc::bad_snapshot, "the hand-over came without a state"};
  auto bytes = bytes_of_memfd(head->fds.front().get());
  if (!bytes) return bytes.error();
  auto state = handover_state_from_cbor(*bytes);
  if (!state) return state.error();
  Handed handed{.state = std::move(*state)};
  while (handed.fds.size() < static_cast<std::size_t>(*count)) {
    auto some = channel.expect("descriptors", kStateTime);
    if (!some) return some.error();
    if (some->fds.empty()) return Error{Errc::os_error, "descriptors are missing"};
    std::ranges::move(some->fds, std::back_inserter(handed.fds));
  }
  const std::size_t expected = 2 + (handed.state.locked ? 1 : 0) + handed.state.connections.size() +
                               handed.state.requests.size();
  if (handed.fds.size() != expected)
    return Error{Errc::bad_snapshot, std::to_string(handed.fds.size()) + " descriptors came for " +
                                         std::to_string(expected)};
  return handed;
}

/// Tells the old process that we are at it: it waits on. Thread: any.
class Alive {
 public:
  explicit Alive(HandoverChannel& channel) : channel_(channel) {}
  void tell() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (!channel_.tell_progress || now - told_ < kTellEvery) return;
    told_ = now;
    (void)channel_.send(Json{{"type", "adopting"}});  // That it is gone shows soon enough.
  }

 private:
  static constexpr Millis kTellEvery{200};
  HandoverChannel& channel_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

}  // namespace

Result<void> Service::take_listeners(const HandoverState& state, std::vector<UniqueFd>& fds) {
  const bool same_host = config_.host == state.host;
  if (same_host && (config_.ws_port == 0 || config_.ws_port == state.ws_port))
    if (auto taken = user_.listen_on(std::move(fds[0])); !taken) return taken;
  if (same_host && (config_.http_port == 0 || config_.http_port == state.http_port))
    if (auto taken = operator_.listen_on(std::move(fds[1])); !taken) return taken;
  if (state.locked)
    state_lock_ = std::move(fds[2]);
  else if (auto locked = lock_state_dir(); !locked)
    return locked;
  return bind();  // What the configuration has otherwise now.
}

Result<void> Service::adopt_connections(const HandoverState& state, std::vector<UniqueFd>& fds,
                                        const std::function<void()>& alive) {
  std::size_t next = state.locked ? 3 : 2;
  std::mutex failing;
  std::optional<Error> failed;
  shards_.before_start([&](Shard& shard) {
    for (std::size_t i = 0; i < state.connections.size(); ++i) {
      const auto& connection = state.connections[i];
      if (&shards_.of(connection.session) != &shard) continue;
      alive();
      auto adopted =
          adopt_websocket(shard, operations_, std::move(fds[next + i]), connection.state);
      if (adopted) continue;
      const std::lock_guard lock(failing);
      failed = Error{Errc::bad_snapshot, "the connection to session " + connection.session + ": " +
                                             adopted.error().detail};
      return;
    }
  });
  if (failed) return *failed;
  next += state.connections.size();
  for (const auto& request : state.requests) {
    auto& server = request.operator_port ? operator_ : user_;
    if (auto adopted = server.adopt(std::move(fds[next++]), request.received); !adopted)
      return adopted;
  }
  return {};
}

Result<void> Service::take_over(HandoverChannel& channel) {
  const auto fail = [&](const Error& why) {
    (void)channel.send(Json{{"type", "failed"}, {"error", why.detail}});
    return why;
  };
  const Json ready{{"type", "ready"},
                   {"pid", ::getpid()},
                   {"version", version_},
                   {"oldest_state", kOldestStateVersion},
                   {"newest_state", kStateVersion}};
  if (auto sent = channel.send(ready); !sent) return sent;
  auto handed = receive_all(channel);
  if (!handed) return fail(handed.error());
  if (!keeper_) return fail({Errc::not_permitted, "TERMINAL_HOLDER=none: shells cannot be taken"});
  Alive alive(channel);
  const Keeper::Carried carried{handed->state.books, handed->state.projects,
                                [&alive] { alive.tell(); }};
  if (auto recovered = recover(&carried); !recovered) return fail(recovered.error());
  if (auto taken = take_listeners(handed->state, handed->fds); !taken) return fail(taken.error());
  if (auto adopted = adopt_connections(handed->state, handed->fds, carried.alive); !adopted)
    return fail(adopted.error());
  std::vector<SessionProof> proofs;
  for (std::size_t i = 0; i < shards_.size(); ++i)
    std::ranges::move(proofs_of(shards_.at(i)), std::back_inserter(proofs));
  const std::size_t sessions = proofs.size();
  const Json adopted{{"type", "adopted"},
                     {"sessions", sessions},
                     {"connections", handed->state.connections.size()},
                     {"sha256", sha256_of(std::move(proofs))}};
  if (auto sent = channel.send(adopted); !sent) return sent;
  if (auto commit = channel.expect("commit", kCommitTime); !commit) return commit.error();
  if (auto begun = begin(); !begun) return fail(begun.error());
  spdlog::info("service.took_over sessions={} connections={}", sessions,
               handed->state.connections.size());
  return channel.send(Json{{"type", "serving"}});
}

}  // namespace term::server
