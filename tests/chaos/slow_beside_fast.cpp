#include "chaos/slow_beside_fast.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace term::chaos {

using test::ClientLog;
using test::Millis;
using test::ResumingClient;
using test::SteadyClock;

namespace {

constexpr std::uint64_t kMemoryMayGrow = 8 * 1024;  ///< KiB; a GB queued would show.
constexpr Millis kPatience{600'000};
/// A sanitizer's allocator keeps what was freed; the service is built as this harness is.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kMemoryTells = false;
#else
constexpr bool kMemoryTells = true;
#endif
constexpr Millis kSlowReads{2};
constexpr Millis kSlowRests{98};

/// Private memory of the service in KiB: what it holds for viewers, without the arena's rings.
std::uint64_t private_kib(pid_t pid) {
  std::istringstream lines(test::read_file("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t kib = 0;
    if (words >> name >> kib && name == "RssAnon:") return kib;
  }
  return 0;
}

struct Pair {
  ClientLog fast_log, slow_log;
  std::unique_ptr<ResumingClient> fast, slow;
  bool slow_rests = false;
  SteadyClock::time_point turn_at{};
  std::uint64_t least_kib = ~std::uint64_t{0};
  std::uint64_t most_kib = 0;

  void beat(pid_t service) {
    const auto now = SteadyClock::now();
    fast->beat(now);
    if (!slow) return;
    slow->beat(now);
    if (slow->attached() && now >= turn_at && turn_at != SteadyClock::time_point::max()) {
      slow_rests = !slow_rests;
      slow->socket().pause_reading(slow_rests);
      turn_at = now + (slow_rests ? kSlowRests : kSlowReads);
    }
    const auto kib = private_kib(service);
    least_kib = std::min(least_kib, kib);
    most_kib = std::max(most_kib, kib);
  }
};

/// Until the fast one has this much more; MB/s.
double run_part(World& world, Pair& pair, std::uint64_t bytes) {
  const auto goal = pair.fast->check().at() + bytes;
  const auto begun = SteadyClock::now();
  if (!world.loop.run_until([&] { return pair.fast->check().at() >= goal; }, kPatience))
    fail(world, "the fast one stopped at " + std::to_string(pair.fast->check().at()));
  return static_cast<double>(bytes) / 1e6 /
         std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

void judge(World& world, Pair& pair) {
  const auto check = [&](const char* who, ResumingClient& client, const ClientLog& log) {
    client.check().finish();
    if (!client.check().exact()) fail(world, std::string(who) + " has other bytes");
    for (const auto& violation : log.violations) fail(world, std::string(who) + ": " + violation);
  };
  check("the fast one", *pair.fast, pair.fast_log);
  check("the slow one", *pair.slow, pair.slow_log);
  if (pair.fast_log.gaps > 0) fail(world, "the fast one was told of a gap");
  if (pair.slow->check().at() != pair.fast->check().at())
    fail(world, "the slow one ended at " + std::to_string(pair.slow->check().at()) +
                    ", the fast one at " + std::to_string(pair.fast->check().at()));
  if (kMemoryTells && pair.most_kib > pair.least_kib + kMemoryMayGrow)
    fail(world, "the service's memory grew from " + std::to_string(pair.least_kib) + " to " +
                    std::to_string(pair.most_kib) + " KiB");
  for (ResumingClient* client : {pair.fast.get(), pair.slow.get()}) {
    world.totals.out_checked += client->check().checked;
    world.totals.out_lost += client->check().lost;
    world.totals.out_repeated += client->check().repeated;
    world.totals.out_wrong += client->check().wrong;
  }
}

}  // namespace

void run_slow_beside_fast(World& world, std::uint64_t mib) {
  Pair pair;
  const std::string session = "free1048576-0-" + std::to_string(world.options.seed);
  const auto client = [&](ClientLog& log, const char* name, bool writer) {
    return std::make_unique<ResumingClient>(world.loop, log,
                                            ResumingClient::Options{.port = world.service.ws_port(),
                                                                    .session = session,
                                                                    .client = name,
                                                                    .writer = writer,
                                                                    .create = writer});
  };
  pair.fast = client(pair.fast_log, "fast", true);
  world.loop.on_beat([&, pid = world.service.pid()] { pair.beat(pid); });
  ++world.totals.sessions;
  if (!world.loop.run_until([&] { return pair.fast->greeted(); }, Millis(20'000)))
    return fail(world, "no output at the start");
  const std::uint64_t bytes = mib << 20;
  const double alone = run_part(world, pair, bytes);
  pair.slow = client(pair.slow_log, "slow", false);
  if (!world.loop.run_until([&] { return pair.slow->attached(); }, Millis(20'000)))
    return fail(world, "the slow one was not attached");
  const double beside = run_part(world, pair, bytes);
  const auto slow_got = pair.slow->check().checked;
  // The end comes to both.
  pair.turn_at = SteadyClock::time_point::max();
  pair.slow->socket().pause_reading(false);
  pair.fast->type_ending({.code = 7});
  if (!world.loop.run_until([&] { return pair.fast->ended() && pair.slow->ended(); }, kPatience))
    fail(world, "not both were told of the end");
  std::printf("fast alone %.1f MB/s, beside the slow one %.1f MB/s (%.2f)\n", alone, beside,
              beside / alone);
  std::printf("slow: %llu bytes read, %llu gaps told with %llu bytes\n",
              static_cast<unsigned long long>(slow_got),
              static_cast<unsigned long long>(pair.slow_log.gaps),
              static_cast<unsigned long long>(pair.slow_log.gap_bytes));
  std::printf("private memory of the service: %llu to %llu KiB\n",
              static_cast<unsigned long long>(pair.least_kib),
              static_cast<unsigned long long>(pair.most_kib));
  judge(world, pair);
}

}  // namespace term::chaos
