// Sessions that print as fast as they can.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "load/figures.h"
#include "load/operator_api.h"
#include "load/probe.h"
#include "load/terminal.h"
#include "load/works.h"

namespace term::bench {

namespace {

struct Printing {
  std::unique_ptr<StreamCheck> check;
  const Terminal* terminal = nullptr;
};

std::string bytes_command(const Options& options, double mib) {
  return source_command(
      "bytes --mib=" + std::to_string(mib) + " --content=" + options.content_name +
      " --seed=" + std::to_string(options.seed) + " --pty=" + (options.cooked ? "cooked" : "raw"));
}

/// The first thing that is wrong, with the session's name.
std::optional<std::string> trouble(const std::vector<Printing>& all) {
  for (const Printing& one : all) {
    const auto& wrong = one.check->wrong() ? one.check->wrong() : one.terminal->failure();
    if (wrong && !one.check->done()) return one.terminal->session() + ": " + *wrong;
    if (one.check->wrong()) return one.terminal->session() + ": " + *one.check->wrong();
  }
  return std::nullopt;
}

/// Serves the loop until all is there, something is wrong, or nothing comes any more.
std::optional<std::string> receive_all(EventLoop& loop, const std::vector<Printing>& all,
                                       Millis patience) {
  std::size_t first = 0;
  const auto done = [&] {
    while (first < all.size() && all[first].check->done()) ++first;
    return first == all.size() || all[first].check->wrong() || all[first].terminal->failure();
  };
  for (std::uint64_t before = 0;;) {
    if (loop.run_until(done, patience)) return trouble(all);
    std::uint64_t now = 0;
    for (const Printing& one : all) now += one.check->received();
    if (now == before)
      return "nothing for " + std::to_string(patience.count()) + " ms, after " +
             std::to_string(now) + " bytes of all sessions";
    before = now;
  }
}

}  // namespace

Json bulk(const Options& options) {
  const Pattern pattern(options.content, options.seed, options.cooked);
  const double mib = options.mib_or(64);
  const std::uint64_t total = pattern.periods(mib) * pattern.period();
  choose_engine(options);

  EventLoop loop;
  Terminals terminals;
  std::vector<Printing> all;
  for (unsigned i = 0; i < options.sessions_or(1); ++i) {
    terminals.push_back(std::make_unique<Terminal>(loop, options, session_name(options, i),
                                                   bytes_command(options, mib)));
    all.push_back({std::make_unique<StreamCheck>(pattern, total), terminals.back().get()});
    StreamCheck& check = *all.back().check;
    terminals.back()->on_output([&check](std::string_view bytes) { check.feed(bytes); });
    terminals.back()->connect();
  }
  const auto started = [](const Printing& one) { return one.check->started(); };
  wait_for(loop, terminals, "starting bench-source", Millis(1000 * options.patience_s),
           [&] { return std::all_of(all.begin(), all.end(), started); });

  const Json before = pss_by_process(options.pids);
  Stretch stretch(options.pids);
  for (const auto& one : terminals) one->type("go\n");
  const auto wrong = receive_all(loop, all, Millis(1000 * options.patience_s));
  stretch.stop();
  std::uint64_t bytes = 0;
  for (const Printing& one : all) bytes += one.check->received();

  Json out{{"value", 0.0}, {"unit", "MB/s"}, {"exact", !wrong}};
  if (wrong) out["wrong"] = *wrong;
  out.update(stretch.rates(bytes));
  out["value"] = out["mb_per_s"];
  std::uint64_t messages = 0;
  for (const auto& one : terminals) messages += one->messages();
  out["messages"] = messages;
  out["content"] = options.content_name;
  out["pty"] = options.cooked ? "cooked" : "raw";
  out["sessions"] = all.size();
  if (!options.pids.empty())
    out["pss_kib"] = {{"before", before}, {"after", pss_by_process(options.pids)}};
  end_all(loop, terminals);
  return out;
}

}  // namespace term::bench
