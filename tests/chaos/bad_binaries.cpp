#include "chaos/bad_binaries.h"

#include <sys/stat.h>

#include <cstdio>

namespace term::chaos {

using test::Millis;

namespace {

constexpr Millis kServesAgain{3'000};

/// Where the real one is run and killed a second later, after it has taken over.
constexpr const char* kServesAndCrashes =
    "#!/bin/sh\n"
    "(exec 3>&-; sleep 1; kill -SEGV $$) &\n"
    "exec \"$CHAOS_BINARY\" \"$@\"\n";

bool write_program(const std::filesystem::path& path, const BadBinary& bad) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  if (bad.mode == 0) return true;
  if (bad.script.empty()) {
    const auto own = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    return std::filesystem::copy_file(own / "bad_successor", path);
  }
  FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  std::fputs(bad.script.c_str(), file);
  std::fclose(file);
  return ::chmod(path.c_str(), bad.mode) == 0;
}

/// It was good enough to take over and then ended: the one before serves again. Its connections may
/// have gone with it; nothing else.
void expect_served_again(World& world, const BadBinary& bad, pid_t before,
                         test::SteadyClock::time_point crashed_by) {
  const bool again = world.loop.run_until(
      [&] { return world.service.pid() == before && world.fleet.all_attached(); }, Millis(10'000));
  if (!again) return fail(world, bad.name + ": the old process does not serve again");
  const auto took = std::chrono::duration_cast<Millis>(test::SteadyClock::now() - crashed_by);
  if (took > kServesAgain)
    fail(world, bad.name + ": serves again only after " + std::to_string(took.count()) + " ms");
}

void expect_nothing_happened(World& world, const BadBinary& bad, pid_t before,
                             std::uint64_t disconnects, Millis wait) {
  if (wait > kServesAgain)
    fail(world, bad.name + ": clients waited " + std::to_string(wait.count()) + " ms");
  if (world.service.pid() != before) fail(world, bad.name + ": another process serves");
  if (world.log.disconnects != disconnects) fail(world, bad.name + ": connections ended");
  if (world.service.get("/api/health/live").status != 200)
    fail(world, bad.name + ": the old process does not answer");
}

}  // namespace

const std::vector<BadBinary>& bad_binaries() {
  static const std::vector<BadBinary> all{
      {.name = "missing", .mode = 0},
      {.name = "not-executable", .script = "#!/bin/sh\nexit 0\n", .mode = 0600},
      {.name = "exits-1", .script = "#!/bin/sh\nexit 1\n"},
      {.name = "crashes-in-1-s", .script = "#!/bin/sh\nsleep 1\nkill -SEGV $$\n"},
      {.name = "hangs", .script = "#!/bin/sh\nexec sleep 600\n"},
      {.name = "older-version"},
      {.name = "refuses-the-state"},
      {.name = "exits-frozen"},
      {.name = "crashes-frozen"},
      {.name = "hangs-frozen"},
      {.name = "wrong-proof"},
      {.name = "serves-and-crashes", .script = kServesAndCrashes, .takes_over = true},
  };
  return all;
}

std::string try_bad_binary(World& world, const BadBinary& bad) {
  if (!wait_serving(world, "the fault before")) return "nobody serves";
  const auto path = world.service.directory() / ("bad-" + bad.name);
  if (!write_program(path, bad)) return "cannot write " + path.string();
  const pid_t before = world.service.pid();
  const auto disconnects = world.log.disconnects;
  (void)world.fleet.take_longest_wait();
  const auto started = test::SteadyClock::now();
  const auto answer = ask_for_hand_over(world, path);
  const auto took = std::chrono::duration_cast<Millis>(test::SteadyClock::now() - started);
  if (!bad.takes_over && answer.status < 400)
    fail(world, bad.name + ": answered " + std::to_string(answer.status) + " " + answer.body);
  if (answer.status == 0) fail(world, bad.name + ": no answer");
  world.loop.run_for(Millis(100));
  const Millis wait = world.fleet.take_longest_wait();
  if (bad.takes_over) {
    expect_served_again(world, bad, before, started + Millis(1000));
  } else {
    expect_nothing_happened(world, bad, before, disconnects, wait);
    world.totals.stalls_ms.push_back(static_cast<double>(wait.count()));
  }
  return bad.name + ": " + std::to_string(answer.status) + " after " +
         std::to_string(took.count()) + " ms, longest wait of a client " +
         std::to_string(wait.count()) + " ms";
}

}  // namespace term::chaos
